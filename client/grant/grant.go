package grant

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Client is what an authorization server knows this program as.
type Client struct {
	ID         string `json:"client_id"`
	Secret     string `json:"client_secret,omitempty"`
	AuthMethod string `json:"token_endpoint_auth_method,omitempty"` // none, client_secret_post or client_secret_basic
}

// Token is what came of a grant.
type Token struct {
	Access  string
	Refresh string    // empty when there is none
	Expiry  time.Time // zero when the server does not say
	Scopes  []string  // those granted; nil when the server does not say, which means those asked for
}

// An Endpoint is a token endpoint and who asks there.
type Endpoint struct {
	URL    string
	Client Client
	// HTTPClient sends the requests. Redirects are not followed. Nil means one with http.DefaultTransport.
	HTTPClient *http.Client
	// Now is the clock that expiry is counted by. Nil means time.Now.
	Now func() time.Time
}

// An Error is a refusal (RFC 6749 section 5.2).
type Error struct {
	Status      int
	Code        string
	Description string
}

func (e *Error) Error() string {
	if e.Description == "" {
		return e.Code
	}
	return e.Code + ": " + e.Description
}

// Over reports whether the grant has ended, so that only a new sign-in helps.
func (e *Error) Over() bool { return e.Code == "invalid_grant" }

const (
	maxAnswer      = 1 << 20
	requestTimeout = 30 * time.Second
)

// Redeem exchanges an authorization code (OAuth 2.1 section 4.1.3).
func (e *Endpoint) Redeem(ctx context.Context, code, verifier, redirectURI, resource string) (*Token, error) {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "code_verifier": {verifier}, "redirect_uri": {redirectURI}}
	return e.ask(ctx, form, resource)
}

// Refresh exchanges a refresh token (OAuth 2.1 section 4.3). An answer without a new one means that the old one stays.
func (e *Endpoint) Refresh(ctx context.Context, refresh, resource string) (*Token, error) {
	answer, err := e.ask(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}, resource)
	if err == nil && answer.Refresh == "" {
		answer.Refresh = refresh
	}
	return answer, err
}

// answer is a token endpoint's, refusals included.
type answer struct {
	AccessToken  string         `json:"access_token"`
	TokenType    string         `json:"token_type"`
	ExpiresIn    jsontext.Value `json:"expires_in"`
	RefreshToken string         `json:"refresh_token"`
	Scope        *string        `json:"scope"`
	Error        string         `json:"error"`
	Description  string         `json:"error_description"`
}

func (e *Endpoint) ask(ctx context.Context, form url.Values, resource string) (*Token, error) {
	if resource != "" {
		form.Set("resource", resource) // RFC 8707 section 2
	}
	request, err := e.request(ctx, form)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	response, err := e.send(request.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("token endpoint: %w", withoutForm(err))
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("token endpoint: %w", err)
	}
	if len(text) > maxAnswer {
		return nil, fmt.Errorf("token endpoint %s: more than %d bytes", e.URL, maxAnswer)
	}
	var got answer
	parseErr := json.Unmarshal(text, &got)
	if response.StatusCode != http.StatusOK {
		if parseErr == nil && got.Error != "" && response.StatusCode < 500 && response.StatusCode != http.StatusTooManyRequests {
			return nil, &Error{Status: response.StatusCode, Code: printable(got.Error), Description: printable(got.Description)}
		}
		return nil, fmt.Errorf("token endpoint %s: status %d, want 200", e.URL, response.StatusCode)
	}
	if parseErr != nil {
		return nil, fmt.Errorf("token endpoint %s: the answer is not the JSON that was wanted", e.URL)
	}
	return e.token(&got)
}

func (e *Endpoint) token(got *answer) (*Token, error) {
	switch {
	case !strings.EqualFold(got.TokenType, "Bearer"):
		return nil, fmt.Errorf("token endpoint %s: want token_type Bearer, got %q", e.URL, printable(got.TokenType))
	case got.AccessToken == "" || strings.ContainsFunc(got.AccessToken, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, fmt.Errorf("token endpoint %s: no access token that could be sent", e.URL)
	}
	token := &Token{Access: got.AccessToken, Refresh: got.RefreshToken}
	if got.Scope != nil {
		token.Scopes = strings.Fields(*got.Scope)
	}
	// Some servers write the number as a string. What cannot be read is as if it were not there; the server's 401 will tell.
	if seconds, err := strconv.ParseFloat(strings.Trim(string(got.ExpiresIn), `"`), 64); err == nil && seconds > 0 && seconds < 10*365*86400 {
		now := time.Now
		if e.Now != nil {
			now = e.Now
		}
		token.Expiry = now().Add(time.Duration(seconds) * time.Second)
	}
	return token, nil
}

// Revoke tells the authorization server that a refresh or access token is not needed any more (RFC 7009). revocation is the endpoint's URL.
func (e *Endpoint) Revoke(ctx context.Context, revocation, token string) error {
	at := *e
	at.URL = revocation
	request, err := at.request(ctx, url.Values{"token": {token}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	response, err := at.send(request.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("revocation endpoint: %w", withoutForm(err))
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("revocation endpoint %s: status %d, want 200", revocation, response.StatusCode)
	}
	return nil
}

// request makes a form request with the client's authentication: exactly the method that was agreed on.
func (e *Endpoint) request(ctx context.Context, form url.Values) (*http.Request, error) {
	switch e.Client.AuthMethod {
	case "", "none":
		form.Set("client_id", e.Client.ID)
	case "client_secret_post":
		form.Set("client_id", e.Client.ID)
		form.Set("client_secret", e.Client.Secret)
	case "client_secret_basic":
	default:
		return nil, fmt.Errorf("token endpoint: no way to authenticate with %q", e.Client.AuthMethod)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, fmt.Errorf("token endpoint: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	if e.Client.AuthMethod == "client_secret_basic" {
		request.SetBasicAuth(url.QueryEscape(e.Client.ID), url.QueryEscape(e.Client.Secret))
	}
	return request, nil
}

func (e *Endpoint) send(request *http.Request) (*http.Response, error) {
	client := http.Client{}
	if e.HTTPClient != nil {
		client = *e.HTTPClient
	}
	// A redirect would carry the code or refresh token to wherever it leads.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client.Do(request)
}

func withoutForm(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// printable makes text of a server fit for a terminal.
func printable(text string) string {
	if len(text) > 500 {
		text = text[:500] + "…"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}
