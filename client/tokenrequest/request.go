package tokenrequest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

const (
	maxResponse    = 1 << 20
	requestTimeout = 30 * time.Second
)

// requestToken sends a token request. An empty resource is left out (RFC 8707 section 2).
func (e *Endpoint) requestToken(ctx context.Context, form url.Values, resource string) (*Token, error) {
	setUnlessEmpty(form, "resource", resource)
	response := tokenResponse{}
	if err := e.post(ctx, "token endpoint", form, &response); err != nil {
		return nil, err
	}
	return e.read(&response)
}

func setUnlessEmpty(form url.Values, name, value string) {
	if value != "" {
		form.Set(name, value)
	}
}

// post sends a form and reads the JSON of the response. It repeats the request once if the server
// wants its nonce in the proof (RFC 9449 section 8). A refusal is an *Error. endpoint names the
// endpoint in other errors.
func (e *Endpoint) post(ctx context.Context, endpoint string, form url.Values, into any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	for attempt := 0; ; attempt++ {
		err := e.postOnce(ctx, endpoint, form, into)
		var refused *Error
		wantsNonce := errors.As(err, &refused) && refused.Code == useNonce
		if wantsNonce && e.DPoP != nil && attempt == 0 {
			continue
		}
		return err
	}
}

func (e *Endpoint) postOnce(ctx context.Context, endpoint string, form url.Values, into any) error {
	request, err := e.newRequest(ctx, form)
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
		return fmt.Errorf("%s: %w", endpoint, withoutURL(err))
	}
	defer response.Body.Close()
	if e.DPoP != nil {
		e.DPoP.KeepNonce(response)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxResponse+1))
	if err != nil {
		return fmt.Errorf("%s: %w", endpoint, err)
	}
	if len(text) > maxResponse {
		return fmt.Errorf("%s %s: the response has more than %d bytes", endpoint, e.URL, maxResponse)
	}
	// Some servers answer with another 2xx than 200, and some with an error in a 200.
	refusal := ReadRefusal(response.Header.Get("Content-Type"), text)
	status := response.StatusCode
	switch {
	case refusal.Code != "" && !refusal.IsObject && !isTemporary(status, refusal.Code):
		return &Error{Status: status, Code: refusal.Code, Description: refusal.Description}
	case refusal.Code != "":
		return fmt.Errorf("%s %s: want status 200, got status %d (%s)", endpoint, e.URL, status, refusal)
	case status/100 != 2:
		return fmt.Errorf("%s %s: want status 200, got status %d", endpoint, e.URL, status)
	}
	if json.Unmarshal(text, into) != nil {
		return fmt.Errorf("%s %s: want a JSON object with unique members, got another response", endpoint, e.URL)
	}
	return nil
}

// newRequest makes a form request with the client's authentication.
func (e *Endpoint) newRequest(ctx context.Context, form url.Values) (*http.Request, error) {
	if err := e.authenticate(form); err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, fmt.Errorf("token endpoint: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	e.setBasic(request)
	return request, nil
}

func (e *Endpoint) send(request *http.Request) (*http.Response, error) {
	client := http.Client{}
	if e.HTTPClient != nil {
		client = *e.HTTPClient
	}
	// A redirect would take the code or refresh token to another address.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client.Do(request)
}

// withoutURL removes the method and URL that http.Client adds to an error.
func withoutURL(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}
