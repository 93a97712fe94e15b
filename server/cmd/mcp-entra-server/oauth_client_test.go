package main_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/useragent"
)

// An oauthClient is a public client of a server, which sends each request itself.
type oauthClient struct {
	origin  string // the server's public URL
	http    *http.Client
	address string // sends requests there instead of to the public URL, if set
	id      string
}

// An answer is a response of the token endpoint.
type answer struct {
	Status       int
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	Error        string `json:"error"`
}

const redirect = "http://127.0.0.1/callback"

// at returns the client for requests that go to one replica.
func (c oauthClient) at(address string) oauthClient {
	c.address = address
	return c
}

// send sends a request to a path and returns status and body of the answer.
func (c oauthClient) send(ctx context.Context, path, body string, headers ...string) (int, []byte, error) {
	target := c.origin
	if c.address != "" {
		target = c.address
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Host = strings.TrimPrefix(c.origin, "http://")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.http.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, text, err
}

// register registers the client.
func (c *oauthClient) register(t testing.TB) {
	t.Helper()
	body := fmt.Sprintf(`{"redirect_uris":[%q],"client_name":"t","token_endpoint_auth_method":"none"}`, redirect)
	status, text, err := c.send(t.Context(), "/register", body, "Content-Type", "application/json")
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, status, "%s", text)
	var registered struct {
		ID string `json:"client_id"`
	}
	require.NoError(t, json.Unmarshal(text, &registered))
	c.id = registered.ID
}

var verifier = strings.Repeat("v", 50)

// authorize signs a person in. It returns the code and the redirect URI.
func (c oauthClient) authorize(ctx context.Context, person *useragent.Browser) (code, redirect string, err error) {
	codes := make(chan string, 1)
	callback := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if code := r.FormValue("code"); code != "" {
			codes <- code
		}
	}))
	defer callback.Close()
	redirect = callback.URL + "/callback"
	sum := sha256.Sum256([]byte(verifier))
	page, err := person.Visit(ctx, c.origin+"/authorize?"+url.Values{
		"response_type":         {"code"},
		"client_id":             {c.id},
		"redirect_uri":          {redirect},
		"state":                 {"st"},
		"resource":              {c.origin + "/mcp"},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(sum[:])},
		"code_challenge_method": {"S256"},
	}.Encode())
	if err != nil {
		return "", "", err
	}
	select {
	case code = <-codes:
		return code, redirect, nil
	default:
		return "", "", fmt.Errorf("the sign-in ended with status %d: %s", page.Status, page.Text)
	}
}

// post sends a form.
func (c oauthClient) post(ctx context.Context, path string, form url.Values) (got answer, err error) {
	form.Set("client_id", c.id)
	status, text, err := c.send(ctx, path, form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	if err != nil {
		return answer{}, err
	}
	_ = json.Unmarshal(text, &got) // an answer without JSON has only a status
	got.Status = status
	return got, nil
}

// redeem exchanges a code of authorize for tokens.
func (c oauthClient) redeem(ctx context.Context, code, redirect string) (answer, error) {
	return c.post(ctx, "/token", url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code},
		"redirect_uri":  {redirect},
		"code_verifier": {verifier},
		"resource":      {c.origin + "/mcp"},
	})
}

// refresh exchanges a refresh token for tokens.
func (c oauthClient) refresh(ctx context.Context, token string) (answer, error) {
	return c.post(ctx, "/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// revoke revokes a token.
func (c oauthClient) revoke(ctx context.Context, token string) (answer, error) {
	return c.post(ctx, "/revoke", url.Values{"token": {token}})
}

// call calls the tool whoami, and returns the status.
func (c oauthClient) call(ctx context.Context, token string) (int, error) {
	status, _, err := c.send(ctx, "/mcp",
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami","arguments":{}}}`,
		"Content-Type", "application/json", "Accept", "application/json, text/event-stream",
		"MCP-Protocol-Version", "2025-11-25", "Authorization", "Bearer "+token)
	return status, err
}
