package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"mcpentra/fakeentra/useragent"
	running "mcpentra/server/internal/programs"
)

const (
	testVerifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	testChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" // RFC 7636 appendix B
)

// A person has a browser and a client on loopback.
type person struct {
	pair     *running.Pair
	client   *http.Client
	callback *httptest.Server
	clientID string

	mu   sync.Mutex
	code string // the latest one that came to the callback
}

func newPerson(t *testing.T, pair *running.Pair) *person {
	p := &person{pair: pair, client: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(p.client.CloseIdleConnections)
	p.callback = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.code = r.URL.Query().Get("code")
	}))
	t.Cleanup(p.callback.Close)
	return p
}

// answers is the union of the answers of the registration and token endpoints.
type answers struct {
	ClientID string `json:"client_id"`
	Refresh  string `json:"refresh_token"`
	Access   string `json:"access_token"`
}

// post sends a body to the server. An error means that there is no answer.
func (p *person) post(path, contentType, body string) (got answers, status int, err error) {
	answer, err := p.client.Post(p.pair.Origin+path, contentType, strings.NewReader(body))
	if err != nil {
		return got, 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return got, 0, err
	}
	_ = json.Unmarshal(text, &got)
	return got, answer.StatusCode, nil
}

// register registers a client, and returns the status.
func (p *person) register() (int, error) {
	metadata := fmt.Sprintf(`{"redirect_uris":[%q],"token_endpoint_auth_method":"none"}`, p.callback.URL+"/callback")
	got, status, err := p.post("/register", "application/json", metadata)
	p.clientID = got.ClientID
	return status, err
}

// authorizationURL returns the address that begins a sign-in.
func (p *person) authorizationURL() string {
	return p.pair.Origin + "/authorize?" + url.Values{
		"response_type":         {"code"},
		"client_id":             {p.clientID},
		"redirect_uri":          {p.callback.URL + "/callback"},
		"state":                 {"s"},
		"code_challenge":        {testChallenge},
		"code_challenge_method": {"S256"},
		"resource":              {p.pair.Origin + "/mcp"},
	}.Encode()
}

// signIn approves everything, and returns a code. It is empty if the sign-in fails.
func (p *person) signIn(ctx context.Context) string {
	p.mu.Lock()
	p.code = ""
	p.mu.Unlock()
	_, _ = (&useragent.Browser{}).Visit(ctx, p.authorizationURL())
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.code
}

func (p *person) redeem(code string) (answers, int, error) {
	return p.token(url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code},
		"redirect_uri":  {p.callback.URL + "/callback"},
		"code_verifier": {testVerifier},
	})
}

func (p *person) refresh(token string) (answers, int, error) {
	return p.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

func (p *person) token(form url.Values) (answers, int, error) {
	form.Set("client_id", p.clientID)
	return p.post("/token", "application/x-www-form-urlencoded", form.Encode())
}
