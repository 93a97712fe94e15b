package client

import (
	"context"
	"errors"
	"time"

	"mcpentra/client/tokenrequest"
	"mcpentra/client/tokenstore"
)

// refreshMargin is how long before its expiry a token is replaced.
const refreshMargin = 30 * time.Second

// expires reports whether a token expires within refreshMargin. A zero expiry means never.
func (t *tokens) expires(expiry time.Time) bool {
	return !expiry.IsZero() && t.config.Now().Add(refreshMargin).After(expiry)
}

func (t *tokens) mustRefresh(token tokenrequest.Token) bool {
	return token.Refresh != "" && t.expires(token.Expiry)
}

// refreshExpiring replaces a token that is about to expire, unless another process has done so.
func (t *tokens) refreshExpiring(ctx context.Context) (*currentToken, error) {
	record, unlock, err := t.lockRecord(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	issuer, entry, found := t.entry(&record)
	if !found {
		t.current.Store(nil)
		return noToken, t.refused
	}
	if !t.mustRefresh(entry.Token) {
		return t.setCurrent(entry)
	}
	err = t.refresh(ctx, &record, issuer, entry)
	var refused *tokenrequest.Error
	switch {
	case err == nil:
		return t.current.Load(), nil
	case errors.As(err, &refused):
		return noToken, nil // the grant has ended: the server's 401 leads to a sign-in
	case t.config.Now().Before(entry.Token.Expiry) && ctx.Err() == nil:
		// The network failed, but the token is still valid. Without the refresh token it stays
		// current until the server refuses it.
		entry.Token.Refresh = ""
		return t.setCurrent(entry)
	}
	return nil, err
}

// refresh replaces the token of an entry. The caller has locked the record. If the authorization
// server refuses, the entry loses its token. If the network fails, nothing changes.
func (t *tokens) refresh(
	ctx context.Context, record *tokenstore.Record, issuer string, entry tokenstore.Entry,
) error {
	endpoint := t.channel.storedEndpoint(issuer, entry)
	endpoint.Scope = t.config.scopeParameter(entry.RequestedScopes)
	if entry.Token.Bound {
		key, err := tokenrequest.ReadDPoP(entry.DPoPKey, t.config.Now)
		if err != nil {
			return err
		}
		endpoint.DPoP = key
	}
	t.worker.commit()
	fresh, err := endpoint.Refresh(ctx, entry.Token.Refresh, entry.Resource)
	var refused *tokenrequest.Error
	if errors.As(err, &refused) {
		return errors.Join(err, t.endGrant(ctx, record, issuer, refused))
	}
	if err != nil {
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

// endGrant removes the token of a grant that the authorization server has ended. It removes the
// client, too, if the server has forgotten its registration.
func (t *tokens) endGrant(
	ctx context.Context, record *tokenstore.Record, issuer string, refused *tokenrequest.Error,
) error {
	record.Forget(issuer)
	entry := record.Entries[issuer]
	if refused.Code == "invalid_client" && !entry.Preregistered {
		entry.Client = tokenrequest.Client{}
		record.Put(issuer, entry)
	}
	t.current.Store(nil)
	return t.config.Tokens.Save(ctx, t.key, *record)
}
