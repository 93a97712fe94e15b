package signin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"golang.org/x/oauth2"
)

// authorize sends a person to the authorization page, and redeems the code. An empty resource is
// not sent.
func (f *flow) authorize(ctx context.Context, scopes []string, resource string) (*grant, error) {
	verifier := oauth2.GenerateVerifier()
	page, answer := f.page(verifier, scopes, resource)
	code, err := f.await(ctx, page, answer)
	if err != nil {
		return nil, err
	}
	form := url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code},
		"redirect_uri":  {f.client.RedirectURL},
		"code_verifier": {verifier},
	}
	if resource != "" {
		form.Set("resource", resource)
	}
	return f.redeem(ctx, form, scopes)
}

// page returns the address of an authorization page, and the channel for its answer.
func (f *flow) page(verifier string, scopes []string, resource string) (string, <-chan callback) {
	client := f.client
	client.Scopes = scopes
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier)}
	if resource != "" {
		options = append(options, oauth2.SetAuthURLParam("resource", resource))
	}
	state, answer := f.callbacks.expect()
	return client.AuthCodeURL(state, options...), answer
}

// await opens the page, and waits for the authorization response on loopback.
func (f *flow) await(ctx context.Context, page string, answer <-chan callback) (string, error) {
	// A browser that has given its answer keeps its windows. One without an answer is closed.
	opening, closeBrowser := context.WithCancel(context.WithoutCancel(ctx))
	opened := make(chan error, 1)
	go func() {
		opened <- f.signIn.Open(opening, page)
		closeBrowser()
	}()
	for {
		select {
		case response := <-answer:
			return response.code, response.err
		case err := <-opened:
			opened = nil // the browser has ended, but its answer may still arrive
			if err == nil {
				continue
			}
			select {
			case response := <-answer:
				return response.code, response.err
			default:
				return "", fmt.Errorf("sign-in: %w", err)
			}
		case <-ctx.Done():
			closeBrowser()
			return "", fmt.Errorf("sign-in: no answer from the browser: %w", ctx.Err())
		}
	}
}

// refusesAtOnce sends an authorization request without a browser. Its error is the server's
// refusal, if the server refuses before a person has signed in. Then no person has to see the page.
func (f *flow) refusesAtOnce(ctx context.Context, scopes []string, resource string) error {
	page, _ := f.page(oauth2.GenerateVerifier(), scopes, resource)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return fmt.Errorf("sign-in: %w", err)
	}
	request.Header.Set("Accept", "text/html")
	client := *f.signIn.client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("sign-in: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusBadRequest {
		body, _ := io.ReadAll(io.LimitReader(response.Body, maxDocument))
		return refusal("authorization", response.StatusCode, body)
	}
	location, err := response.Location()
	if err != nil || !strings.HasPrefix(location.String(), f.client.RedirectURL) {
		return nil
	}
	return readCallback(location.Query()).err
}

// refusedTargets are texts of servers that refuse the parameter resource: the error code of RFC
// 8707 section 2, and the numbers of Entra ID.
var refusedTargets = regexp.MustCompile(`invalid_target|AADSTS9010010|AADSTS901002`)

// isRefusedTarget reports whether a server refused the parameter resource.
func isRefusedTarget(err error) bool {
	var refused *Refused
	return errors.As(err, &refused) && refusedTargets.MatchString(refused.Code+refused.Description+refused.Body)
}
