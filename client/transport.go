package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcpentra/client/discovery"
	"mcpentra/client/grant"
	"mcpentra/client/signin"
	"mcpentra/client/tokenstore"
)

const (
	// maxBody bounds a request that has to be kept to be sent again.
	maxBody = 16 << 20
	// maxStepUps bounds the sign-ins that one request can cause by demanding more scopes.
	maxStepUps = 3
	// refreshMargin is how long before its expiry a token is replaced.
	refreshMargin = 30 * time.Second
	// maxRefusals bounds the 401s to one request: a token that is out of date, somebody else's newer one, and a refreshed one may each be refused.
	maxRefusals = 3
)

// A Transport is an http.RoundTripper for one MCP server. It is safe for concurrent use.
type Transport struct {
	config Config
	server *url.URL
	lock   chan struct{} // holds one value while nobody gets a token

	refused error // why no sign-in is tried any more; guarded by lock
	asked   []string
}

// New makes a Transport.
func New(config Config) (*Transport, error) {
	server, err := ReadServerURL(config.Server)
	if err != nil {
		return nil, err
	}
	if err := config.fill(); err != nil {
		return nil, err
	}
	t := &Transport{config: config, server: server, lock: make(chan struct{}, 1)}
	t.lock <- struct{}{}
	return t, nil
}

// RoundTrip sends a request, and signs in where the server asks for it. Requests to other origins go through as they are. Its errors are the network's, or a *SignInError.
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Scheme != t.server.Scheme || !strings.EqualFold(request.URL.Host, t.server.Host) {
		return t.config.Base.RoundTrip(request)
	}
	ctx := request.Context()
	body, err := rewindable(request)
	if err != nil {
		return nil, err
	}
	got, refusals, stepUps := byNobody, 0, 0
	for {
		token, err := t.token(ctx)
		if err != nil {
			return nil, err
		}
		response, err := t.send(request, body, token)
		if err != nil {
			return nil, err
		}
		challenges, err := discovery.ParseChallenges(response.Header)
		bearer := discovery.Bearer(challenges)
		switch {
		case response.StatusCode == http.StatusUnauthorized:
			t.tellChallenge(request, response)
			_ = response.Body.Close() // unread: it may have no end
			if refusals++; got == bySignIn || refusals > maxRefusals {
				return nil, t.giveUp(ctx, token, errors.New("the server refuses the token that was just issued for it"))
			}
			if err != nil && bearer == nil {
				return nil, fmt.Errorf("the server's challenge cannot be used: %w", err)
			}
			if got, err = t.renew(ctx, refusal{token: token, challenge: bearer, final: got == byRefresh}); err != nil {
				return nil, err
			}
		case response.StatusCode == http.StatusForbidden && bearer != nil && bearer.Params["error"] == "insufficient_scope":
			t.tellChallenge(request, response)
			_ = response.Body.Close()
			more := signin.ReadScopes(bearer.Params["scope"])
			unasked, err := t.unasked(ctx, more)
			if err != nil {
				return nil, err
			}
			if stepUps++; stepUps > maxStepUps || !unasked {
				return nil, &SignInError{fmt.Errorf("the server wants more than it grants: %s", shown(more))}
			}
			if got, err = t.renew(ctx, refusal{token: token, challenge: bearer, more: more, final: true}); err != nil {
				return nil, err
			}
		default:
			return response, nil
		}
	}
}

// rewindable returns a func that gives the request's body anew.
func rewindable(request *http.Request) (func() (io.ReadCloser, error), error) {
	if request.Body == nil || request.Body == http.NoBody {
		return func() (io.ReadCloser, error) { return http.NoBody, nil }, nil
	}
	if request.GetBody != nil {
		_ = request.Body.Close() // every attempt gets its own
		return request.GetBody, nil
	}
	defer request.Body.Close()
	text, err := io.ReadAll(io.LimitReader(request.Body, maxBody+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxBody {
		return nil, fmt.Errorf("client: a request body of more than %d bytes cannot be sent again after a sign-in", maxBody)
	}
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }, nil
}

func (t *Transport) send(request *http.Request, body func() (io.ReadCloser, error), token string) (*http.Response, error) {
	attempt := request.Clone(request.Context())
	var err error
	if attempt.Body, err = body(); err != nil {
		return nil, err
	}
	// What a caller has put there is not ours to send along: it may be for another server.
	attempt.Header.Del("Authorization")
	if token != "" {
		attempt.Header.Set("Authorization", "Bearer "+token)
	}
	return t.config.Base.RoundTrip(attempt)
}

func (t *Transport) tellChallenge(request *http.Request, response *http.Response) {
	challenge := strings.Join(response.Header.Values("WWW-Authenticate"), ", ")
	t.config.Trace(Challenged{Method: request.Method, URL: request.URL.String(), Status: response.StatusCode, Challenge: challenge[:min(len(challenge), 1000)]})
}

// unasked reports whether there is a scope among these that has not been asked for yet. Asking for the same again would only bother a person.
func (t *Transport) unasked(ctx context.Context, scopes []string) (bool, error) {
	if err := t.acquire(ctx); err != nil {
		return false, err
	}
	defer t.release()
	return slices.ContainsFunc(scopes, func(one string) bool { return !slices.Contains(t.asked, one) }), nil
}

// shown is a list of scopes for an error, cut to what a person reads.
func shown(scopes []string) string {
	const most = 10
	switch {
	case len(scopes) == 0:
		return "it demands scopes and names none"
	case len(scopes) > most:
		return fmt.Sprintf("%s and %d more scopes", strings.Join(scopes[:most], " "), len(scopes)-most)
	}
	return strings.Join(scopes, " ")
}

// giveUp forgets a token that nothing can be done with. What it returns is the answer to later requests too: another sign-in would end the same way.
func (t *Transport) giveUp(ctx context.Context, token string, why error) error {
	if err := t.acquire(ctx); err != nil {
		return err
	}
	defer t.release()
	t.refused = &SignInError{why}
	if key, entry, found := t.config.Tokens.Load(t.server.String()); found && entry.Token.Access == token {
		t.config.Tokens.Forget(key)
	}
	return t.refused
}

func (t *Transport) release() { t.lock <- struct{}{} }

// acquire waits until nobody else gets a token, so that of many requests at once one signs in.
func (t *Transport) acquire(ctx context.Context) error {
	select {
	case <-t.lock:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// token is the one in hand, replaced when it is about to expire and can be, or "".
func (t *Transport) token(ctx context.Context) (string, error) {
	_, entry, found := t.config.Tokens.Load(t.server.String())
	if !found || entry.Token.Access == "" {
		// While somebody signs in there is nothing to send, and after a refusal there will not be.
		if err := t.acquire(ctx); err != nil {
			return "", err
		}
		defer t.release()
		_, entry, _ = t.config.Tokens.Load(t.server.String())
		return entry.Token.Access, t.refused
	}
	if !t.expiring(&entry.Token) || entry.Token.Refresh == "" {
		return entry.Token.Access, nil
	}
	if err := t.acquire(ctx); err != nil {
		return "", err
	}
	defer t.release()
	key, entry, _ := t.config.Tokens.Load(t.server.String())
	if !t.expiring(&entry.Token) {
		return entry.Token.Access, nil // somebody else was faster
	}
	if err := t.refresh(ctx, key, entry); err != nil {
		var over *grant.Error
		if errors.As(err, &over) {
			return "", nil // the grant has ended: the server's 401 leads to a sign-in
		}
		if t.config.Now().Before(entry.Token.Expiry) {
			return entry.Token.Access, nil // the network failed, and this one is still good
		}
		return "", err
	}
	_, entry, _ = t.config.Tokens.Load(t.server.String())
	return entry.Token.Access, nil
}

func (t *Transport) expiring(token *grant.Token) bool {
	return !token.Expiry.IsZero() && t.config.Now().Add(refreshMargin).After(token.Expiry)
}

// refresh replaces the token of an entry. A grant that has ended loses its tokens; a network that fails costs nothing.
func (t *Transport) refresh(ctx context.Context, key tokenstore.Key, entry tokenstore.Entry) error {
	endpoint := grant.Endpoint{URL: entry.TokenEndpoint, Client: entry.Client, HTTPClient: t.config.outbound(), Now: t.config.Now}
	fresh, err := endpoint.Refresh(ctx, entry.Token.Refresh, entry.Resource)
	var refused *grant.Error
	switch {
	case errors.As(err, &refused) && refused.Code == "invalid_client":
		entry.Client = grant.Client{} // the server has forgotten this registration
		entry.Token = grant.Token{}
		t.config.Tokens.Save(key, entry)
		return err
	case errors.As(err, &refused):
		t.config.Tokens.Forget(key)
		return err
	case err != nil:
		return err
	}
	if fresh.Scopes == nil {
		fresh.Scopes = entry.Token.Scopes
	}
	entry.Token = *fresh
	t.config.Tokens.Save(key, entry)
	t.tellIssued(fresh, true)
	return nil
}

// A refusal is a token that the server does not take, and why.
type refusal struct {
	token     string
	challenge *discovery.Challenge
	more      []string // scopes that are missing
	final     bool     // a refreshed token would be no better
}

// A renewal is how another token was got.
type renewal int

const (
	byNobody renewal = iota // by another request
	byRefresh
	bySignIn
)

// renew gets another token than the one that was refused: somebody else's newer one, a refreshed one, or one of a new
// sign-in.
func (t *Transport) renew(ctx context.Context, refused refusal) (renewal, error) {
	if err := t.acquire(ctx); err != nil {
		return byNobody, err
	}
	defer t.release()
	key, entry, found := t.config.Tokens.Load(t.server.String())
	if found && entry.Token.Access != "" && entry.Token.Access != refused.token {
		return byNobody, nil
	}
	if found && entry.Token.Refresh != "" && refused.token != "" && !refused.final {
		err := t.refresh(ctx, key, entry)
		var over *grant.Error
		if err == nil || !errors.As(err, &over) {
			return byRefresh, err
		}
	}
	if t.refused != nil {
		return byNobody, t.refused
	}
	err := t.signIn(ctx, refused.challenge, refused.more)
	var failed *SignInError
	if errors.As(err, &failed) {
		// Libraries swallow errors and ask again; the person should not be asked again.
		t.refused = err
	}
	return bySignIn, err
}

// Reset lets a sign-in be tried again after one was refused. It waits for one that is under way.
func (t *Transport) Reset() {
	<-t.lock
	defer t.release()
	t.refused = nil
}

// SignOut revokes the grant at the authorization server and forgets its tokens. The tokens are forgotten even if the server cannot be told, which the error says then.
func (t *Transport) SignOut(ctx context.Context) error {
	if err := t.acquire(ctx); err != nil {
		return err
	}
	defer t.release()
	key, entry, found := t.config.Tokens.Load(t.server.String())
	if !found || entry.Token.Access == "" {
		return nil
	}
	t.config.Tokens.Forget(key)
	if entry.RevocationEndpoint == "" {
		return nil
	}
	token := entry.Token.Refresh
	if token == "" {
		token = entry.Token.Access
	}
	endpoint := grant.Endpoint{Client: entry.Client, HTTPClient: t.config.outbound(), Now: t.config.Now}
	return endpoint.Revoke(ctx, entry.RevocationEndpoint, token)
}
