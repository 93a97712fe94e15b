package server_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/useragent"
	"mcpentra/server"
	"mcpentra/server/broker"
	"mcpentra/server/entra"
)

// This file holds the environment of the package's tests:
//
//   - newEnv and newDirectEnv start a server with a fake Entra ID behind it. Methods of env send
//     requests, sign people in and mint tokens.
//   - startServer starts a server as the program does, with its timeouts and with HTTP/2.
//   - registration, apiDirectory and direct configure the fake and the server for each mode.
//
// Handlers to put behind the guard are in backend_test.go, targets of the checks in target_test.go.

// Messages that clients send.
const (
	callUserName = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_user_name","arguments":{}}}`
	callWhoami   = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami","arguments":{}}}`
	initialize   = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",` +
		`"capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`
)

// alexName is the fake's second user. The first is Adele Vance.
const alexName = "AlexW@contoso.onmicrosoft.com"

// env is a server on a real socket, and the fake Entra ID behind it.
type env struct {
	t       *testing.T
	fake    *fakeentra.Server
	server  *server.Server
	origin  string
	browser useragent.Browser
	client  *http.Client
}

// newEnv starts a server in broker mode. The function edit may change its configuration; it may be
// nil.
func newEnv(t *testing.T, edit func(*server.Config)) *env {
	t.Helper()
	fake := fakeentra.NewServer(fakeentra.Config{})
	t.Cleanup(fake.Close)
	return newEnvOf(t, fake, edit)
}

// newDirectEnv starts a server in direct mode for the API of apiDirectory.
func newDirectEnv(t *testing.T, edit func(*server.Config)) *env {
	t.Helper()
	fake := fakeentra.NewServer(fakeentra.Config{Directory: apiDirectory()})
	t.Cleanup(fake.Close)
	return newEnvOf(t, fake, func(config *server.Config) {
		direct(fake)(config)
		if edit != nil {
			edit(config)
		}
	})
}

// newEnvOf starts a server in front of a given fake, in broker mode unless edit says otherwise.
func newEnvOf(t *testing.T, fake *fakeentra.Server, edit func(*server.Config)) *env {
	t.Helper()
	s := &env{t: t, fake: fake}
	listening := httptest.NewUnstartedServer(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.server.ServeHTTP(w, r) }),
	)
	s.origin = localhostOf(listening)
	config := server.Config{PublicURL: s.origin, Entra: registration(fake)}
	if edit != nil {
		edit(&config)
	}
	var err error
	s.server, err = server.New(t.Context(), config)
	require.NoError(t, err)
	listening.Start()
	t.Cleanup(listening.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	s.client = &http.Client{Transport: transport}
	return s
}

// localhostOf returns the origin of a listener by the name localhost. The fake is at 127.0.0.1,
// which is another site for browsers.
func localhostOf(listening *httptest.Server) string {
	return "http://" + strings.Replace(listening.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
}

// registration returns the fake's app for sign-ins.
func registration(fake *fakeentra.Server) entra.Config {
	tenant := fake.Tenant()
	return entra.Config{
		Authority:           fake.URL,
		TenantID:            tenant.ID,
		ClientID:            tenant.Apps[0].ID,
		ClientSecret:        tenant.Apps[0].Secrets[0],
		HTTPClient:          fake.Client(),
		TrustPublicFakeKeys: true,
	}
}

const apiSecret = "secret of the api"

// apiDirectory returns a directory whose API may act on behalf of people and has an app role.
func apiDirectory() directory.Directory {
	all := directory.Default()
	api := &all.Tenants[0].Apps[1]
	api.Secrets = []string{apiSecret}
	api.Consented = []string{"User.Read"}
	api.Roles = []directory.Role{{Value: "Tool.Call"}}
	return all
}

// direct returns a function that turns a configuration into direct mode for the API of
// apiDirectory.
func direct(fake *fakeentra.Server) func(*server.Config) {
	return func(config *server.Config) {
		config.Entra = entra.Config{
			Authority:           fake.URL,
			TenantID:            directory.DefaultTenantID,
			ClientID:            directory.DefaultAPIID,
			ClientSecret:        apiSecret,
			HTTPClient:          fake.Client(),
			TrustPublicFakeKeys: true,
		}
		config.Direct = &server.Direct{AppRoles: []string{"Tool.Call"}}
		config.Scopes = []broker.Scope{{Name: "tool.read", Upstream: []string{"User.Read"}}}
	}
}

// mint returns an access token of the fake.
func (s *env) mint(want fakeentra.Token) string {
	s.t.Helper()
	raw, err := s.fake.Mint(want)
	require.NoError(s.t, err)
	return raw
}

// send sends a request with pairs of header names and values. It returns status, header and body of
// the answer.
func (s *env) send(method, address, body string, headers ...string) (int, http.Header, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, address, strings.NewReader(body))
	require.NoError(s.t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := s.client.Do(r)
	require.NoError(s.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	return resp.StatusCode, resp.Header, string(text)
}

// call sends an MCP request of 2025-11-25, with a token unless it is empty, and with more headers.
func (s *env) call(token, body string, headers ...string) (int, http.Header, string) {
	s.t.Helper()
	headers = append([]string{
		"Content-Type", "application/json",
		"Accept", "application/json, text/event-stream",
		"MCP-Protocol-Version", "2025-11-25",
	}, headers...)
	if token != "" {
		headers = append(headers, "Authorization", "Bearer "+token)
	}
	return s.send(http.MethodPost, s.server.Resource(), body, headers...)
}

// postForm sends a form.
func (s *env) postForm(address string, form url.Values) (int, http.Header, string) {
	s.t.Helper()
	return s.send(http.MethodPost, address, form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

// document reads a JSON document that needs no token.
func (s *env) document(address string) map[string]any {
	s.t.Helper()
	status, _, body := s.send(http.MethodGet, address, "")
	require.Equal(s.t, http.StatusOK, status, address)
	var read map[string]any
	require.NoError(s.t, json.Unmarshal([]byte(body), &read))
	return read
}

// signIn goes the whole way from the 401 to the token, as a client that knows only the endpoint's
// address.
func (s *env) signIn() (clientID string, tokens map[string]any) {
	s.t.Helper()
	status, header, _ := s.call("", callUserName)
	require.Equal(s.t, http.StatusUnauthorized, status)
	match := regexp.MustCompile(`resource_metadata="([^"]+)"`).FindStringSubmatch(header.Get("WWW-Authenticate"))
	require.NotNil(s.t, match, header.Get("WWW-Authenticate"))
	resource := s.document(match[1])
	require.Equal(s.t, s.server.Resource(), resource["resource"])
	issuer := resource["authorization_servers"].([]any)[0].(string)
	metadata := s.document(issuer + "/.well-known/oauth-authorization-server")
	require.Equal(s.t, issuer, metadata["issuer"])

	answers := make(chan url.Values, 1)
	callback := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/callback" {
			answers <- r.URL.Query()
		}
	}))
	defer callback.Close()
	redirect := callback.URL + "/callback"
	clientID = s.register(metadata["registration_endpoint"].(string), redirect)

	verifier := strings.Repeat("v", 50)
	sum := sha256.Sum256([]byte(verifier))
	page, err := s.browser.Visit(s.t.Context(), metadata["authorization_endpoint"].(string)+"?"+url.Values{
		"response_type":         {"code"},
		"client_id":             {clientID},
		"redirect_uri":          {redirect},
		"state":                 {"st"},
		"resource":              {s.server.Resource()},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(sum[:])},
		"code_challenge_method": {"S256"},
	}.Encode())
	require.NoError(s.t, err)
	require.Equal(s.t, http.StatusOK, page.Status, page.Text)
	answer := <-answers
	require.Equal(s.t, "st", answer.Get("state"))
	require.Equal(s.t, issuer, answer.Get("iss"))
	require.NotEmpty(s.t, answer.Get("code"), answer)

	status, _, body := s.postForm(metadata["token_endpoint"].(string), url.Values{
		"grant_type":    {"authorization_code"},
		"client_id":     {clientID},
		"code":          {answer.Get("code")},
		"redirect_uri":  {redirect},
		"code_verifier": {verifier},
		"resource":      {s.server.Resource()},
	})
	require.Equal(s.t, http.StatusOK, status, body)
	require.NoError(s.t, json.Unmarshal([]byte(body), &tokens))
	return clientID, tokens
}

// register registers a public client and returns its ID.
func (s *env) register(endpoint, redirect string) string {
	s.t.Helper()
	form := fmt.Sprintf(
		`{"redirect_uris":[%q],"client_name":"flow test","token_endpoint_auth_method":"none"}`, redirect)
	status, _, body := s.send(http.MethodPost, endpoint, form, "Content-Type", "application/json")
	require.Equal(s.t, http.StatusCreated, status, body)
	var registered struct {
		ID string `json:"client_id"`
	}
	require.NoError(s.t, json.Unmarshal([]byte(body), &registered))
	return registered.ID
}

// profile asks the fake's Graph for the person of a Graph token.
func (s *env) profile(ctx context.Context, graph string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.fake.GraphURL()+"/v1.0/me", nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+graph)
	resp, err := s.fake.Client().Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("graph answered %d", resp.StatusCode)
	}
	return string(text), err
}

// startServer starts a fake Entra ID and a server in front of it, and returns the server's origin.
// The server has the program's timeouts, but shorter, and speaks HTTP/2.
func startServer(t testing.TB, change func(*server.Config)) string {
	t.Helper()
	origin, err := tryServer(t, change)
	require.NoError(t, err)
	return origin
}

// tryServer is startServer for a configuration that may be refused.
func tryServer(t testing.TB, change func(*server.Config)) (string, error) {
	t.Helper()
	listening := httptest.NewUnstartedServer(nil)
	origin := localhostOf(listening)
	config := configFor(t, origin)
	config.BodyTimeout = 5 * time.Second
	config.AnswerTimeout = 5 * time.Second
	if change != nil {
		change(&config)
	}
	made, err := server.New(t.Context(), config)
	if err != nil {
		listening.Close()
		return "", err
	}
	listening.Config.Handler = made
	listening.Config.ReadHeaderTimeout = config.BodyTimeout * 4 / 5
	listening.Config.ReadTimeout = config.BodyTimeout
	listening.Config.IdleTimeout = 2 * time.Minute // as the program's
	listening.Config.Protocols = &http.Protocols{}
	listening.Config.Protocols.SetHTTP1(true)
	listening.Config.Protocols.SetUnencryptedHTTP2(true) // as behind a proxy that speaks it
	listening.Listener = server.NewListener(listening.Listener, config.AnswerTimeout)
	listening.Start()
	t.Cleanup(listening.Close)
	return origin, nil
}

// noName resolves no host of a client document.
func noName(_ context.Context, host string) ([]netip.Addr, error) {
	return nil, fmt.Errorf("no host %s in this test", host)
}

// configFor starts a fake Entra ID and returns a configuration of a server in front of it.
func configFor(t testing.TB, origin string) server.Config {
	t.Helper()
	fake := fakeentra.NewServer(fakeentra.Config{})
	t.Cleanup(fake.Close)
	return server.Config{
		PublicURL:              origin,
		RegistrationsPerMinute: -1,
		HTTPClient:             fake.Client(),
		Entra:                  registration(fake),
		Clients:                broker.ClientPolicy{Documents: broker.DocumentPolicy{Lookup: noName}},
	}
}

// visit opens a page as a person who approves everything.
func visit(ctx context.Context, page string) error {
	_, err := (&useragent.Browser{}).Visit(ctx, page)
	return err
}

// visitAs returns a function like visit for a person with a browser of their own.
func visitAs(person *useragent.Browser) func(context.Context, string) error {
	return func(ctx context.Context, page string) error {
		_, err := person.Visit(ctx, page)
		return err
	}
}

// safeBuffer is a bytes.Buffer for several goroutines.
type safeBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
