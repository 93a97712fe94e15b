package client

import (
	"context"
	"errors"
	"slices"

	"mcpentra/client/discovery"
	"mcpentra/client/tokenrequest"
	"mcpentra/client/tokenstore"
)

// A refusal is an access token that the server does not accept, and the reason.
type refusal struct {
	token       string
	challenge   *discovery.Challenge // may be nil
	refreshable bool                 // a refreshed token may be accepted
	scopes      []string             // that the token lacks, in a step-up
	operation   string               // that needs the scopes; empty except in a step-up
}

// A tokenSource is where another token came from.
type tokenSource int

const (
	byOther tokenSource = iota // another request, or another process
	byRefresh
	bySignIn
)

// renew gets another token than the refused one: a newer one of another request or process, a
// refreshed one, or one of a new sign-in.
func (t *tokens) renew(ctx context.Context, refused refusal) (tokenSource, error) {
	if t.config.Token != nil {
		return t.renewExternal(ctx, refused.token)
	}
	return runAlone(ctx, t.worker, func(ctx context.Context) (tokenSource, error) {
		return t.renewAlone(ctx, refused)
	})
}

// renewExternal gets another token from Config.Token.
func (t *tokens) renewExternal(ctx context.Context, refused string) (tokenSource, error) {
	if err := t.worker.acquire(ctx); err != nil {
		return byOther, err
	}
	defer t.worker.release()
	if t.hasNewer(refused) {
		return byOther, nil
	}
	token, err := t.external(ctx)
	if err == nil && token.access == refused {
		t.refused = &SignInError{errors.New("the server refuses the given access token")}
		t.current.Store(nil)
		err = t.refused
	}
	return bySignIn, err
}

// renewAlone is renew with the worker's lock held.
func (t *tokens) renewAlone(ctx context.Context, refused refusal) (tokenSource, error) {
	if t.hasNewer(refused.token) {
		return byOther, nil
	}
	record, unlock, err := t.lockRecord(ctx)
	if err != nil {
		return byOther, err
	}
	defer unlock()
	issuer, entry, found := t.entry(&record)
	if found && entry.Token.Access != refused.token {
		_, err := t.setCurrent(entry)
		return byOther, err
	}
	if found && refused.refreshable && refused.token != "" && entry.Token.Refresh != "" {
		refreshed, err := t.tryRefresh(ctx, refused, &record, issuer, entry)
		if refreshed || err != nil {
			return byRefresh, err
		}
	}
	if t.refused != nil {
		return byOther, t.refused
	}
	isStepUp := refused.operation != ""
	if isStepUp && !t.stepUps.begin(refused.operation, refused.scopes, entry.RequestedScopes) {
		return byOther, demandsMore(refused.scopes)
	}
	err = t.signIn(ctx, refused, &record)
	var failed *SignInError
	if errors.As(err, &failed) && !(found && isStepUp) {
		// Libraries drop errors and send the request again; the person must not be asked again. A
		// failed step-up leaves the token in use, and only its scopes are not requested again.
		t.refused = err
	}
	return bySignIn, err
}

// hasNewer reports whether another request has brought another token than the refused one. The
// caller has the worker's lock.
func (t *tokens) hasNewer(refused string) bool {
	token := t.current.Load()
	if token != nil && token != noToken && token.access != refused {
		return true
	}
	t.current.CompareAndSwap(noToken, nil) // the next request waits for this renewal
	return false
}

// tryRefresh refreshes the token of an entry. It reports false without an error if only a sign-in
// can help: the grant has ended, or the server has another authorization server now.
func (t *tokens) tryRefresh(
	ctx context.Context, refused refusal, record *tokenstore.Record, issuer string, entry tokenstore.Entry,
) (refreshed bool, err error) {
	moved, err := t.channel.hasMoved(ctx, refused.challenge, issuer)
	t.channel.endPreparing()
	if moved || err != nil {
		return false, err
	}
	err = t.refresh(ctx, record, issuer, entry)
	var ended *tokenrequest.Error
	if errors.As(err, &ended) {
		return false, nil
	}
	return err == nil, err
}

// signIn gets a token by a sign-in, and stores it in the record. The caller has locked the record.
func (t *tokens) signIn(ctx context.Context, refused refusal, record *tokenstore.Record) error {
	s := &signIn{
		config:    t.config,
		channel:   t.channel,
		challenge: refused.challenge,
		more:      refused.scopes,
		commit:    t.worker.commit,
	}
	err := s.run(ctx, record)
	if s.asked || s.token != nil {
		t.stepUps.request(slices.Concat(s.scopes, refused.scopes))
	}
	if err != nil && s.lostRegistration() {
		record.Put(s.issuer.Named, s.entry)
		return errors.Join(err, t.config.Tokens.Save(context.WithoutCancel(ctx), t.key, *record))
	}
	if err != nil {
		return err
	}
	return t.save(ctx, record, s.issuer.Named, s.entry, false)
}
