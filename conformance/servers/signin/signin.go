package signin

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// SignIn gets a good token as any client does. It is not a check: it trusts more than a client
// should, and leaves the judgement to the checks.
type SignIn struct {
	// URL of the MCP endpoint.
	URL string
	// Open shows the authorization page to a person. Required. Its error ends the sign-in.
	Open func(ctx context.Context, page string) error
	// HTTPClient sends the requests. Nil means a plain one.
	HTTPClient *http.Client
	// Timeout is how long a person may take. Zero means five minutes.
	Timeout time.Duration
}

// maxDocument bounds a document of the server, in bytes.
const maxDocument = 1 << 20

// protectedResource is the metadata of the MCP server (RFC 9728).
type protectedResource struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers"`
	Scopes               []string `json:"scopes_supported"`
}

// issuerMetadata is the metadata of the authorization server (RFC 8414).
type issuerMetadata struct {
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	Registration  string `json:"registration_endpoint"`
}

// Token takes a person through the sign-in, and returns the access token.
func (s *SignIn) Token(ctx context.Context) (string, error) {
	timeout := s.Timeout
	if timeout == 0 {
		timeout = 5 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	resource, issuer, err := s.discover(ctx)
	if err != nil {
		return "", err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("sign-in: %w", err)
	}
	defer listener.Close()
	redirect := "http://" + listener.Addr().String() + "/callback"
	id, err := s.register(ctx, issuer.Registration, redirect)
	if err != nil {
		return "", err
	}
	client := &oauth2.Config{
		ClientID:    id,
		RedirectURL: redirect,
		Scopes:      resource.Scopes,
		Endpoint: oauth2.Endpoint{
			AuthURL:   issuer.Authorization,
			TokenURL:  issuer.Token,
			AuthStyle: oauth2.AuthStyleInParams,
		},
	}
	return s.redeem(ctx, client, listener, resource.Resource)
}

// discover reads the metadata of the server and of its authorization server.
func (s *SignIn) discover(ctx context.Context) (*protectedResource, *issuerMetadata, error) {
	endpoint, err := url.Parse(s.URL)
	if err != nil {
		return nil, nil, fmt.Errorf("sign-in: %w", err)
	}
	resource := &protectedResource{}
	address := wellKnown(endpoint, "oauth-protected-resource", endpoint.EscapedPath())
	if err := s.get(ctx, address, resource); err != nil {
		return nil, nil, err
	}
	if len(resource.AuthorizationServers) == 0 {
		return nil, nil, errors.New("sign-in: the metadata names no authorization server")
	}
	issuer, err := url.Parse(resource.AuthorizationServers[0])
	if err != nil {
		return nil, nil, fmt.Errorf("sign-in: %w", err)
	}
	metadata := &issuerMetadata{}
	address = wellKnown(issuer, "oauth-authorization-server", strings.TrimSuffix(issuer.EscapedPath(), "/"))
	if err := s.get(ctx, address, metadata); err != nil {
		return nil, nil, err
	}
	if metadata.Registration == "" {
		const advice = "the authorization server offers no registration; pass a token with --token-file"
		return nil, nil, errors.New("sign-in: " + advice)
	}
	return resource, metadata, nil
}

func wellKnown(origin *url.URL, name, path string) string {
	return origin.Scheme + "://" + origin.Host + "/.well-known/" + name + path
}

// register registers a public client, and returns its ID.
func (s *SignIn) register(ctx context.Context, endpoint, redirect string) (string, error) {
	text, err := json.Marshal(map[string]any{
		"client_name":                "mcp-auth-conformance",
		"redirect_uris":              []string{redirect},
		"grant_types":                []string{"authorization_code"},
		"response_types":             []string{"code"},
		"token_endpoint_auth_method": "none",
		"application_type":           "native",
	})
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(text))
	if err != nil {
		return "", fmt.Errorf("sign-in: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	var registered struct {
		ID string `json:"client_id"`
	}
	if err := s.do(request, http.StatusCreated, &registered); err != nil {
		return "", err
	}
	return registered.ID, nil
}

// redeem sends a person to the authorization page, and redeems the code.
func (s *SignIn) redeem(
	ctx context.Context, client *oauth2.Config, listener net.Listener, resource string,
) (string, error) {
	state := rand.Text()
	verifier := oauth2.GenerateVerifier()
	indicator := oauth2.SetAuthURLParam("resource", resource)
	page := client.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier), indicator)
	code, err := s.await(ctx, listener, state, page)
	if err != nil {
		return "", err
	}
	withClient := context.WithValue(ctx, oauth2.HTTPClient, s.client())
	issued, err := client.Exchange(withClient, code, oauth2.VerifierOption(verifier), indicator)
	if err != nil {
		return "", fmt.Errorf("sign-in: %w", err)
	}
	return issued.AccessToken, nil
}

// A callback is the authorization response.
type callback struct {
	code string
	err  error
}

// await opens the page, and waits for the authorization response on loopback.
func (s *SignIn) await(ctx context.Context, listener net.Listener, state, page string) (string, error) {
	callbacks := make(chan callback, 1)
	server := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			serveCallback(w, r, state, callbacks)
		}),
	}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	opened := make(chan error, 1)
	go func() { opened <- s.Open(ctx, page) }()
	for {
		select {
		case response := <-callbacks:
			return response.code, response.err
		case err := <-opened:
			if err != nil {
				return "", fmt.Errorf("sign-in: %w", err)
			}
			opened = nil // the browser has ended, but its answer may still arrive
		case <-ctx.Done():
			return "", fmt.Errorf("sign-in: no answer from the browser: %w", ctx.Err())
		}
	}
}

// serveCallback takes the first authorization response with the state.
func serveCallback(w http.ResponseWriter, r *http.Request, state string, callbacks chan<- callback) {
	query := r.URL.Query()
	if r.URL.Path != "/callback" || !isState(query.Get("state"), state) {
		http.Error(w, "This is not the expected answer.", http.StatusBadRequest)
		return
	}
	response := callback{code: query.Get("code")}
	if response.code == "" {
		response.err = fmt.Errorf("sign-in: the authorization server says %q", query.Get("error"))
	}
	select {
	case callbacks <- response:
	default:
	}
	_, _ = io.WriteString(w, "The checks go on. You can close this window.\n")
}

// isState compares in constant time, because the state is a secret.
func isState(value, state string) bool {
	return subtle.ConstantTimeCompare([]byte(value), []byte(state)) == 1
}

func (s *SignIn) get(ctx context.Context, address string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("sign-in: %w", err)
	}
	return s.do(request, http.StatusOK, into)
}

func (s *SignIn) do(request *http.Request, want int, into any) error {
	response, err := s.client().Do(request)
	if err != nil {
		return fmt.Errorf("sign-in: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != want {
		return fmt.Errorf("sign-in: %s answers %d, want %d", request.URL, response.StatusCode, want)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxDocument)).Decode(into); err != nil {
		return fmt.Errorf("sign-in: %s: %w", request.URL, err)
	}
	return nil
}

func (s *SignIn) client() *http.Client {
	if s.HTTPClient != nil {
		return s.HTTPClient
	}
	return &http.Client{Timeout: 30 * time.Second}
}
