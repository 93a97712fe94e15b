package client

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"mcpentra/client/tokenrequest"
	"mcpentra/client/tokenstore"
)

// tokens has the access token of a Transport. It loads the token from the store, and gets another
// one when the token expires (refresh.go) or the server refuses it (renew.go).
type tokens struct {
	config  *Config
	channel *backChannel
	key     tokenstore.Key
	stepUps *stepUps
	worker  *worker
	current atomic.Pointer[currentToken]
	refused error // why there is no other sign-in until reset; guarded by the worker's lock
}

// A currentToken is the token that requests carry.
type currentToken struct {
	access        string
	authorization []string // the header
	expiry        time.Time
	renewable     bool
	dpop          *tokenrequest.DPoP // the key that binds it; nil for a bearer token
	resource      *url.URL           // that it was issued for; nil without one
}

// noToken is current while the server demands no token.
var noToken = &currentToken{}

func newCurrentToken(entry tokenstore.Entry, now func() time.Time) (*currentToken, error) {
	token := &currentToken{
		access:        entry.Token.Access,
		authorization: []string{"Bearer " + entry.Token.Access},
		expiry:        entry.Token.Expiry,
		renewable:     entry.Token.Refresh != "",
	}
	if !entry.Token.Bound {
		return token, nil
	}
	var err error
	token.authorization = []string{"DPoP " + entry.Token.Access}
	token.dpop, err = tokenrequest.ReadDPoP(entry.DPoPKey, now)
	return token, err
}

// get returns the current token. Without one it loads it. If the token is about to expire,
// it refreshes it first.
func (t *tokens) get(ctx context.Context) (*currentToken, error) {
	if token := t.current.Load(); t.isUsable(token) {
		return token, nil
	}
	token, expiring, err := t.load(ctx)
	if err == nil && expiring {
		return runAlone(ctx, t.worker, t.refreshExpiring)
	}
	return token, err
}

// load makes the token of the store, or of Config.Token, the current one. It reports whether the
// stored token has to be refreshed first.
func (t *tokens) load(ctx context.Context) (token *currentToken, expiring bool, err error) {
	// A running sign-in brings the token, or the reason why it failed.
	if err := t.worker.acquire(ctx); err != nil {
		return nil, false, err
	}
	defer t.worker.release()
	if token := t.current.Load(); t.isUsable(token) {
		return token, false, nil
	}
	if t.config.Token != nil {
		token, err = t.external(ctx)
		return token, false, err
	}
	record, err := t.config.Tokens.Load(ctx, t.key)
	if err != nil {
		return nil, false, err
	}
	_, entry, found := t.entry(&record)
	switch {
	case !found && t.refused != nil:
		return noToken, false, t.refused
	case !found:
		t.current.Store(noToken)
		return noToken, false, nil
	case t.mustRefresh(entry.Token):
		return nil, true, nil
	}
	token, err = t.setCurrent(entry)
	return token, false, err
}

func (t *tokens) isUsable(token *currentToken) bool {
	return token != nil && !(token.renewable && t.expires(token.expiry))
}

// entry returns the store's token if this Transport may use it. The token of another client than
// the configured one counts as not found.
func (t *tokens) entry(record *tokenstore.Record) (issuer string, entry tokenstore.Entry, found bool) {
	issuer, entry, _ = record.InUse()
	sameClient := entry.Client.ID == t.config.ClientID
	if t.config.ClientID == "" {
		sameClient = !entry.Preregistered
	}
	return issuer, entry, sameClient && entry.Token.Access != ""
}

// setCurrent makes the token of an entry the current one.
func (t *tokens) setCurrent(entry tokenstore.Entry) (*currentToken, error) {
	token, err := newCurrentToken(entry, t.config.Now)
	if err != nil {
		return token, err
	}
	token.resource = resourceOf(t.channel.server, entry.Resource)
	t.current.Store(token)
	return token, nil
}

// external makes the token of Config.Token the current one.
func (t *tokens) external(ctx context.Context) (*currentToken, error) {
	if t.refused != nil {
		return nil, t.refused
	}
	access, err := t.config.Token(ctx)
	if err != nil {
		return nil, &SignInError{err}
	}
	notVisible := func(r rune) bool { return r <= ' ' || r > '~' }
	if access == "" || strings.ContainsFunc(access, notVisible) {
		return nil, &SignInError{errors.New(
			"want an access token of visible ASCII characters, got an empty one or one with other characters",
		)}
	}
	token := &currentToken{access: access, authorization: []string{"Bearer " + access}}
	t.current.Store(token)
	return token, nil
}

// save stores a new token and makes it the current one. It stores the token first, because the
// server may already have revoked the one before.
func (t *tokens) save(
	ctx context.Context, record *tokenstore.Record, issuer string, entry tokenstore.Entry, refreshed bool,
) error {
	record.Put(issuer, entry)
	// A caller that gives up now must not cost the person a sign-in.
	saveErr := t.config.Tokens.Save(context.WithoutCancel(ctx), t.key, *record)
	token, err := t.setCurrent(entry)
	if err := errors.Join(err, saveErr); err != nil {
		return err
	}
	issued := Issued{
		Scopes:    entry.Token.Scopes,
		Renewable: token.renewable,
		Refreshed: refreshed,
		Bound:     token.dpop != nil,
	}
	if !entry.Token.Expiry.IsZero() {
		issued.Lifetime = entry.Token.Expiry.Sub(t.config.Now())
	}
	t.config.Trace(issued)
	return nil
}

// lockRecord locks the store's record and loads it. The caller unlocks it.
func (t *tokens) lockRecord(ctx context.Context) (tokenstore.Record, func(), error) {
	unlock, err := t.config.Tokens.Lock(ctx, t.key)
	if err != nil {
		return tokenstore.Record{}, nil, err
	}
	loaded := false
	defer func() { // also if the store's Load ends the goroutine
		if !loaded {
			unlock()
		}
	}()
	record, err := t.config.Tokens.Load(ctx, t.key)
	if err != nil {
		return tokenstore.Record{}, nil, err
	}
	loaded = true
	return record, unlock, nil
}

// giveUp forgets a token that the server refuses although it is new. Later requests get the same
// error: another sign-in would end the same way.
func (t *tokens) giveUp(ctx context.Context, access string, reason error) error {
	if err := t.worker.acquire(ctx); err != nil {
		return err
	}
	defer t.worker.release()
	t.refused = &SignInError{reason}
	_, _, err := t.forget(ctx, access)
	return errors.Join(t.refused, err)
}

// forget removes a token from this Transport and from the store, unless another one has replaced
// it. An empty argument means any token. It returns the removed token's issuer and entry.
func (t *tokens) forget(ctx context.Context, access string) (issuer string, entry tokenstore.Entry, err error) {
	if token := t.current.Load(); token != nil && (access == "" || token.access == access) {
		t.current.Store(nil)
	}
	record, unlock, err := t.lockRecord(ctx)
	if err != nil {
		return "", tokenstore.Entry{}, err
	}
	defer unlock()
	issuer, entry, found := record.InUse()
	replaced := access != "" && entry.Token.Access != access
	if !found || entry.Token.Access == "" || replaced {
		return "", tokenstore.Entry{}, nil
	}
	record.Forget(issuer)
	if access == "" {
		rest := record.Entries[issuer]
		rest.Tenant = "" // a person who signs out may sign in again from another tenant
		record.Entries[issuer] = rest
	}
	return issuer, entry, t.config.Tokens.Save(ctx, t.key, record)
}

// signOut is SignOut of the Transport.
func (t *tokens) signOut(ctx context.Context) (bool, error) {
	if err := t.worker.acquire(ctx); err != nil {
		return false, err
	}
	defer t.worker.release()
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
	return true, t.channel.storedEndpoint(issuer, entry).Revoke(ctx, entry.RevocationEndpoint, token)
}

// reset is Reset of the Transport.
func (t *tokens) reset() {
	<-t.worker.lock
	defer t.worker.release()
	t.refused = nil
	t.stepUps.reset()
	t.current.Store(nil)
}
