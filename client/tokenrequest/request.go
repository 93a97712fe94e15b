package tokenrequest

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

const (
	maxAnswer      = 1 << 20
	requestTimeout = 30 * time.Second
)

// answer is a token endpoint's, if it is no refusal.
type answer struct {
	AccessToken  string         `json:"access_token"`
	TokenType    string         `json:"token_type"`
	IssuedType   string         `json:"issued_token_type"`
	ExpiresIn    jsontext.Value `json:"expires_in"`
	RefreshToken string         `json:"refresh_token"`
	IDToken      jsontext.Value `json:"id_token"`
	Scope        *string        `json:"scope"`
}

func (e *Endpoint) ask(ctx context.Context, form url.Values, resource string) (*Token, error) {
	setUnlessEmpty(form, "resource", resource) // RFC 8707 section 2
	got := answer{}
	if err := e.post(ctx, "token endpoint", form, &got); err != nil {
		return nil, err
	}
	return e.token(&got)
}

func setUnlessEmpty(form url.Values, name, value string) {
	if value != "" {
		form.Set(name, value)
	}
}

// post sends a form and reads the JSON that comes back, once more if the server wants its nonce in
// the proof (RFC 9449 section 8). A refusal is an *Error.
func (e *Endpoint) post(ctx context.Context, what string, form url.Values, into any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	for attempt := 0; ; attempt++ {
		err := e.postOnce(ctx, what, form, into)
		var refused *Error
		if errors.As(err, &refused) && refused.Code == useNonce && e.DPoP != nil && attempt == 0 {
			continue
		}
		return err
	}
}

func (e *Endpoint) postOnce(ctx context.Context, what string, form url.Values, into any) error {
	request, err := e.request(ctx, form)
	if err != nil {
		return err
	}
	if e.DPoP != nil {
		if err := e.DPoP.Sign(request, ""); err != nil {
			return err
		}
	}
	response, err := e.send(request)
	if err != nil {
		return fmt.Errorf("%s: %w", what, withoutForm(err))
	}
	defer response.Body.Close()
	if e.DPoP != nil {
		e.DPoP.Hear(response)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if len(text) > maxAnswer {
		return fmt.Errorf("%s %s: more than %d bytes", what, e.URL, maxAnswer)
	}
	// Some servers answer with another 2xx than 200, some with an error in a 200.
	refused := ReadRefusal(response.Header.Get("Content-Type"), text)
	switch {
	case refused.Code != "" && !refused.Odd && !passing(response.StatusCode, refused.Code):
		return &Error{Status: response.StatusCode, Code: refused.Code, Description: refused.Description}
	case refused.Code != "":
		return fmt.Errorf("%s %s: status %d (%s), want 200", what, e.URL, response.StatusCode, refused)
	case response.StatusCode/100 != 2:
		return fmt.Errorf("%s %s: status %d, want 200", what, e.URL, response.StatusCode)
	}
	if json.Unmarshal(text, into) != nil {
		return fmt.Errorf("%s %s: the answer is not the JSON that was wanted", what, e.URL)
	}
	return nil
}

// passing reports whether a refusal says that the server is out of order, and nothing about the
// grant.
func passing(status int, code string) bool {
	busy := status >= 500 || status == http.StatusTooManyRequests
	return busy || code == "temporarily_unavailable" || code == "server_error"
}

func (e *Endpoint) token(got *answer) (*Token, error) {
	bound := e.DPoP != nil && strings.EqualFold(got.TokenType, "DPoP")
	switch {
	case !bound && !strings.EqualFold(got.TokenType, "Bearer"):
		return nil, fmt.Errorf("token endpoint %s: want token_type Bearer, got %q", e.URL, printable(got.TokenType))
	case !sendable(got.AccessToken):
		return nil, fmt.Errorf("token endpoint %s: no access token that could be sent", e.URL)
	}
	token := &Token{Access: got.AccessToken, Refresh: got.RefreshToken, Bound: bound}
	if json.Unmarshal(got.IDToken, &token.IDToken) != nil {
		token.IDToken = "" // none, or none that is text: it matters only to those who ask for one
	}
	if got.Scope != nil {
		token.Scopes = strings.Fields(*got.Scope)
		if token.Scopes == nil {
			token.Scopes = []string{}
		}
	}
	if lifetime := seconds(got.ExpiresIn); lifetime > 0 {
		token.Expiry = e.now().Add(lifetime)
	}
	return token, nil
}

// sendable reports whether a token can stand in a header.
func sendable(token string) bool {
	return token != "" && !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
}

// seconds reads a number of seconds. Some servers write it as a string. What cannot be read is as
// if it were not there; the server's 401 will tell.
func seconds(value jsontext.Value) time.Duration {
	number, err := strconv.ParseFloat(strings.Trim(string(value), `"`), 64)
	if err != nil || !(number > 0 && number < 10*365*86400) {
		return 0
	}
	return time.Duration(number * float64(time.Second))
}

func (e *Endpoint) now() time.Time {
	if e.Now != nil {
		return e.Now()
	}
	return time.Now()
}

// request makes a form request with the client's authentication: exactly the method that was agreed
// on.
func (e *Endpoint) request(ctx context.Context, form url.Values) (*http.Request, error) {
	switch e.Client.AuthMethod {
	case "", "none":
		setUnlessEmpty(form, "client_id", e.Client.ID)
	case "client_secret_post":
		form.Set("client_id", e.Client.ID)
		form.Set("client_secret", e.Client.Secret)
	case "client_secret_basic":
	case "private_key_jwt":
		if e.Key == nil {
			return nil, errors.New("token endpoint: private_key_jwt without a key")
		}
		assertion, err := e.Key.assertion(e.Client.ID, e.Issuer, e.SigningAlgs, e.now())
		if err != nil {
			return nil, err
		}
		form.Set("client_id", e.Client.ID)
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
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
