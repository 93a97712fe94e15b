package entra_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/useragent"
	"mcpentra/server/entra"
)

// This file holds the environment of the package's tests:
//
//   - newIssuer starts a scripted issuer whose answers a test can change; newAPIFake and forFake
//     use the fake Entra ID.
//   - newClient and newAPI make the tested objects from config, forFake or apiConfig.
//   - visit, redeemWith and mint lead to tokens.

const (
	secondTenant = "5a1e0001-0000-4000-8000-000000000002"
	apiSecret    = "secret of the api"
	unknownID    = "99999999-0000-4000-8000-000000000000"
)

// apiDirectory returns a directory of two tenants with an API that can act on behalf of people. The
// API is registered in the first tenant, and both use it.
func apiDirectory(version int) directory.Directory {
	all := directory.Default()
	home := &all.Tenants[0]
	api := &home.Apps[1]
	api.TokenVersion = version
	api.Secrets = []string{apiSecret}
	api.MultiTenant = true
	api.Consented = []string{"User.Read"}
	api.Roles = []directory.Role{{Value: "Tool.Call"}}
	other := directory.Tenant{
		ID:          secondTenant,
		DisplayName: "Fabrikam",
		Domains:     []string{"fabrikam.onmicrosoft.com"},
		Users: []directory.User{{
			ID:                "5a1e0004-0000-4000-8000-000000000009",
			UserPrincipalName: "ida@fabrikam.onmicrosoft.com",
			DisplayName:       "Ida",
		}},
	}
	guestApp := home.Apps[0]
	guestApp.ID = "5a1e0002-0000-4000-8000-000000000009"
	guestApp.ObjectID = "5a1e0002-0000-4000-8000-0000000000fe"
	other.Apps = []directory.App{guestApp, *api}
	other.Apps[1].MultiTenant = false
	all.Tenants = append(all.Tenants, other)
	return all
}

// newAPIFake makes a fake of apiDirectory whose API gets tokens of a version.
func newAPIFake(t *testing.T, version int) *fakeentra.Fake {
	t.Helper()
	fake, err := fakeentra.New(fakeentra.Config{Directory: apiDirectory(version), Now: clock})
	require.NoError(t, err)
	return fake
}

// apiConfig returns the configuration of the API in the first tenant.
func apiConfig(fake *fakeentra.Fake) entra.Config {
	return entra.Config{
		TenantID:            directory.DefaultTenantID,
		ClientID:            directory.DefaultAPIID,
		ClientSecret:        apiSecret,
		HTTPClient:          fake.Client(),
		TrustPublicFakeKeys: true,
		Now:                 clock,
	}
}

// newAPI makes an API, and fails the test if it cannot.
func newAPI(t *testing.T, cfg entra.Config, rules entra.APIConfig) *entra.API {
	t.Helper()
	api, err := entra.NewAPI(cfg, rules)
	require.NoError(t, err)
	return api
}

// mint returns an access token of the fake.
func mint(t *testing.T, fake *fakeentra.Fake, want fakeentra.Token) string {
	t.Helper()
	raw, err := fake.Mint(want)
	require.NoError(t, err)
	return raw
}

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return noon }

// forFake returns the configuration of a client for a fake without a listener.
func forFake(fake *fakeentra.Fake) entra.Config {
	return entra.Config{
		TenantID:            directory.DefaultTenantID,
		ClientID:            directory.DefaultClientID,
		ClientSecret:        directory.DefaultClientSecret,
		RedirectURI:         "http://localhost:8000/auth/callback",
		HTTPClient:          fake.Client(),
		TrustPublicFakeKeys: true,
	}
}

// newClient makes a client, and fails the test if it cannot.
func newClient(t *testing.T, cfg entra.Config) *entra.Client {
	t.Helper()
	client, err := entra.New(cfg)
	require.NoError(t, err)
	return client
}

// visit runs a sign-in with a scripted person, and returns the parameters at the redirect URI.
func visit(t *testing.T, fake *fakeentra.Fake, address string, deny bool) url.Values {
	t.Helper()
	browser := useragent.Browser{
		Deny: deny,
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == "localhost:8000" {
				return &http.Response{
					StatusCode: http.StatusOK,
					Header:     http.Header{"Content-Type": {"text/html"}},
					Request:    r,
					Body:       io.NopCloser(strings.NewReader("<title>back</title>")),
				}, nil
			}
			return fake.Client().Transport.RoundTrip(r)
		}),
	}
	page, err := browser.Visit(t.Context(), address)
	require.NoError(t, err)
	require.Equal(t, "localhost:8000", page.URL.Host, page.Text)
	return page.URL.Query()
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// issuer is a scripted issuer in place of Entra. A test can change its answers.
type issuer struct {
	*httptest.Server
	document func(map[string]any) // changes the discovery document
	token    http.HandlerFunc
	graph    http.HandlerFunc
	keySet   jose.JSONWebKeySet
	asked    sync.Map // from the last segment of a path to *atomic.Int64
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{
		document: func(map[string]any) {},
		keySet:   jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: signingKey().Public(), KeyID: "one", Use: "sig"}}},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/{tenant}/v2.0/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		base := i.URL + "/" + directory.DefaultTenantID
		document := map[string]any{
			"issuer":                 base + "/v2.0",
			"authorization_endpoint": base + "/authorize",
			"token_endpoint":         base + "/token",
			"jwks_uri":               base + "/keys",
		}
		i.document(document)
		answer(w, http.StatusOK, document)
	})
	mux.HandleFunc(
		"/{tenant}/keys",
		func(w http.ResponseWriter, r *http.Request) { answer(w, http.StatusOK, i.keySet) },
	)
	mux.HandleFunc("/{tenant}/token", func(w http.ResponseWriter, r *http.Request) { i.token(w, r) })
	mux.HandleFunc("/v1.0/me", func(w http.ResponseWriter, r *http.Request) { i.graph(w, r) })
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count, _ := i.asked.LoadOrStore(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:], new(atomic.Int64))
		count.(*atomic.Int64).Add(1)
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) config() entra.Config {
	return entra.Config{
		Authority:    i.URL,
		TenantID:     directory.DefaultTenantID,
		ClientID:     directory.DefaultClientID,
		ClientSecret: "secret",
		RedirectURI:  "http://localhost:8000/auth/callback",
		HTTPClient:   i.Client(),
		Now:          clock,
	}
}

// requests returns the number of requests for paths with that last segment.
func (i *issuer) requests(name string) int64 {
	count, found := i.asked.Load(name)
	if !found {
		return 0
	}
	return count.(*atomic.Int64).Load()
}

// idToken signs the claims of a good ID token with changes. A nil removes a claim.
func (i *issuer) idToken(t *testing.T, changes map[string]any) string {
	t.Helper()
	claims := map[string]any{
		"iss":                i.URL + "/" + directory.DefaultTenantID + "/v2.0",
		"aud":                directory.DefaultClientID,
		"nonce":              "nonce",
		"ver":                "2.0",
		"tid":                directory.DefaultTenantID,
		"oid":                directory.DefaultUserID,
		"sub":                "pairwise",
		"name":               "Adele Vance",
		"preferred_username": "adele@example.com",
		"iat":                noon.Unix() - 300,
		"nbf":                noon.Unix() - 300,
		"exp":                noon.Unix() + 3600,
	}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	return sign(t, jose.RS256, signingKey(), "one", claims)
}

// sign signs claims with any key and algorithm.
func sign(t *testing.T, algorithm jose.SignatureAlgorithm, key any, kid string, claims any) string {
	t.Helper()
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: kid}},
		(&jose.SignerOptions{}).WithType("JWT"),
	)
	require.NoError(t, err)
	payload, err := json.Marshal(claims)
	require.NoError(t, err)
	signed, err := signer.Sign(payload)
	require.NoError(t, err)
	raw, err := signed.CompactSerialize()
	require.NoError(t, err)
	return raw
}

// answer writes a JSON answer.
func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// redeemWith redeems a code at an issuer that answers with an ID token.
func redeemWith(t *testing.T, issuer *issuer, idToken string) (*entra.Tokens, error) {
	t.Helper()
	return redeemAs(t, issuer, issuer.config(), idToken)
}

func redeemAs(t *testing.T, issuer *issuer, cfg entra.Config, idToken string) (*entra.Tokens, error) {
	t.Helper()
	issuer.token = func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, map[string]any{
			"token_type":    "Bearer",
			"access_token":  "graph",
			"refresh_token": "r",
			"expires_in":    3600,
			"id_token":      idToken,
		})
	}
	return newClient(t, cfg).Redeem(t.Context(), entra.Redemption{Code: "code", Verifier: "verifier", Nonce: "nonce"})
}

// jsonRaw is a payload to sign unchanged.
type jsonRaw []byte

func (j jsonRaw) MarshalJSON() ([]byte, error) { return j, nil }

// zeros is an endless reader.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return copy(p, strings.Repeat(" ", len(p))), nil }

// respond makes a response to a request.
func respond(r *http.Request, body any) *http.Response {
	encoded, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return &http.Response{
		StatusCode: 200,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Body:       io.NopCloser(bytes.NewReader(encoded)),
		Request:    r,
	}
}

// jwk returns the document of a public key with its issuer.
func jwk(key *rsa.PrivateKey, kid, issuer string) map[string]any {
	encode := base64.RawURLEncoding.EncodeToString
	return map[string]any{
		"kty":    "RSA",
		"use":    "sig",
		"kid":    kid,
		"issuer": issuer,
		"n":      encode(key.N.Bytes()),
		"e":      encode(big.NewInt(int64(key.E)).Bytes()),
	}
}

// replaceInBody replaces a text in the body of a response.
func replaceInBody(t *testing.T, resp *http.Response, old, replacement string) {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Contains(t, string(body), old)
	body = []byte(strings.ReplaceAll(string(body), old, replacement))
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
}

// counting returns a client of a fake that counts token requests.
func counting(fake *fakeentra.Fake, requests *atomic.Int32) *http.Client {
	return &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/token") {
			requests.Add(1)
		}
		return fake.Client().Transport.RoundTrip(r)
	})}
}

// signInRequest returns a request for a sign-in whose PKCE verifier is given.
func signInRequest(verifier string) entra.AuthorizationRequest {
	return entra.AuthorizationRequest{
		State:         "state",
		Nonce:         "nonce",
		CodeChallenge: oauth2.S256ChallengeFromVerifier(verifier),
		Scopes:        []string{"User.Read"},
	}
}

// answering returns a handler that answers every request with a status and a JSON body.
func answering(status int, body any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { answer(w, status, body) }
}

// writing returns a handler that answers every request with a status, a text and pairs of headers.
func writing(status int, text string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	}
}
