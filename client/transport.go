package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"mcpentra/client/discovery"
	"mcpentra/client/signin"
	"mcpentra/client/tokenstore"
)

const (
	// maxBody bounds a request that has to be kept to be sent again.
	maxBody = 16 << 20
	// maxStepUps bounds the sign-ins that one operation can cause by demanding more scopes, in
	// however many requests.
	maxStepUps = 3
	// maxRefusals bounds the 401s to one request: a token that is out of date, somebody else's
	// newer one, and a refreshed one may each be refused.
	maxRefusals = 3
	// maxNonces bounds how often one request is sent again because the server wants another nonce
	// in its proof.
	maxNonces = 2
)

// A Transport is an http.RoundTripper for one MCP server. It is safe for concurrent use.
type Transport struct {
	config   Config
	server   *url.URL
	place    tokenstore.Place
	guard    *guard
	outbound *http.Client // for what the server has chosen the addresses of
	inHand   atomic.Pointer[held]
	lock     chan struct{} // holds one value while nobody gets a token
	turn     turn

	refused error          // why no sign-in is tried any more; guarded by lock
	asked   []string       // scopes, by this Transport; guarded by lock
	again   bool           // scopes of an earlier sign-in may be asked for again; guarded by lock
	vain    map[string]int // sign-ins for more scopes, by operation, that have not been enough so far; guarded by lock
	inVain  atomic.Bool    // there are some
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
	t := &Transport{
		config: config,
		server: server,
		place:  tokenstore.Place{Resource: server.String(), Account: config.Account},
		lock:   make(chan struct{}, 1),
		vain:   map[string]int{},
	}
	t.guard = &guard{server: server, lookup: config.LookupIP}
	t.outbound = t.config.outbound(t.guard.transport(config.Base))
	t.lock <- struct{}{}
	return t, nil
}

// RoundTrip sends a request, and signs in where the server asks for it. Requests to other origins
// go through as they are. Requests to paths of the origin that the token's resource does not cover
// go through without a token. Its errors are the network's, or a *SignInError.
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if !t.sameOrigin(request.URL) {
		return t.config.Base.RoundTrip(request)
	}
	ctx := request.Context()
	body, err := rewindable(request)
	if err != nil {
		return nil, err
	}
	got := byNobody
	refusals := 0
	stepUps := 0
	nonces := 0
	for {
		in, err := t.token(ctx)
		if !t.covers(in, request) {
			return t.sendBare(request, body)
		}
		if err != nil {
			return nil, err
		}
		response, err := t.send(request, body, in)
		if err != nil {
			return nil, err
		}
		if response.StatusCode != http.StatusUnauthorized && response.StatusCode != http.StatusForbidden {
			if t.inVain.Load() {
				t.enough(ctx, operation(request, body))
			}
			return response, nil
		}
		// A challenge that is not well formed names nothing: the metadata is at a well-known
		// address then.
		challenges, err := discovery.ParseChallenges(response.Header)
		challenge := discovery.Token(challenges)
		switch {
		case response.StatusCode == http.StatusUnauthorized && wantsNonce(challenges) && in.dpop != nil && nonces < maxNonces:
			nonces++
			_ = response.Body.Close()
		case response.StatusCode == http.StatusUnauthorized:
			t.tellChallenge(request, response)
			_ = response.Body.Close() // unread: it may have no end
			if refusals++; got == bySignIn || refusals > maxRefusals {
				return nil, t.giveUp(
					ctx,
					in.access,
					errors.New("the server refuses the token that was just issued for it"),
				)
			}
			if errors.Is(err, discovery.ErrTooLong) && challenge == nil {
				return nil, fmt.Errorf("the server's challenge cannot be used: %w", err)
			}
			if got, err = t.renew(ctx, refusal{token: in.access, challenge: challenge, final: got == byRefresh}); err != nil {
				return nil, err
			}
		case challenge != nil && challenge.Params["error"] == "insufficient_scope" && t.config.Token == nil:
			t.tellChallenge(request, response)
			_ = response.Body.Close()
			more := signin.ReadScopes(challenge.Params["scope"])
			about := operation(request, body)
			if stepUps++; stepUps > maxStepUps {
				return nil, wantsMore(more)
			}
			refused := refusal{token: in.access, challenge: challenge, more: more, operation: about, final: true}
			if got, err = t.renew(ctx, refused); err != nil {
				return nil, err
			}
		default:
			return response, nil
		}
	}
}

// wantsNonce reports whether a proof has to be made again with the nonce that has come (RFC 9449
// section 9).
func wantsNonce(challenges []discovery.Challenge) bool {
	challenge := discovery.First(challenges, "dpop")
	return challenge != nil && challenge.Params["error"] == "use_dpop_nonce"
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
		return nil, fmt.Errorf(
			"client: a request body of more than %d bytes cannot be sent again after a sign-in",
			maxBody,
		)
	}
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }, nil
}

func (t *Transport) send(request *http.Request, body func() (io.ReadCloser, error), in *held) (*http.Response, error) {
	attempt := request.WithContext(t.guard.watch(request)) // a copy
	var err error
	if attempt.Body, err = body(); err != nil {
		return nil, err
	}
	attempt.Header = make(http.Header, len(request.Header)+2)
	maps.Copy(attempt.Header, request.Header)
	// What a caller has put there is not ours to send along: it may be for another server.
	delete(attempt.Header, "Authorization")
	if in.access != "" {
		attempt.Header["Authorization"] = in.authorization
	}
	if in.dpop == nil {
		return t.config.Base.RoundTrip(attempt)
	}
	if err := in.dpop.Sign(attempt, in.access); err != nil {
		return nil, err
	}
	response, err := t.config.Base.RoundTrip(attempt)
	if err == nil {
		if response.Request == nil {
			response.Request = attempt
		}
		in.dpop.Hear(response)
	}
	return response, err
}

func (t *Transport) tellChallenge(request *http.Request, response *http.Response) {
	challenge := strings.Join(response.Header.Values("WWW-Authenticate"), ", ")
	t.config.Trace(
		Challenged{
			Method:    request.Method,
			URL:       request.URL.String(),
			Status:    response.StatusCode,
			Challenge: challenge[:min(len(challenge), 1000)],
		},
	)
}

// giveUp forgets a token that nothing can be done with. What it returns is the answer to later
// requests too: another sign-in would end the same way.
func (t *Transport) giveUp(ctx context.Context, token string, why error) error {
	if err := t.acquire(ctx); err != nil {
		return err
	}
	defer t.release()
	t.refused = &SignInError{why}
	_, _, err := t.forget(ctx, token)
	return errors.Join(t.refused, err)
}

// forget removes the token in hand and in the store, unless it is another one by now than the given
// one; empty means any. It returns the issuer and the entry that the token was of.
func (t *Transport) forget(ctx context.Context, token string) (issuer string, entry tokenstore.Entry, err error) {
	if in := t.inHand.Load(); in != nil && (token == "" || in.access == token) {
		t.inHand.Store(nil)
	}
	unlock, err := t.config.Tokens.Lock(ctx, t.place)
	if err != nil {
		return "", tokenstore.Entry{}, err
	}
	defer unlock()
	record, err := t.config.Tokens.Load(ctx, t.place)
	if err != nil {
		return "", tokenstore.Entry{}, err
	}
	issuer, entry, found := record.InUse()
	if !found || entry.Token.Access == "" || token != "" && entry.Token.Access != token {
		return "", tokenstore.Entry{}, nil
	}
	record.Forget(issuer)
	if token == "" {
		rest := record.Entries[issuer]
		rest.Tenant = "" // a person who signs out may come back from another one
		record.Entries[issuer] = rest
	}
	return issuer, entry, t.config.Tokens.Save(ctx, t.place, record)
}

func (t *Transport) release() { t.lock <- struct{}{} }

// acquire waits until nobody else gets a token, so that of many requests at once one signs in.
func (t *Transport) acquire(ctx context.Context) error {
	t.turn.enter()
	select {
	case <-t.lock:
		t.turn.leave(context.WithoutCancel(ctx))
		return nil
	case <-ctx.Done():
		t.turn.leave(ctx)
		return ctx.Err()
	}
}

// Reset lets a sign-in be tried again after one was refused, or after SignOut. It waits for one
// that is under way.
func (t *Transport) Reset() {
	<-t.lock
	defer t.release()
	t.refused = nil
	t.asked = nil
	t.again = true
	clear(t.vain)
	t.inVain.Store(false)
	t.inHand.Store(nil)
}

// SignOut revokes the grant at the authorization server and forgets its tokens. The tokens are
// forgotten even if the server cannot be told, which the error says then. It reports whether
// anybody was signed in. Later requests fail with ErrSignedOut until Reset, so that nobody is
// signed in again by what is still under way, such as the end of a session.
func (t *Transport) SignOut(ctx context.Context) (bool, error) {
	if err := t.acquire(ctx); err != nil {
		return false, err
	}
	defer t.release()
	issuer, entry, err := t.forget(ctx, "")
	if err != nil || entry.Token.Access == "" {
		return false, err
	}
	t.refused = &SignInError{ErrSignedOut}
	if entry.RevocationEndpoint == "" {
		return true, nil
	}
	token := entry.Token.Refresh
	if token == "" {
		token = entry.Token.Access
	}
	return true, t.endpointOf(issuer, entry).Revoke(ctx, entry.RevocationEndpoint, token)
}
