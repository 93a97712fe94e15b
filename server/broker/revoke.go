package broker

import (
	"context"
	"errors"
	"net/http"

	"mcpentra/server/identity"
	"mcpentra/server/store"
	"mcpentra/server/token"
)

// handleRevoke ends the grant of a refresh or access token (RFC 7009). It answers an unknown token
// or another client's token in the same way and leaves it alone, so the answer reveals nothing.
func (b *Broker) handleRevoke(w http.ResponseWriter, r *http.Request) {
	form, problem := readForm(w, r)
	if problem != nil {
		b.refuse(w, r, problem)
		return
	}
	found, problem := b.authenticate(r, form, true)
	if problem != nil {
		b.refuse(w, r, problem)
		return
	}
	presented := form.Get("token")
	if presented == "" {
		b.refuse(w, r, badRequest("invalid_request", "token is missing").saw("client", found.ID))
		return
	}
	if err := b.revoke(r.Context(), found, presented); err != nil {
		b.refuse(w, r, b.storeProblem(r.Context(), err))
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}

// revoke ends the grant of a refresh or access token, or an application's token.
func (b *Broker) revoke(ctx context.Context, found *client, presented string) error {
	if grantID, ok := b.readRefreshToken(presented); ok {
		return b.revokeGrant(ctx, found, grantID)
	}
	caller, err := b.verifyAlone(ctx, presented)
	var invalid *token.InvalidError
	switch {
	case errors.As(err, &invalid):
		return nil
	case err != nil:
		return err
	case caller.Kind == identity.App:
		return b.revokeAppToken(ctx, found, caller)
	}
	return b.revokeGrant(ctx, found, caller.GrantID)
}

// revokeGrant deletes a grant if it belongs to the client.
func (b *Broker) revokeGrant(ctx context.Context, found *client, grantID string) error {
	var g grant
	_, err := b.records.get(ctx, kindGrant, grantID, &g)
	if errors.Is(err, store.ErrNotFound) || err == nil && g.ClientID != found.ID {
		return nil
	} else if err != nil {
		return err
	}
	b.log.InfoContext(ctx, "grant revoked by its client",
		"client", found.ID,
		"tenant", g.Principal.TenantID,
		"object", g.Principal.ObjectID)
	return b.config.Store.Delete(ctx, kindGrant, grantID)
}
