package broker

import (
	"context"
	"errors"
	"net/http"

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
	found, problem := b.authenticate(r, form)
	if problem != nil {
		b.refuse(w, r, problem)
		return
	}
	presented := form.Get("token")
	if presented == "" {
		b.refuse(w, r, badRequest("invalid_request", "token is missing").saw("client", found.ID))
		return
	}
	grantID, err := b.grantOf(r.Context(), presented)
	if err == nil && grantID != "" {
		err = b.revokeGrant(r.Context(), found, grantID)
	}
	if err != nil {
		b.refuse(w, r, b.storeProblem(r.Context(), err))
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}

// grantOf returns the grant ID in a refresh or access token, or "" for an invalid token.
func (b *Broker) grantOf(ctx context.Context, presented string) (string, error) {
	if grantID, ok := b.readRefreshToken(presented); ok {
		return grantID, nil
	}
	caller, err := b.verifyAlone(ctx, presented)
	var invalid *token.InvalidError
	if errors.As(err, &invalid) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	return caller.GrantID, nil
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
