package twins

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"mcpentra/conformance/engine"
)

// A Fault is one way to be broken.
type Fault string

// The faults, named by what such a server does.
const (
	ServesEverybody        Fault = "serves everybody"
	SendsNoChallenge       Fault = "sends no challenge"
	SendsBrokenChallenge   Fault = "sends a challenge that is not well formed"
	LeavesOutMetadataURL   Fault = "leaves resource_metadata out of the challenge"
	SaysErrorToStrangers   Fault = "says error to those without credentials"
	SaysNoError            Fault = "says nothing of invalid_token"
	LeavesOutScope         Fault = "leaves scope out of the challenge"
	AsksForOfflineAccess   Fault = "asks for offline_access"
	HasNoMetadata          Fault = "has no protected resource metadata"
	HasMetadataElsewhere   Fault = "has its metadata at another address only"
	ServesMetadataAsText   Fault = "serves its metadata as text/plain"
	DescribesAnother       Fault = "describes another resource"
	NamesNoIssuer          Fault = "names no authorization server"
	TakesTokensInQuery     Fault = "offers to take tokens in the query"
	HasEmptyArrays         Fault = "has empty arrays in its metadata"
	BelievesForwardedHost  Fault = "believes X-Forwarded-Host"
	HasNoIssuerMetadata    Fault = "has no authorization server metadata"
	HasSlashInIssuer       Fault = "has a slash at the end of its issuer"
	HasNoTokenEndpoint     Fault = "has no token_endpoint"
	AdvertisesNoPKCE       Fault = "advertises no PKCE"
	HasEmptyIssuerArrays   Fault = "has empty arrays in its authorization server metadata"
	HasOpenIDMetadataOnly  Fault = "has its authorization server metadata under OpenID Connect's name only"
	RefusesEverybody       Fault = "refuses everybody"
	WantsBearerInOneCase   Fault = "wants Bearer in one case"
	AcceptsGarbage         Fault = "accepts what is not a token"
	ChecksNoSignature      Fault = "checks no signature"
	AcceptsNoAlgorithm     Fault = "accepts alg none"
	AcceptsExpired         Fault = "accepts expired tokens"
	AcceptsNotYetValid     Fault = "accepts tokens that are not valid yet"
	ChecksNoAudience       Fault = "checks no audience"
	ChecksNoIssuer         Fault = "checks no issuer"
	AcceptsQueryToken      Fault = "accepts a token in the query"
	ChecksNoOrigin         Fault = "checks no Origin"
	SpeaksNoNewestRevision Fault = "does not speak MCP 2026-07-28"
)

// A Twin is a small MCP server with an issuer of its own. Without faults it keeps every rule that there is a check for.
type Twin struct {
	URL string // of the MCP endpoint

	server *httptest.Server
	faults []Fault
	key    *ecdsa.PrivateKey
	origin string
}

// Start starts a twin on loopback. It panics when it cannot, as net/http/httptest does.
func Start(faults ...Fault) *Twin {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	t := &Twin{faults: faults, key: key}
	t.server = httptest.NewServer(http.HandlerFunc(t.serve))
	t.origin = t.server.URL
	t.URL = t.origin + "/mcp"
	return t
}

// Close ends the twin.
func (t *Twin) Close() { t.server.Close() }

// Target is the twin as a target, with tokens of every kind.
func (t *Twin) Target() engine.Target {
	target := engine.Target{URL: t.URL, HTTPClient: t.server.Client(), Tokens: map[engine.TokenKind]func(context.Context) (string, error){}}
	for kind, change := range map[engine.TokenKind]func(*jwt.Claims){
		engine.Good:    func(*jwt.Claims) {},
		engine.Expired: func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(time.Now().Add(-time.Hour)) },
		engine.NotYetValid: func(c *jwt.Claims) {
			c.NotBefore = jwt.NewNumericDate(time.Now().Add(time.Hour))
			c.Expiry = jwt.NewNumericDate(time.Now().Add(2 * time.Hour))
		},
		engine.ForeignAudience: func(c *jwt.Claims) { c.Audience = jwt.Audience{"https://other.example/mcp"} },
		engine.ForeignIssuer:   func(c *jwt.Claims) { c.Issuer = "https://other.example" },
	} {
		target.Tokens[kind] = func(context.Context) (string, error) { return t.mint(change) }
	}
	return target
}

func (t *Twin) mint(change func(*jwt.Claims)) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: t.key}, (&jose.SignerOptions{}).WithType("at+jwt"))
	if err != nil {
		return "", err
	}
	claims := jwt.Claims{Issuer: t.origin, Subject: "somebody", Audience: jwt.Audience{t.URL}, Expiry: jwt.NewNumericDate(time.Now().Add(time.Hour))}
	change(&claims)
	return jwt.Signed(signer).Claims(claims).Serialize()
}

func (t *Twin) has(fault Fault) bool { return slices.Contains(t.faults, fault) }

func (t *Twin) serve(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/mcp":
		t.serveEndpoint(w, r)
	case "/.well-known/oauth-protected-resource/mcp":
		if t.has(HasNoMetadata) || t.has(HasMetadataElsewhere) {
			http.NotFound(w, r)
			return
		}
		t.serveResource(w, r)
	case "/elsewhere":
		t.serveResource(w, r)
	case "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration":
		if t.has(HasNoIssuerMetadata) || t.has(HasOpenIDMetadataOnly) && strings.HasSuffix(r.URL.Path, "server") {
			http.NotFound(w, r)
			return
		}
		t.serveIssuer(w)
	default:
		http.NotFound(w, r)
	}
}

func (t *Twin) serveEndpoint(w http.ResponseWriter, r *http.Request) {
	if origin := r.Header.Get("Origin"); origin != "" && origin != t.origin && !t.has(ChecksNoOrigin) {
		http.Error(w, "foreign origin", http.StatusForbidden)
		return
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if t.has(AcceptsQueryToken) && token == "" {
		scheme, token = "Bearer", r.URL.Query().Get("access_token")
	}
	known := strings.EqualFold(scheme, "Bearer")
	if t.has(WantsBearerInOneCase) {
		known = scheme == "Bearer"
	}
	good := known && t.accepts(token)
	if t.has(RefusesEverybody) || !good && !t.has(ServesEverybody) {
		t.challenge(w, r, known && token != "")
		return
	}
	if r.Method != http.MethodPost {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	var request struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&request); err != nil {
		http.Error(w, "not JSON", http.StatusBadRequest)
		return
	}
	if len(request.ID) == 0 {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if request.Method == "server/discover" && t.has(SpeaksNoNewestRevision) {
		write(w, http.StatusBadRequest, map[string]any{"jsonrpc": "2.0", "id": request.ID, "error": map[string]any{"code": -32022, "message": "unsupported"}})
		return
	}
	write(w, http.StatusOK, map[string]any{"jsonrpc": "2.0", "id": request.ID, "result": map[string]any{"protocolVersion": r.Header.Get("Mcp-Protocol-Version")}})
}

// accepts verifies a token, but for what the twin is broken in.
func (t *Twin) accepts(raw string) bool {
	if t.has(AcceptsGarbage) && raw != "" && !strings.Contains(raw, ".") {
		return true
	}
	if parts := strings.Split(raw, "."); t.has(AcceptsNoAlgorithm) && len(parts) == 3 && parts[2] == "" {
		return true
	}
	parsed, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return false
	}
	var claims jwt.Claims
	if parsed.Claims(&t.key.PublicKey, &claims) != nil && !(t.has(ChecksNoSignature) && parsed.UnsafeClaimsWithoutVerification(&claims) == nil) {
		return false
	}
	now := time.Now()
	switch {
	case claims.Expiry == nil || now.After(claims.Expiry.Time()) && !t.has(AcceptsExpired):
		return false
	case claims.NotBefore != nil && now.Before(claims.NotBefore.Time()) && !t.has(AcceptsNotYetValid):
		return false
	case !claims.Audience.Contains(t.URL) && !t.has(ChecksNoAudience):
		return false
	case claims.Issuer != t.origin && !t.has(ChecksNoIssuer):
		return false
	}
	return true
}

func (t *Twin) challenge(w http.ResponseWriter, r *http.Request, withToken bool) {
	metadata := t.host(r) + "/.well-known/oauth-protected-resource/mcp"
	if t.has(HasMetadataElsewhere) {
		metadata = t.origin + "/elsewhere"
	}
	parameters := []string{fmt.Sprintf("resource_metadata=%q", metadata), `scope="tools"`}
	if t.has(LeavesOutMetadataURL) {
		parameters = parameters[1:]
	}
	if t.has(AsksForOfflineAccess) {
		parameters[len(parameters)-1] = `scope="tools offline_access"`
	}
	if t.has(LeavesOutScope) {
		parameters = parameters[:len(parameters)-1]
	}
	if withToken && !t.has(SaysNoError) || !withToken && t.has(SaysErrorToStrangers) {
		parameters = append(parameters, `error="invalid_token"`)
	}
	switch {
	case t.has(SendsNoChallenge):
	case t.has(SendsBrokenChallenge):
		w.Header().Set("WWW-Authenticate", "Bearer "+strings.Join(parameters, " "))
	default:
		w.Header().Set("WWW-Authenticate", "Bearer "+strings.Join(parameters, ", "))
	}
	w.WriteHeader(http.StatusUnauthorized)
}

// host is the twin's origin, unless it believes what a request says.
func (t *Twin) host(r *http.Request) string {
	if forwarded := r.Header.Get("X-Forwarded-Host"); forwarded != "" && t.has(BelievesForwardedHost) {
		return (&url.URL{Scheme: "http", Host: forwarded}).String()
	}
	return t.origin
}

func (t *Twin) serveResource(w http.ResponseWriter, r *http.Request) {
	document := map[string]any{
		"resource": t.host(r) + "/mcp", "authorization_servers": []string{t.origin}, "bearer_methods_supported": []string{"header"}, "scopes_supported": []string{"tools"},
	}
	switch {
	case t.has(DescribesAnother):
		document["resource"] = t.origin + "/other"
	case t.has(NamesNoIssuer):
		delete(document, "authorization_servers")
	case t.has(TakesTokensInQuery):
		document["bearer_methods_supported"] = []string{"header", "query"}
	case t.has(HasEmptyArrays):
		document["resource_signing_alg_values_supported"] = []string{}
	case t.has(ServesMetadataAsText):
		text, _ := json.Marshal(document)
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write(text)
		return
	}
	write(w, http.StatusOK, document)
}

func (t *Twin) serveIssuer(w http.ResponseWriter) {
	document := map[string]any{
		"issuer": t.origin, "authorization_endpoint": t.origin + "/authorize", "token_endpoint": t.origin + "/token",
		"response_types_supported": []string{"code"}, "code_challenge_methods_supported": []string{"S256"},
	}
	switch {
	case t.has(HasSlashInIssuer):
		document["issuer"] = t.origin + "/"
	case t.has(HasNoTokenEndpoint):
		delete(document, "token_endpoint")
	case t.has(AdvertisesNoPKCE):
		delete(document, "code_challenge_methods_supported")
	case t.has(HasEmptyIssuerArrays):
		document["ui_locales_supported"] = []string{}
	}
	write(w, http.StatusOK, document)
}

func write(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}
