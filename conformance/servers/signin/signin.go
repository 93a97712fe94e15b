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

// SignIn gets a good token in the way that any client does: it reads the metadata, registers, sends
// a person to the authorization page, and redeems the code. It is not a check, and believes more
// than a client should; what it trusts is judged by the checks.
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

const maxDocument = 1 << 20

// Token takes a person through the sign-in.
func (s *SignIn) Token(ctx context.Context) (string, error) {
	timeout := s.Timeout
	if timeout == 0 {
		timeout = 5 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var resource struct {
		Resource             string   `json:"resource"`
		AuthorizationServers []string `json:"authorization_servers"`
		Scopes               []string `json:"scopes_supported"`
	}
	endpoint, err := url.Parse(s.URL)
	if err != nil {
		return "", fmt.Errorf("sign-in: %w", err)
	}
	if err := s.get(
		ctx,
		endpoint.Scheme+"://"+endpoint.Host+"/.well-known/oauth-protected-resource"+endpoint.EscapedPath(),
		&resource,
	); err != nil {
		return "", err
	}
	if len(resource.AuthorizationServers) == 0 {
		return "", errors.New("sign-in: the metadata names no authorization server")
	}
	var issuer struct {
		Authorization string `json:"authorization_endpoint"`
		Token         string `json:"token_endpoint"`
		Registration  string `json:"registration_endpoint"`
	}
	named, err := url.Parse(resource.AuthorizationServers[0])
	if err != nil {
		return "", fmt.Errorf("sign-in: %w", err)
	}
	if err := s.get(
		ctx,
		named.Scheme+"://"+named.Host+"/.well-known/oauth-authorization-server"+strings.TrimSuffix(
			named.EscapedPath(),
			"/",
		),
		&issuer,
	); err != nil {
		return "", err
	}
	if issuer.Registration == "" {
		return "", errors.New("sign-in: the authorization server registers nobody; give a token with --token-file")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("sign-in: %w", err)
	}
	defer listener.Close()
	config := &oauth2.Config{
		RedirectURL: "http://" + listener.Addr().String() + "/callback",
		Scopes:      resource.Scopes,
		Endpoint: oauth2.Endpoint{
			AuthURL:   issuer.Authorization,
			TokenURL:  issuer.Token,
			AuthStyle: oauth2.AuthStyleInParams,
		},
	}
	if config.ClientID, err = s.register(ctx, issuer.Registration, config.RedirectURL); err != nil {
		return "", err
	}
	state := rand.Text()
	verifier := oauth2.GenerateVerifier()
	indicator := oauth2.SetAuthURLParam("resource", resource.Resource)
	code, err := s.await(
		ctx,
		listener,
		state,
		config.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier), indicator),
	)
	if err != nil {
		return "", err
	}
	issued, err := config.Exchange(
		context.WithValue(ctx, oauth2.HTTPClient, s.client()),
		code,
		oauth2.VerifierOption(verifier),
		indicator,
	)
	if err != nil {
		return "", fmt.Errorf("sign-in: %w", err)
	}
	return issued.AccessToken, nil
}

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
	var answer struct {
		ID string `json:"client_id"`
	}
	if err := s.do(request, http.StatusCreated, &answer); err != nil {
		return "", err
	}
	return answer.ID, nil
}

// await opens the page and waits for the answer on loopback.
func (s *SignIn) await(ctx context.Context, listener net.Listener, state, page string) (string, error) {
	type answer struct {
		code string
		err  error
	}
	answers := make(chan answer, 1)
	server := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			query := r.URL.Query()
			if r.URL.Path != "/callback" || subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(state)) != 1 {
				http.Error(w, "This is not the answer that is waited for.", http.StatusBadRequest)
				return
			}
			got := answer{code: query.Get("code")}
			if got.code == "" {
				got.err = fmt.Errorf("sign-in: the authorization server says %q", query.Get("error"))
			}
			select {
			case answers <- got:
			default:
			}
			_, _ = io.WriteString(w, "The checks go on. You can close this window.\n")
		}),
	}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	opened := make(chan error, 1)
	go func() { opened <- s.Open(ctx, page) }()
	for {
		select {
		case got := <-answers:
			return got.code, got.err
		case err := <-opened:
			if err != nil {
				return "", fmt.Errorf("sign-in: %w", err)
			}
			opened = nil // the browser has ended; its answer may still be under way
		case <-ctx.Done():
			return "", fmt.Errorf("sign-in: no answer from the browser: %w", ctx.Err())
		}
	}
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
