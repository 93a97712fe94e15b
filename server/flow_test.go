package server_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/useragent"
	"mcpentra/server"
	"mcpentra/server/entra"
	"mcpentra/server/guard"
)

// A site is a server over a real socket, in front of a fake.
type site struct {
	t       *testing.T
	fake    *fakeentra.Server
	server  *server.Server
	origin  string
	browser useragent.Browser
	client  *http.Client
}

func newSite(t *testing.T, edit func(*server.Config)) *site {
	s := &site{t: t, fake: fakeentra.NewServer(fakeentra.Config{})}
	t.Cleanup(s.fake.Close)
	listening := httptest.NewUnstartedServer(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.server.ServeHTTP(w, r) }),
	)
	_, port, err := net.SplitHostPort(listening.Listener.Addr().String())
	require.NoError(t, err)
	s.origin = "http://localhost:" + port
	config := server.Config{PublicURL: s.origin, Entra: registration(s.fake)}
	if edit != nil {
		edit(&config)
	}
	s.server, err = server.New(t.Context(), config)
	require.NoError(t, err)
	listening.Start()
	t.Cleanup(listening.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	s.client = &http.Client{Transport: transport}
	return s
}

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

// send returns status, header and body of an answer.
func (s *site) send(method, address, body string, headers ...string) (int, http.Header, string) {
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

// call sends an MCP request of 2025-11-25, with a token unless it is empty.
func (s *site) call(token, body string) (int, http.Header, string) {
	headers := []string{
		"Content-Type",
		"application/json",
		"Accept",
		"application/json, text/event-stream",
		"MCP-Protocol-Version",
		"2025-11-25",
	}
	if token != "" {
		headers = append(headers, "Authorization", "Bearer "+token)
	}
	return s.send(http.MethodPost, s.server.Resource(), body, headers...)
}

const callUserName = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_user_name","arguments":{}}}`

// document reads a JSON document that needs no token.
func (s *site) document(address string) map[string]any {
	status, _, body := s.send(http.MethodGet, address, "")
	require.Equal(s.t, http.StatusOK, status, address)
	var read map[string]any
	require.NoError(s.t, json.Unmarshal([]byte(body), &read))
	return read
}

// signIn goes the way from the 401 to the token, with nothing known but the endpoint's address.
func (s *site) signIn() (clientID string, tokens map[string]any) {
	status, header, _ := s.call("", callUserName)
	require.Equal(s.t, http.StatusUnauthorized, status)
	match := regexp.MustCompile(`resource_metadata="([^"]+)"`).FindStringSubmatch(header.Get("WWW-Authenticate"))
	require.NotNil(s.t, match, header.Get("WWW-Authenticate"))
	resource := s.document(match[1])
	require.Equal(s.t, s.server.Resource(), resource["resource"])
	issuer := resource["authorization_servers"].([]any)[0].(string)
	issuing := s.document(issuer + "/.well-known/oauth-authorization-server")
	require.Equal(s.t, issuer, issuing["issuer"])

	answers := make(chan url.Values, 1)
	callback := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/callback" {
			answers <- r.URL.Query()
		}
	}))
	defer callback.Close()
	redirect := callback.URL + "/callback"
	status, _, body := s.send(
		http.MethodPost,
		issuing["registration_endpoint"].(string),
		fmt.Sprintf(
			`{"redirect_uris":[%q],"client_name":"flow test","token_endpoint_auth_method":"none"}`,
			redirect,
		),
		"Content-Type",
		"application/json",
	)
	require.Equal(s.t, http.StatusCreated, status, body)
	var registered struct {
		ID string `json:"client_id"`
	}
	require.NoError(s.t, json.Unmarshal([]byte(body), &registered))

	verifier := strings.Repeat("v", 50)
	sum := sha256.Sum256([]byte(verifier))
	page, err := s.browser.Visit(s.t.Context(), issuing["authorization_endpoint"].(string)+"?"+url.Values{
		"response_type":         {"code"},
		"client_id":             {registered.ID},
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

	status, _, body = s.send(http.MethodPost, issuing["token_endpoint"].(string), url.Values{
		"grant_type":    {"authorization_code"},
		"client_id":     {registered.ID},
		"code":          {answer.Get("code")},
		"redirect_uri":  {redirect},
		"code_verifier": {verifier},
		"resource":      {s.server.Resource()},
	}.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	require.Equal(s.t, http.StatusOK, status, body)
	require.NoError(s.t, json.Unmarshal([]byte(body), &tokens))
	return registered.ID, tokens
}

func TestFromChallengeToToolCall(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	clientID, tokens := s.signIn()
	access := tokens["access_token"].(string)
	status, _, body := s.call(access, callUserName)
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, "User name is Adele Vance")
	status, _, body = s.call(access, strings.Replace(callUserName, "get_user_name", "whoami", 1))
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, s.fake.Tenant().Users[0].ID)

	status, _, _ = s.send(
		http.MethodPost,
		s.origin+"/revoke",
		url.Values{"client_id": {clientID}, "token": {tokens["refresh_token"].(string)}}.Encode(),
		"Content-Type",
		"application/x-www-form-urlencoded",
	)
	assert.Equal(t, http.StatusOK, status)
	status, header, _ := s.call(access, callUserName)
	assert.Equal(t, http.StatusUnauthorized, status, "what was revoked is over at once")
	assert.Contains(t, header.Get("WWW-Authenticate"), `error="invalid_token"`)
}

func TestOwnHandlerBehindTheGuard(t *testing.T) {
	t.Parallel()
	var s *site
	s = newSite(t, func(config *server.Config) {
		config.MCP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			caller, _ := guard.FromContext(r.Context())
			graph, err := s.server.GraphToken(r.Context())
			if err == nil {
				_, err = s.profile(r.Context(), graph)
			}
			fmt.Fprintf(w, "%s, %v, %q", caller.Name, err, r.Header.Get("Authorization"))
		})
	})
	_, tokens := s.signIn()
	status, _, body := s.call(tokens["access_token"].(string), `{"jsonrpc":"2.0","id":1,"method":"ping"}`)
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, `Adele Vance, <nil>, ""`, body)
}

// profile asks the fake's Graph with a token that a handler got.
func (s *site) profile(ctx context.Context, graph string) (string, error) {
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
