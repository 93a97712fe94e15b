package signin_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"mcpentra/conformance/servers/signin"
)

// A provider is an MCP server with an authorization server that approves each request at once. Its
// access tokens are JWTs without a signature.
type provider struct {
	url string

	// The settings. Nil and zero mean the usual behaviour.
	expiresIn     int                               // seconds; 0 means an hour
	ignoresTarget bool                              // issues tokens for the MCP server only
	noRefresh     bool                              // gives no refresh token
	noRegister    bool                              // knows one client only
	methods       []string                          // of client authentication
	register      func(http.ResponseWriter) bool    // answers a registration
	authorize     func(asked url.Values) url.Values // returns the parameters of an error response
	token         func(http.ResponseWriter) bool    // answers a token request

	// client has connections of its own: the servers of other tests close the shared ones.
	client *http.Client

	mu         sync.Mutex
	registered []string // scopes
	asked      []url.Values
	codes      map[string]url.Values // the authorization requests by code
	refreshes  map[string]url.Values // the authorization requests by refresh token
	revoked    []string
	basic      []string // Authorization headers of token requests
	forms      []url.Values
	serial     int
}

func newProvider(t *testing.T, change func(*provider)) *provider {
	t.Helper()
	p := &provider{codes: map[string]url.Values{}, refreshes: map[string]url.Values{}}
	if change != nil {
		change(p)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/mcp", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer resource_metadata="`+p.url+`/metadata", scope="tools"`)
		w.WriteHeader(http.StatusUnauthorized)
	})
	mux.HandleFunc("/metadata", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]any{
			"resource":              p.url + "/mcp",
			"authorization_servers": []string{p.url + "/as"},
			"scopes_supported":      []string{"tools", "notes"},
		})
	})
	mux.HandleFunc("/.well-known/oauth-authorization-server/as", func(w http.ResponseWriter, _ *http.Request) {
		document := map[string]any{
			"authorization_endpoint": p.url + "/authorize",
			"token_endpoint":         p.url + "/token",
			"registration_endpoint":  p.url + "/register",
			"revocation_endpoint":    p.url + "/revoke",
			"scopes_supported":       []string{"tools", "notes", "openid", "offline_access"},
		}
		if p.noRegister {
			delete(document, "registration_endpoint")
			p.registered = []string{"tools", "notes", "openid", "offline_access"}
		}
		if p.methods != nil {
			document["token_endpoint_auth_methods_supported"] = p.methods
		}
		answer(w, http.StatusOK, document)
	})
	mux.HandleFunc("POST /register", p.serveRegister)
	mux.HandleFunc("GET /authorize", p.serveAuthorize)
	mux.HandleFunc("POST /token", p.serveToken)
	mux.HandleFunc("POST /revoke", func(_ http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.revoked = append(p.revoked, r.PostFormValue("token"))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	p.url = server.URL
	p.client = server.Client()
	return p
}

// signIn returns a sign-in whose browser follows redirects.
func (p *provider) signIn() *signin.SignIn {
	return &signin.SignIn{URL: p.url + "/mcp", Open: follow, HTTPClient: p.client}
}

func follow(ctx context.Context, page string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func (p *provider) serveRegister(w http.ResponseWriter, r *http.Request) {
	if p.register != nil && p.register(w) {
		return
	}
	var asked struct {
		Scope string `json:"scope"`
	}
	_ = json.NewDecoder(r.Body).Decode(&asked)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.registered = strings.Fields(asked.Scope)
	answer(w, http.StatusCreated, map[string]string{"client_id": "a client"})
}

// serveAuthorize refuses short states, and scopes that the client has not registered.
func (p *provider) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := r.URL.Query()
	p.asked = append(p.asked, asked)
	response := url.Values{}
	unregistered := func(scope string) bool { return !slices.Contains(p.registered, scope) }
	switch {
	case p.authorize != nil && p.authorize(asked) != nil:
		response = p.authorize(asked)
	case len(asked.Get("state")) < 32:
		response.Set("error", "invalid_request")
	case slices.ContainsFunc(strings.Fields(asked.Get("scope")), unregistered):
		response.Set("error", "invalid_scope")
	default:
		p.serial++
		code := fmt.Sprint("code-", p.serial)
		p.codes[code] = asked
		response.Set("code", code)
	}
	response.Set("state", asked.Get("state"))
	http.Redirect(w, r, asked.Get("redirect_uri")+"?"+response.Encode(), http.StatusFound)
}

func (p *provider) serveToken(w http.ResponseWriter, r *http.Request) {
	if p.token != nil && p.token(w) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	asked, found := p.codes[r.PostFormValue("code")]
	p.basic = append(p.basic, r.Header.Get("Authorization"))
	p.forms = append(p.forms, r.PostForm)
	if r.PostFormValue("grant_type") == "refresh_token" {
		asked, found = p.refreshes[r.PostFormValue("refresh_token")]
	}
	if !found {
		answer(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		return
	}
	p.serial++
	scope := asked.Get("scope")
	if narrower := r.PostFormValue("scope"); narrower != "" {
		scope = narrower
	}
	audience := r.PostFormValue("resource")
	if p.ignoresTarget {
		audience = p.url + "/mcp"
	}
	expiresIn := p.expiresIn
	if expiresIn == 0 {
		expiresIn = 3600
	}
	payload, _ := json.Marshal(map[string]any{"aud": audience, "sub": "someone", "jti": p.serial, "scope": scope})
	made := map[string]any{
		"access_token": "e30." + base64.RawURLEncoding.EncodeToString(payload) + ".AAAA",
		"token_type":   "Bearer",
		"expires_in":   expiresIn,
		"scope":        scope,
	}
	if strings.Contains(asked.Get("scope"), "openid") {
		made["id_token"] = "an ID token"
	}
	if !p.noRefresh {
		refresh := fmt.Sprint("refresh-", p.serial)
		p.refreshes[refresh] = asked
		made["refresh_token"] = refresh
	}
	answer(w, http.StatusOK, made)
}

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

// claims returns the claims of a token of the provider.
func claims(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3, token)
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	var found map[string]any
	require.NoError(t, json.Unmarshal(text, &found))
	return found
}
