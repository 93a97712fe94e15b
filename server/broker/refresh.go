package broker

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"mcpentra/server/entra"
	"mcpentra/server/store"
)

// A refresh token has three parts: the ID of its grant, random bytes, and a mark that only this
// server can make. The mark shows that this server issued the token, however long ago. So an old
// token ends its grant, and a forged one does not.
const (
	refreshPrefix   = "mcpr_"
	refreshRandom   = 36  // bytes
	maxRefreshToken = 200 // bytes
)

// newRefreshToken makes a refresh token of a grant.
func (b *Broker) newRefreshToken(grantID string) (string, error) {
	random := make([]byte, refreshRandom)
	if _, err := io.ReadFull(b.config.Rand, random); err != nil {
		return "", fmt.Errorf("broker: no randomness: %w", err)
	}
	text := grantID + "." + base64.RawURLEncoding.EncodeToString(random)
	return refreshPrefix + text + "." + b.config.Keys.mark(b.now(), text), nil
}

// readRefreshToken returns the grant ID in a refresh token of this server.
func (b *Broker) readRefreshToken(presented string) (grantID string, ok bool) {
	text, found := strings.CutPrefix(presented, refreshPrefix)
	parts := strings.Split(text, ".")
	if !found || len(presented) > maxRefreshToken || len(parts) != 3 {
		return "", false
	}
	if !b.config.Keys.hasMarked(parts[0]+"."+parts[1], parts[2]) {
		return "", false
	}
	return parts[0], true
}

// errReplay ends a grant and all its refresh tokens.
var errReplay = errors.New("a refresh token was used again after its replacement had been used, or too late")

// wrongRefreshToken refuses a refresh token. The reason goes to the log only.
func wrongRefreshToken(why string) *protocolError {
	problem := badRequest("invalid_grant",
		"the refresh token is unknown, expired or revoked, or belongs to another client: sign in again")
	return problem.because(why)
}

// redeemRefreshToken exchanges a refresh token for its one successor (OAuth 2.1 section 4.3.1). If
// the token comes again within repeatLifetime and its successor is unused, the client gets the same
// successor. Otherwise the grant ends.
func (b *Broker) redeemRefreshToken(
	ctx context.Context,
	found *client,
	form url.Values,
) (*tokenResponse, *protocolError) {
	presented := form.Get("refresh_token")
	if presented == "" {
		return nil, badRequest("invalid_request", "refresh_token is missing")
	}
	grantID, ok := b.readRefreshToken(presented)
	if !ok {
		return nil, wrongRefreshToken("not a refresh token of this server, or its key is gone")
	}
	for {
		record, g, problem := b.ownGrant(ctx, found, grantID)
		if problem != nil {
			return nil, problem
		}
		if problem := b.checkResource(form["resource"], g.Scopes); problem != nil {
			return nil, problem
		}
		scopes, problem := b.narrowedScopes(g, form.Get("scope"))
		if problem != nil {
			return nil, problem
		}
		// Entra is asked before the token is replaced, so a failure there costs the client nothing.
		if hashed(presented) == g.RefreshHash && !b.upstreamIsFresh(g) {
			if problem := b.checkSignIn(ctx, found, grantID); problem != nil {
				return nil, problem
			}
			record, g, problem = b.ownGrant(ctx, found, grantID) // it has Entra's new tokens
			if problem != nil {
				return nil, problem
			}
		}
		successor, err := b.rotate(ctx, record, g, presented)
		switch {
		case errors.Is(err, store.ErrConflict) && ctx.Err() == nil:
			continue // another request was faster, perhaps with the same token
		case errors.Is(err, errReplay):
			return nil, b.endFamily(ctx, grantID, g)
		case err != nil:
			return nil, b.storeProblem(ctx, err)
		}
		// A client that only refreshes is in use as well. If its record cannot be written now, the
		// next refresh writes it.
		if err := b.markUsed(ctx, found); err != nil && ctx.Err() == nil {
			b.log.WarnContext(ctx, "a client could not be kept for longer", "client", found.ID, "error", err)
		}
		return b.respond(ctx, grantID, g, scopes, successor)
	}
}

// ownGrant returns the grant of a refresh token, if it is the client's, with its record.
func (b *Broker) ownGrant(ctx context.Context, found *client, grantID string) (store.Record, *grant, *protocolError) {
	var g grant
	record, err := b.records.get(ctx, kindGrant, grantID, &g)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return record, nil, wrongRefreshToken("the grant has ended")
	case err != nil:
		return record, nil, b.storeProblem(ctx, err)
	case g.ClientID != found.ID:
		return record, nil, wrongRefreshToken("the refresh token belongs to another client")
	}
	return record, &g, b.checkServed(&g)
}

// checkSignIn checks that the person's sign-in at Entra has not ended.
func (b *Broker) checkSignIn(ctx context.Context, found *client, grantID string) *protocolError {
	_, err := b.UpstreamToken(ctx, grantID)
	var refused *entra.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrGrantOver):
		errors.As(err, &refused)
		return wrongRefreshToken("the sign-in at Entra ID is over").described(sayOver(refused))
	case errors.As(err, &refused) && refused.Code == "invalid_grant":
		return wrongRefreshToken("entra refuses the refresh: " + refused.Error())
	}
	b.log.WarnContext(ctx, "entra cannot be asked about a grant", "client", found.ID, "error", err)
	return entraCannotBeAsked().pausedBy(err)
}

// endFamily ends the grant of a refresh token that came too late.
func (b *Broker) endFamily(ctx context.Context, grantID string, g *grant) *protocolError {
	if err := b.endStolen(ctx, grantID, g.Principal, g.ClientID); err != nil {
		return b.storeProblem(ctx, err)
	}
	return wrongRefreshToken(errReplay.Error()+": the grant and the consent to its client end").
		asWarning().saw("tenant", g.Principal.TenantID).saw("object", g.Principal.ObjectID)
}

// rotate replaces the presented token by its successor in the grant that was read from the record.
// If that has happened within repeatLifetime, it returns the same successor. It returns
// store.ErrConflict if the grant has changed meanwhile.
func (b *Broker) rotate(ctx context.Context, record store.Record, g *grant, presented string) (string, error) {
	grantID := record.Key
	switch hash := hashed(presented); {
	case hash == g.RefreshHash:
		successor, err := b.replace(g, grantID, presented)
		if err != nil {
			return "", err
		}
		if until := b.now().Add(grantLifetime); until.Sub(record.Expires) >= grantExtension {
			record.Expires = until
		}
		b.nameGrant(&record, g)
		return successor, b.records.put(ctx, record, g)
	case hash == g.PreviousHash && b.now().Sub(g.Rotated) < repeatLifetime:
		return openSuccessor(g, grantID, presented)
	}
	return "", errReplay
}

// replace puts a successor of the presented token into a grant.
func (b *Broker) replace(g *grant, grantID, presented string) (successor string, err error) {
	successor, err = b.newRefreshToken(grantID)
	if err != nil {
		return "", err
	}
	lock, err := successorKey(presented)
	if err != nil {
		return "", err
	}
	g.Successor, err = lock.seal(b.config.Rand, []byte(successor), successorPlace(grantID))
	g.PreviousHash = hashed(presented)
	g.RefreshHash = hashed(successor)
	g.Rotated = b.now()
	return successor, err
}

// openSuccessor returns the token that replaced the presented one.
func openSuccessor(g *grant, grantID, presented string) (string, error) {
	lock, err := successorKey(presented)
	if err != nil {
		return "", err
	}
	successor, err := lock.open(g.Successor, successorPlace(grantID))
	return string(successor), err
}

func successorPlace(grantID string) string { return "successor\x00" + grantID }

// successorKey derives the key that encrypts a token's successor from the token. Without the token
// the store's owner cannot read the successor.
func successorKey(presented string) (sealingKey, error) {
	return newSealingKey(derive([]byte(presented), "successor"))
}
