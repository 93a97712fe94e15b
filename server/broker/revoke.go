package broker

import (
	"errors"
	"net/http"

	"mcpentra/server/store"
	"mcpentra/server/token"
)

// handleRevoke ends the grant of a refresh or access token (RFC 7009). A token that is unknown, or
// another client's, is answered like one that was revoked, and stays what it was: the answer tells
// nobody anything.
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
	grantID, _, ok := b.readRefreshToken(presented)
	if !ok {
		caller, err := b.verifyAlone(r.Context(), presented)
		var invalid *token.InvalidError
		switch {
		case errors.As(err, &invalid):
		case err != nil:
			b.refuse(w, r, b.storeProblem(r.Context(), err))
			return
		default:
			grantID = caller.GrantID
		}
	}
	if grantID != "" {
		var g grant
		_, err := b.records.get(r.Context(), kindGrant, grantID, &g)
		if err == nil && g.ClientID == found.ID {
			b.log.InfoContext(
				r.Context(),
				"grant revoked by its client",
				"client",
				found.ID,
				"tenant",
				g.Principal.TenantID,
				"object",
				g.Principal.ObjectID,
			)
			err = b.config.Store.Delete(r.Context(), kindGrant, grantID)
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			b.refuse(w, r, b.storeProblem(r.Context(), err))
			return
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}
