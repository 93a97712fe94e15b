package client

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcpentra/client/discovery"
	"mcpentra/client/tokenrequest"
	"mcpentra/client/tokenstore"
)

// refreshMargin is how long before its expiry a token is replaced.
const refreshMargin = 30 * time.Second

// held is the token in hand.
type held struct {
	access        string
	authorization []string // the header
	expiry        time.Time
	renewable     bool
	dpop          *tokenrequest.DPoP // the key that it is bound to, nil for a bearer token
	resource      *url.URL           // that it was issued for, nil where there was none to name
}

// nothing is in hand where a server asks for no token.
var nothing = &held{}

func (t *Transport) expiring(expiry time.Time) bool {
	return !expiry.IsZero() && t.config.Now().Add(refreshMargin).After(expiry)
}

// token is the one in hand, replaced when it is about to expire and can be, or nothing.
func (t *Transport) token(ctx context.Context) (*held, error) {
	if in := t.inHand.Load(); in != nil && !(in.renewable && t.expiring(in.expiry)) {
		return in, nil
	}
	in, refreshes, err := t.stored(ctx)
	if err == nil && refreshes {
		return exclusively(ctx, t, t.refreshInTime)
	}
	return in, err
}

// stored is the token in the store, or one from elsewhere. It reports whether the token has to be
// refreshed first.
func (t *Transport) stored(ctx context.Context) (in *held, refreshes bool, err error) {
	// While somebody signs in there is nothing to send, and after a refusal there will not be.
	if err := t.acquire(ctx); err != nil {
		return nil, false, err
	}
	defer t.release()
	if in := t.inHand.Load(); in != nil && !(in.renewable && t.expiring(in.expiry)) {
		return in, false, nil
	}
	if t.config.Token != nil {
		in, err = t.given(ctx)
		return in, false, err
	}
	record, err := t.config.Tokens.Load(ctx, t.place)
	if err != nil {
		return nil, false, err
	}
	_, entry, found := t.inUse(&record)
	if !found {
		if t.refused == nil {
			t.inHand.Store(nothing)
		}
		return nothing, false, t.refused
	}
	if !t.expiring(entry.Token.Expiry) || entry.Token.Refresh == "" {
		in, err = t.hold(entry)
		return in, false, err
	}
	return nil, true, nil
}

// refreshInTime replaces a token that is about to expire, unless somebody else has.
func (t *Transport) refreshInTime(ctx context.Context) (*held, error) {
	unlock, err := t.config.Tokens.Lock(ctx, t.place)
	if err != nil {
		return nil, err
	}
	defer unlock()
	record, err := t.config.Tokens.Load(ctx, t.place)
	if err != nil {
		return nil, err
	}
	issuer, entry, found := t.inUse(&record)
	if !found {
		t.inHand.Store(nil)
		return nothing, t.refused
	}
	if !t.expiring(entry.Token.Expiry) || entry.Token.Refresh == "" {
		return t.hold(entry) // another process was faster
	}
	err = t.refresh(ctx, &record, issuer, entry)
	var over *tokenrequest.Error
	switch {
	case err == nil:
		return t.inHand.Load(), nil
	case errors.As(err, &over):
		return nothing, nil // the grant has ended: the server's 401 leads to a sign-in
	case t.config.Now().Before(entry.Token.Expiry) && ctx.Err() == nil:
		// The network failed, and this one is still good. The server will say when it no longer is.
		entry.Token.Refresh = ""
		return t.hold(entry)
	}
	return nil, err
}

// inUse is the entry whose token is for this Transport: not that of another client than the
// configured one.
func (t *Transport) inUse(record *tokenstore.Record) (issuer string, entry tokenstore.Entry, found bool) {
	issuer, entry, found = record.InUse()
	if entry.Token.Access == "" || t.config.ClientID != "" && entry.Client.ID != t.config.ClientID ||
		t.config.ClientID == "" && entry.Given {
		found = false
	}
	return issuer, entry, found
}

// hold takes the token of an entry in hand.
func (t *Transport) hold(entry tokenstore.Entry) (*held, error) {
	in, err := newHeld(entry, t.config.Now)
	if err == nil {
		in.resource = t.resourceOf(entry.Resource)
		t.inHand.Store(in)
	}
	return in, err
}

func newHeld(entry tokenstore.Entry, now func() time.Time) (*held, error) {
	in := &held{
		access:        entry.Token.Access,
		authorization: []string{"Bearer " + entry.Token.Access},
		expiry:        entry.Token.Expiry,
		renewable:     entry.Token.Refresh != "",
	}
	if !entry.Token.Bound {
		return in, nil
	}
	var err error
	in.authorization = []string{"DPoP " + entry.Token.Access}
	in.dpop, err = tokenrequest.ReadDPoP(entry.DPoPKey, now)
	return in, err
}

// given gets a token from elsewhere.
func (t *Transport) given(ctx context.Context) (*held, error) {
	if t.refused != nil {
		return nil, t.refused
	}
	access, err := t.config.Token(ctx)
	if err != nil {
		return nil, &SignInError{err}
	}
	if access == "" || strings.ContainsFunc(access, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, &SignInError{errors.New("the token that was given is not one that could be sent")}
	}
	in := &held{access: access, authorization: []string{"Bearer " + access}}
	t.inHand.Store(in)
	return in, nil
}

// refresh replaces the token of an entry, whose place is locked. A grant that has ended loses its
// tokens; a network that fails costs nothing.
func (t *Transport) refresh(
	ctx context.Context,
	record *tokenstore.Record,
	issuer string,
	entry tokenstore.Entry,
) error {
	endpoint := t.endpointOf(issuer, entry)
	endpoint.Scope = t.scopeForEntra(entry.Asked)
	if entry.Token.Bound {
		var err error
		if endpoint.DPoP, err = tokenrequest.ReadDPoP(entry.DPoPKey, t.config.Now); err != nil {
			return err
		}
	}
	t.turn.keep()
	fresh, err := endpoint.Refresh(ctx, entry.Token.Refresh, entry.Resource)
	var refused *tokenrequest.Error
	switch {
	case errors.As(err, &refused):
		record.Forget(issuer)
		if entry = record.Entries[issuer]; refused.Code == "invalid_client" && !entry.Given {
			entry.Client = tokenrequest.Client{} // the server has forgotten this registration
			record.Put(issuer, entry)
		}
		t.inHand.Store(nil)
		return errors.Join(err, t.config.Tokens.Save(ctx, t.place, *record))
	case err != nil:
		return err
	}
	if err := checkRefreshedTenant(fresh, entry); err != nil {
		return &SignInError{err}
	}
	if fresh.Scopes == nil {
		fresh.Scopes = entry.Token.Scopes
	}
	entry.Token = *fresh
	return t.save(ctx, record, issuer, entry, true)
}

// save keeps a new token and takes it in hand. It is on the disk before it is used: its predecessor
// may be of no use any more.
func (t *Transport) save(
	ctx context.Context,
	record *tokenstore.Record,
	issuer string,
	entry tokenstore.Entry,
	refreshed bool,
) error {
	record.Put(issuer, entry)
	// A caller that gives up now must not cost the person a sign-in.
	saved := t.config.Tokens.Save(context.WithoutCancel(ctx), t.place, *record)
	in, err := t.hold(entry)
	if err = errors.Join(err, saved); err != nil {
		return err
	}
	issued := Issued{Scopes: entry.Token.Scopes, Renewable: in.renewable, Refreshed: refreshed, Bound: in.dpop != nil}
	if !entry.Token.Expiry.IsZero() {
		issued.Lifetime = entry.Token.Expiry.Sub(t.config.Now())
	}
	t.config.Trace(issued)
	return nil
}

// endpointOf is the token endpoint that an entry came from.
func (t *Transport) endpointOf(issuer string, entry tokenstore.Entry) *tokenrequest.Endpoint {
	known := entry.Client
	if entry.Given {
		known.Secret = t.config.ClientSecret
	}
	return t.endpoint(
		&discovery.Issuer{Issuer: issuer, TokenEndpoint: entry.TokenEndpoint, SigningAlgs: entry.SigningAlgs},
		known,
		nil,
	)
}

// scopeForEntra is the parameter scope where Entra ID has nothing else to tell whom a token is for.
func (t *Transport) scopeForEntra(scopes []string) string {
	if !t.config.Entra.NoResource {
		return ""
	}
	return strings.Join(scopes, " ")
}

// A refusal is a token that the server does not take, and why.
type refusal struct {
	token     string
	challenge *discovery.Challenge
	more      []string // scopes that are missing
	operation string   // that they are missing for
	final     bool     // a refreshed token would be no better
}

// A renewal is how another token was got.
type renewal int

const (
	byNobody renewal = iota // by another request, or another process
	byRefresh
	bySignIn
)

// renew gets another token than the one that was refused: somebody else's newer one, a refreshed
// one, or one of a new sign-in.
func (t *Transport) renew(ctx context.Context, refused refusal) (renewal, error) {
	if t.config.Token != nil {
		return t.giveAgain(ctx, refused.token)
	}
	return exclusively(ctx, t, func(ctx context.Context) (renewal, error) { return t.renewAlone(ctx, refused) })
}

// newer reports whether another request has brought another token than the one that was refused.
// The caller holds the lock.
func (t *Transport) newer(refused string) bool {
	if in := t.inHand.Load(); in != nil && in != nothing && in.access != refused {
		return true
	}
	t.inHand.CompareAndSwap(nothing, nil) // there may be something soon, which is worth waiting for
	return false
}

func (t *Transport) renewAlone(ctx context.Context, refused refusal) (renewal, error) {
	if t.newer(refused.token) {
		return byNobody, nil
	}
	unlock, err := t.config.Tokens.Lock(ctx, t.place)
	if err != nil {
		return byNobody, err
	}
	defer unlock()
	record, err := t.config.Tokens.Load(ctx, t.place)
	if err != nil {
		return byNobody, err
	}
	issuer, entry, found := t.inUse(&record)
	if found && entry.Token.Access != refused.token {
		_, err := t.hold(entry)
		return byNobody, err
	}
	if found && entry.Token.Refresh != "" && refused.token != "" && !refused.final {
		moved, err := t.moved(ctx, refused.challenge, issuer)
		if err != nil {
			return byRefresh, err
		}
		if !moved {
			err := t.refresh(ctx, &record, issuer, entry)
			var over *tokenrequest.Error
			if err == nil || !errors.As(err, &over) {
				return byRefresh, err
			}
		}
	}
	if t.refused != nil {
		return byNobody, t.refused
	}
	if refused.operation != "" {
		if !t.mayStepUp(refused, entry.Asked) {
			return byNobody, wantsMore(refused.more)
		}
		t.stepsUp(refused.operation)
	}
	err = t.signIn(ctx, refused.challenge, refused.more, &record)
	var failed *SignInError
	if errors.As(err, &failed) && !(found && refused.operation != "") {
		// Libraries swallow errors and ask again; the person should not be asked again. A step up
		// that failed leaves the token as it was: only its scopes are not asked for again.
		t.refused = err
	}
	return bySignIn, err
}

// giveAgain gets a token from elsewhere instead of one that was refused.
func (t *Transport) giveAgain(ctx context.Context, token string) (renewal, error) {
	if err := t.acquire(ctx); err != nil {
		return byNobody, err
	}
	defer t.release()
	if t.newer(token) {
		return byNobody, nil
	}
	in, err := t.given(ctx)
	if err == nil && in.access == token {
		t.refused = &SignInError{errors.New("the server refuses the token that it was given")}
		t.inHand.Store(nil)
		err = t.refused
	}
	return bySignIn, err
}

// moved reports whether a server has another authorization server now than the one that a token
// came from, to which its refresh token is nothing then. The challenge is a reason to look again
// (RFC 9728 section 5).
func (t *Transport) moved(ctx context.Context, challenge *discovery.Challenge, issuer string) (bool, error) {
	resource, err := t.fetcher().FindResource(ctx, t.server, metadataAt(challenge))
	if errors.Is(err, discovery.ErrNoMetadata) {
		return issuer != t.server.Scheme+"://"+t.server.Host, nil
	}
	if err != nil {
		return false, err
	}
	return !slices.Contains(resource.AuthorizationServers, issuer), nil
}
