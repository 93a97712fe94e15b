package rig

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// A SignIn is a sign-in of the person, and how the server went on with it.
type SignIn struct {
	// Request is the authorization request.
	Request url.Values
	// Redemption is the token request with the code, nil if there was none.
	Redemption url.Values
	// Tokens are the tokens that the server got.
	Tokens []string

	issuer  string
	change  Change
	ended   bool
	refresh string
	access  []string
}

// AsksForIDToken reports whether the server asked for an ID token.
func (s *SignIn) AsksForIDToken() bool {
	return slices.Contains(strings.Fields(s.Request.Get("scope")), "openid")
}

// A Change is how the provider differs from a good one in a sign-in.
type Change struct {
	// Token answers the token request in place of the provider. Nil means the provider.
	Token http.Handler
	// Members edits the members of the token response.
	Members func(members map[string]any)
	// Padding is the length in bytes of another member in front of the token response.
	Padding int
	// Claims edits the claims of the ID token.
	Claims func(claims map[string]any)
	// Unsigned makes an ID token with the algorithm none.
	Unsigned bool
	// ForeignKey signs the ID token with a key that the key set does not have.
	ForeignKey bool
}

const (
	maxSignIns = 10_000
	maxForm    = 64 << 10 // bytes
	lifetime   = time.Hour
)

// Change sets how the provider answers for a code. It reports whether the code is the provider's.
func (p *Provider) Change(code string, change Change) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.signIns[code]
	if found == nil {
		return false
	}
	found.change = change
	return true
}

// SignIn returns the sign-in of a code.
func (p *Provider) SignIn(code string) (SignIn, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.signIns[code]
	if found == nil {
		return SignIn{}, false
	}
	return *found, true
}

// End ends the person's grant: the provider refuses the tokens of the sign-in from now on.
func (p *Provider) End(code string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if found := p.signIns[code]; found != nil {
		found.ended = true
	}
}

// serveAuthorize is the authorization endpoint. The person signs in and consents at once.
func (p *Provider) serveAuthorize(w http.ResponseWriter, r *http.Request, issuer string) {
	query := r.URL.Query()
	redirect, err := url.Parse(query.Get("redirect_uri"))
	isWeb := err == nil && (redirect.Scheme == "http" || redirect.Scheme == "https") && redirect.Host != ""
	if !isWeb || query.Get("client_id") == "" {
		http.Error(w, "want an authorization request with client_id and redirect_uri", http.StatusBadRequest)
		return
	}
	code := rand.Text() + rand.Text()
	p.mu.Lock()
	isFull := len(p.signIns) >= maxSignIns
	if !isFull {
		p.signIns[code] = &SignIn{Request: query, issuer: issuer}
	}
	p.mu.Unlock()
	if isFull {
		http.Error(w, "too many sign-ins", http.StatusServiceUnavailable)
		return
	}
	response := redirect.Query()
	response.Set("code", code)
	response.Set("iss", p.named(issuer))
	if query.Has("state") {
		response.Set("state", query.Get("state"))
	}
	redirect.RawQuery = response.Encode()
	http.Redirect(w, r, redirect.String(), http.StatusFound)
}

// serveToken is the token endpoint.
func (p *Provider) serveToken(w http.ResponseWriter, r *http.Request, issuer string) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		refuse(w, "invalid_request")
		return
	}
	switch r.PostForm.Get("grant_type") {
	case "authorization_code":
		p.redeem(w, r, issuer)
	case "refresh_token":
		p.renew(w, r.PostForm)
	case "client_credentials":
		writeJSON(w, http.StatusOK, map[string]any{
			"access_token": rand.Text(),
			"token_type":   "Bearer",
			"expires_in":   int(lifetime.Seconds()),
		})
	default:
		refuse(w, "unsupported_grant_type")
	}
}

func refuse(w http.ResponseWriter, code string) {
	writeJSON(w, http.StatusBadRequest, map[string]any{"error": code})
}

// redeem redeems a code once, for its own client, redirect URI and verifier.
func (p *Provider) redeem(w http.ResponseWriter, r *http.Request, issuer string) {
	form := r.PostForm
	client := form.Get("client_id")
	if id, _, isBasic := r.BasicAuth(); isBasic {
		client, _ = url.QueryUnescape(id)
	}
	p.mu.Lock()
	found := p.signIns[form.Get("code")]
	isGood := found != nil && found.Redemption == nil && found.issuer == issuer && found.isRedeemedBy(client, form)
	if !isGood {
		p.mu.Unlock()
		refuse(w, "invalid_grant")
		return
	}
	found.Redemption = form
	change := found.change
	p.mu.Unlock()
	if change.Token != nil {
		change.Token.ServeHTTP(w, r)
		return
	}
	members := p.answer(found)
	if found.AsksForIDToken() {
		members["id_token"] = p.idToken(found, change)
	}
	if change.Members != nil {
		change.Members(members)
	}
	writePadded(w, members, change.Padding)
}

func (s *SignIn) isRedeemedBy(client string, form url.Values) bool {
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	challenge := s.Request.Get("code_challenge")
	return client == s.Request.Get("client_id") && form.Get("redirect_uri") == s.Request.Get("redirect_uri") &&
		(challenge == "" || challenge == base64.RawURLEncoding.EncodeToString(sum[:]))
}

// answer makes the tokens of a sign-in, apart from the ID token.
func (p *Provider) answer(s *SignIn) map[string]any {
	access := rand.Text() + rand.Text()
	refresh := rand.Text() + rand.Text()
	p.mu.Lock()
	defer p.mu.Unlock()
	s.access = append(s.access, access)
	s.refresh = refresh
	s.Tokens = append(slices.Clone(s.Tokens), access, refresh)
	return map[string]any{
		"access_token":  access,
		"token_type":    "Bearer",
		"expires_in":    int(lifetime.Seconds()),
		"refresh_token": refresh,
		"scope":         s.Request.Get("scope"),
	}
}

// renew refreshes the tokens of a sign-in.
func (p *Provider) renew(w http.ResponseWriter, form url.Values) {
	given := form.Get("refresh_token")
	p.mu.Lock()
	var found *SignIn
	for _, candidate := range p.signIns {
		if given != "" && candidate.refresh == given && !candidate.ended {
			found = candidate
		}
	}
	p.mu.Unlock()
	if found == nil {
		refuse(w, "invalid_grant")
		return
	}
	writeJSON(w, http.StatusOK, p.answer(found))
}

// person returns the claims of the person.
func (p *Provider) person() map[string]any {
	claims := map[string]any{
		"sub":                "rig-user",
		"name":               "Rig User",
		"preferred_username": "user@rig.example",
		"email":              "user@rig.example",
		"email_verified":     true,
	}
	maps.Copy(claims, p.config.Claims)
	return claims
}

// serveUserinfo is the userinfo endpoint (OpenID Connect Core 1.0 section 5.3).
func (p *Provider) serveUserinfo(w http.ResponseWriter, r *http.Request) {
	given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	p.mu.Lock()
	isGood := false
	for _, candidate := range p.signIns {
		isGood = isGood || slices.Contains(candidate.access, given) && !candidate.ended
	}
	p.mu.Unlock()
	if !isGood {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	writeJSON(w, http.StatusOK, p.person())
}

// idToken makes the ID token of a sign-in (OpenID Connect Core 1.0 section 2).
func (p *Provider) idToken(s *SignIn, change Change) string {
	now := time.Now()
	claims := p.person()
	claims["iss"] = p.named(s.issuer)
	claims["aud"] = s.Request.Get("client_id")
	claims["iat"] = now.Unix()
	claims["nbf"] = now.Unix()
	claims["exp"] = now.Add(lifetime).Unix()
	if s.Request.Has("nonce") {
		claims["nonce"] = s.Request.Get("nonce")
	}
	if change.Claims != nil {
		change.Claims(claims)
	}
	text, _ := json.Marshal(claims) // the claims are plain values
	if change.Unsigned {
		header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
		return header + "." + base64.RawURLEncoding.EncodeToString(text) + "."
	}
	key := p.key
	if change.ForeignKey {
		key = p.other
	}
	return signed(key, text)
}

func signed(key *rsa.PrivateKey, claims []byte) string {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: keyID}},
		(&jose.SignerOptions{}).WithType("JWT"),
	)
	if err != nil {
		panic(err) // the key is our own
	}
	object, err := signer.Sign(claims)
	if err != nil {
		panic(err)
	}
	text, err := object.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return text
}
