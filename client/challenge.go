package client

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"mcpentra/client/discovery"
	"mcpentra/client/signin"
)

const (
	// maxRefusals bounds the 401s to one request. The current token, a newer one of another
	// process, and a refreshed one may each be refused.
	maxRefusals = 3
	// maxNonces bounds how often one request is sent again because the server demands another nonce
	// in its proof.
	maxNonces = 2
	// maxTracedChallenge bounds the challenge in an event, in bytes.
	maxTracedChallenge = 1000
)

// attempts counts what the tries of one request led to.
type attempts struct {
	request  *http.Request
	body     getBody
	source   tokenSource // of the token in the latest try
	refusals int
	stepUps  int
	nonces   int
}

// A challenge is a 401 or 403 with its WWW-Authenticate header.
type challenge struct {
	response  *http.Response
	all       []discovery.Challenge
	token     *discovery.Challenge // the one about an access token; may be nil
	malformed error
}

// answer decides what follows from a response. It reports whether to send the request again.
func (t *Transport) answer(a *attempts, token *currentToken, response *http.Response) (again bool, err error) {
	unauthorized := response.StatusCode == http.StatusUnauthorized
	if !unauthorized && response.StatusCode != http.StatusForbidden {
		if t.stepUps.pending() {
			t.stepUps.succeeded(operationOf(a.request, a.body))
		}
		return false, nil
	}
	c := readChallenge(response)
	switch {
	case unauthorized && token.dpop != nil && c.demandsNonce() && a.nonces < maxNonces:
		a.retryNonce(c)
		return true, nil
	case unauthorized:
		return true, t.renewToken(a, token, c)
	case c.demandsScopes() && t.config.Token == nil:
		return true, t.stepUp(a, token, c)
	}
	return false, nil
}

// readChallenge reads the header of a response. A malformed challenge names nothing: the metadata
// is then at a well-known address.
func readChallenge(response *http.Response) challenge {
	all, err := discovery.ParseChallenges(response.Header)
	return challenge{
		response:  response,
		all:       all,
		token:     discovery.TokenChallenge(all),
		malformed: err,
	}
}

// demandsNonce reports whether the proof needs the nonce of this response (RFC 9449 section 9).
func (c challenge) demandsNonce() bool {
	dpop := discovery.FindChallenge(c.all, "dpop")
	return dpop != nil && dpop.Params["error"] == "use_dpop_nonce"
}

// demandsScopes reports whether the token lacks scopes (RFC 6750 section 3.1).
func (c challenge) demandsScopes() bool {
	return c.token != nil && c.token.Params["error"] == "insufficient_scope"
}

// unusable reports whether the header is too long to hold anything to go by.
func (c challenge) unusable() bool {
	return c.token == nil && errors.Is(c.malformed, discovery.ErrTooLong)
}

// discard closes the body without reading it: it may have no end.
func (c challenge) discard() { _ = c.response.Body.Close() }

// retryNonce prepares another try with the nonce that the proof's key has taken from the response.
func (a *attempts) retryNonce(c challenge) {
	a.nonces++
	c.discard()
}

// renewToken replaces a token that the server refuses.
func (t *Transport) renewToken(a *attempts, token *currentToken, c challenge) error {
	t.traceChallenge(a.request, c.response)
	c.discard()
	a.refusals++
	ctx := a.request.Context()
	if a.source == bySignIn || a.refusals > maxRefusals {
		reason := errors.New("the server refuses the token that was just issued for it")
		return t.tokens.giveUp(ctx, token.access, reason)
	}
	if c.unusable() {
		return fmt.Errorf("the server's challenge cannot be used: %w", c.malformed)
	}
	var err error
	a.source, err = t.tokens.renew(ctx, refusal{
		token:       token.access,
		challenge:   c.token,
		refreshable: a.source != byRefresh,
	})
	return err
}

// stepUp gets a token with the scopes that the server demands.
func (t *Transport) stepUp(a *attempts, token *currentToken, c challenge) error {
	t.traceChallenge(a.request, c.response)
	c.discard()
	scopes := signin.ParseScopes(c.token.Params["scope"])
	a.stepUps++
	if a.stepUps > maxStepUps {
		return demandsMore(scopes)
	}
	var err error
	a.source, err = t.tokens.renew(a.request.Context(), refusal{
		token:     token.access,
		challenge: c.token,
		scopes:    scopes,
		operation: operationOf(a.request, a.body),
	})
	return err
}

func (t *Transport) traceChallenge(request *http.Request, response *http.Response) {
	text := strings.Join(response.Header.Values("WWW-Authenticate"), ", ")
	t.config.Trace(Challenged{
		Method:    request.Method,
		URL:       request.URL.String(),
		Status:    response.StatusCode,
		Challenge: text[:min(len(text), maxTracedChallenge)],
	})
}
