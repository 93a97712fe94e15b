// Fosite is an authorization server on ory/fosite with its memory store. The sign-in, the
// registration of clients and the metadata are this program's own.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"html/template"
	"log"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/storage"
	"golang.org/x/crypto/bcrypt"
)

// A store is fosite's memory store, with clients that register.
type store struct {
	*storage.MemoryStore

	mu      sync.Mutex
	clients map[string]fosite.Client
}

// GetClient implements fosite.ClientManager.
func (s *store) GetClient(_ context.Context, id string) (fosite.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if client := s.clients[id]; client != nil {
		return client, nil
	}
	return nil, fosite.ErrNotFound
}

func (s *store) add(client fosite.Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients[client.GetID()] = client
}

// InvalidateAuthorizeCodeSession invalidates a code once, as a transaction of a database does. The
// memory store has no transactions, and the outcome of a race would change from run to run.
func (s *store) InvalidateAuthorizeCodeSession(ctx context.Context, code string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.GetAuthorizeCodeSession(ctx, code, nil); err != nil {
		return err
	}
	return s.MemoryStore.InvalidateAuthorizeCodeSession(ctx, code)
}

// A server is the authorization server.
type server struct {
	issuer   string
	store    *store
	provider fosite.OAuth2Provider
}

// scopes that clients can get.
var scopes = []string{"mcp:tools", "mcp:admin"}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	config := &fosite.Config{
		GlobalSecret:               []byte(rand.Text() + rand.Text())[:32],
		ScopeStrategy:              fosite.ExactScopeStrategy,
		RefreshTokenScopes:         []string{},
		EnforcePKCE:                true,
		AccessTokenLifespan:        10 * time.Minute,
		SendDebugMessagesToClients: false,
	}
	s := &server{
		issuer: "http://" + listener.Addr().String(),
		store:  &store{MemoryStore: storage.NewMemoryStore(), clients: map[string]fosite.Client{}},
	}
	s.provider = compose.Compose(
		config,
		s.store,
		&compose.CommonStrategy{CoreStrategy: compose.NewOAuth2HMACStrategy(config)},
		compose.OAuth2AuthorizeExplicitFactory,
		compose.OAuth2RefreshTokenGrantFactory,
		compose.OAuth2PKCEFactory,
		compose.OAuth2TokenIntrospectionFactory,
		compose.OAuth2TokenRevocationFactory,
	)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", s.serveMetadata)
	mux.HandleFunc("POST /register", s.serveRegistration)
	mux.HandleFunc("/authorize", s.serveAuthorize)
	mux.HandleFunc("/token", s.serveToken)
	mux.HandleFunc("/introspect", s.serveIntrospection)
	mux.HandleFunc("/revoke", s.serveRevocation)
	fmt.Println("listening on " + s.issuer)
	log.Fatal(http.Serve(listener, mux))
}

func write(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

func (s *server) serveMetadata(w http.ResponseWriter, _ *http.Request) {
	write(w, http.StatusOK, map[string]any{
		"issuer":                                s.issuer,
		"authorization_endpoint":                s.issuer + "/authorize",
		"token_endpoint":                        s.issuer + "/token",
		"registration_endpoint":                 s.issuer + "/register",
		"introspection_endpoint":                s.issuer + "/introspect",
		"revocation_endpoint":                   s.issuer + "/revoke",
		"scopes_supported":                      scopes,
		"response_types_supported":              []string{"code"},
		"grant_types_supported":                 []string{"authorization_code", "refresh_token"},
		"token_endpoint_auth_methods_supported": []string{"none", "client_secret_basic", "client_secret_post"},
		"code_challenge_methods_supported":      []string{"S256"},
	})
}

// A registration is the metadata of a client.
type registration struct {
	Redirects []string `json:"redirect_uris"`
	Method    string   `json:"token_endpoint_auth_method"`
}

// serveRegistration registers a client, whose redirect URIs are https or on loopback.
func (s *server) serveRegistration(w http.ResponseWriter, r *http.Request) {
	asked := registration{Method: "client_secret_basic"}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&asked); err != nil {
		write(w, http.StatusBadRequest, map[string]string{"error": "invalid_client_metadata"})
		return
	}
	isUsable := func(redirect string) bool {
		parsed, err := url.Parse(redirect)
		isLoopback := err == nil && parsed.Scheme == "http" && parsed.Hostname() == "127.0.0.1"
		return err == nil && parsed.Fragment == "" && (isLoopback || parsed.Scheme == "https")
	}
	isBroken := func(redirect string) bool { return !isUsable(redirect) }
	if len(asked.Redirects) == 0 || slices.ContainsFunc(asked.Redirects, isBroken) {
		write(w, http.StatusBadRequest, map[string]string{"error": "invalid_redirect_uri"})
		return
	}
	answer := map[string]any{
		"client_id":                  rand.Text(),
		"redirect_uris":              asked.Redirects,
		"token_endpoint_auth_method": asked.Method,
	}
	client := &fosite.DefaultOpenIDConnectClient{
		DefaultClient: &fosite.DefaultClient{
			ID:            answer["client_id"].(string),
			RedirectURIs:  asked.Redirects,
			GrantTypes:    []string{"authorization_code", "refresh_token"},
			ResponseTypes: []string{"code"},
			Scopes:        scopes,
			Public:        asked.Method == "none",
		},
		TokenEndpointAuthMethod: asked.Method,
	}
	if !client.Public {
		secret := rand.Text()
		answer["client_secret"] = secret
		answer["client_secret_expires_at"] = 0
		client.Secret, _ = bcrypt.GenerateFromPassword([]byte(secret), bcrypt.MinCost)
	}
	s.store.add(client)
	write(w, http.StatusCreated, answer)
}

// page asks for the password and for consent.
var page = template.Must(template.New("page").Parse(`<!doctype html>
<title>Sign in</title>
<p>{{.Client}} wants {{.Scopes}}. The answer goes to {{.Host}}.</p>
<form method="post">
<input name="username"><input name="password" type="password">
<button name="answer" value="allow">Allow</button><button name="answer" value="deny">Deny</button>
</form>`))

// serveAuthorize shows the page, and answers its form.
func (s *server) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	// fosite must not take the form of the page for an authorization request.
	_ = r.ParseForm()
	form := r.PostForm
	asked := r.Clone(ctx)
	asked.Method = http.MethodGet
	asked.Form = nil
	asked.PostForm = nil
	request, err := s.provider.NewAuthorizeRequest(ctx, asked)
	if err != nil {
		s.provider.WriteAuthorizeError(ctx, w, request, err)
		return
	}
	switch {
	case r.Method != http.MethodPost:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		_ = page.Execute(w, map[string]any{
			"Client": request.GetClient().GetID(),
			"Scopes": request.GetRequestedScopes(),
			"Host":   request.GetRedirectURI().Host,
		})
		return
	case form.Get("answer") != "allow":
		s.provider.WriteAuthorizeError(ctx, w, request, fosite.ErrAccessDenied)
		return
	case form.Get("username") != "ada" || form.Get("password") != "any":
		http.Error(w, "The name or the password is wrong.", http.StatusForbidden)
		return
	}
	for _, scope := range request.GetRequestedScopes() {
		request.GrantScope(scope)
	}
	response, err := s.provider.NewAuthorizeResponse(ctx, request, &fosite.DefaultSession{Subject: "ada"})
	if err != nil {
		s.provider.WriteAuthorizeError(ctx, w, request, err)
		return
	}
	s.provider.WriteAuthorizeResponse(ctx, w, request, response)
}

func (s *server) serveToken(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	request, err := s.provider.NewAccessRequest(ctx, r, &fosite.DefaultSession{})
	if err != nil {
		s.provider.WriteAccessError(ctx, w, request, err)
		return
	}
	response, err := s.provider.NewAccessResponse(ctx, request)
	if err != nil {
		s.provider.WriteAccessError(ctx, w, request, err)
		return
	}
	s.provider.WriteAccessResponse(ctx, w, request, response)
}

func (s *server) serveIntrospection(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	response, err := s.provider.NewIntrospectionRequest(ctx, r, &fosite.DefaultSession{})
	if err != nil {
		s.provider.WriteIntrospectionError(ctx, w, err)
		return
	}
	s.provider.WriteIntrospectionResponse(ctx, w, response)
}

func (s *server) serveRevocation(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	s.provider.WriteRevocationResponse(ctx, w, s.provider.NewRevocationRequest(ctx, r))
}
