package broker

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"mcpentra/server/store"
)

// repeatFor is how long a refresh that was answered is answered again in the same way, for a client
// whose connection broke, or two of whose processes came at once.
const repeatFor = 30 * time.Second

// A refresh token names its grant and its place in the family, and carries a mark that only this
// server can make. So one that was ever issued is recognised for ever, and a made-up one never ends
// anybody's grant.
const refreshPrefix = "mcpr_"

// newRefreshToken makes the token of a generation: grant ID, generation, 256 random bits, and the
// mark.
func (b *Broker) newRefreshToken(grantID string, generation uint32) (string, error) {
	body := make([]byte, 4+32)
	binary.BigEndian.PutUint32(body, generation)
	if _, err := io.ReadFull(b.config.Rand, body[4:]); err != nil {
		return "", fmt.Errorf("broker: no randomness: %w", err)
	}
	text := grantID + "." + base64.RawURLEncoding.EncodeToString(body)
	return refreshPrefix + text + "." + mark(b.config.Keys.keys[0], text), nil
}

func mark(key storageKey, text string) string {
	mac := hmac.New(sha256.New, key.mac)
	mac.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}

// readRefreshToken takes a token of this server's apart.
func (b *Broker) readRefreshToken(presented string) (grantID string, generation uint32, ok bool) {
	text, found := strings.CutPrefix(presented, refreshPrefix)
	parts := strings.Split(text, ".")
	if !found || len(presented) > 200 || len(parts) != 3 {
		return "", 0, false
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || len(body) != 36 {
		return "", 0, false
	}
	for _, key := range b.config.Keys.keys {
		if hmac.Equal([]byte(mark(key, parts[0]+"."+parts[1])), []byte(parts[2])) {
			return parts[0], binary.BigEndian.Uint32(body), true
		}
	}
	return "", 0, false
}

// errReplay ends a refresh family.
var errReplay = errors.New("a refresh token that was replaced long ago, or whose successor has been used, came again")

// redeemRefreshToken exchanges a refresh token for its one successor (OAuth 2.1 section 4.3.1).
// Presented again within a moment, while the successor has not been used, it gives the same one;
// later it ends the family.
func (b *Broker) redeemRefreshToken(
	ctx context.Context,
	found *client,
	form url.Values,
) (*tokenResponse, *protocolError) {
	wrong := func(why string) *protocolError {
		problem := badRequest("invalid_grant",
			"the refresh token is unknown, expired or revoked, or belongs to another client: sign in again")
		return problem.because(why)
	}
	presented := form.Get("refresh_token")
	if presented == "" {
		return nil, badRequest("invalid_request", "refresh_token is missing")
	}
	grantID, generation, ok := b.readRefreshToken(presented)
	if !ok {
		return nil, wrong("not a refresh token of this server, or its key is gone")
	}
	var g grant
	if _, err := b.records.get(ctx, kindGrant, grantID, &g); errors.Is(err, store.ErrNotFound) {
		return nil, wrong("the grant has ended")
	} else if err != nil {
		return nil, b.storeProblem(ctx, err)
	}
	if g.ClientID != found.ID {
		return nil, wrong("the refresh token belongs to another client")
	}
	scopes, problem := b.narrowed(&g, form.Get("scope"))
	if problem != nil {
		return nil, problem
	}
	// The person's sign-in at Entra is looked at before it is prolonged here; a failure costs the
	// client nothing.
	if hashed(presented) == g.Refresh {
		if _, err := b.UpstreamToken(ctx, grantID); errors.Is(err, ErrGrantOver) {
			return nil, wrong("the sign-in at Entra ID is over")
		} else if err != nil {
			b.log.WarnContext(ctx, "entra cannot be asked about a grant", "client", found.ID, "error", err)
			return nil, unavailable("Entra ID cannot be asked about this sign-in now; the refresh token stays good")
		}
	}
	successor, rotated, err := b.rotate(ctx, grantID, presented, generation)
	switch {
	case errors.Is(err, errReplay):
		if err := b.endStolen(ctx, grantID, g.Principal, g.ClientID); err != nil {
			return nil, b.storeProblem(ctx, err)
		}
		return nil, wrong(errReplay.Error()+": the grant and the consent to its client end").
			asWarning().saw("tenant", g.Principal.TenantID).saw("object", g.Principal.ObjectID)
	case errors.Is(err, store.ErrNotFound):
		return nil, wrong("the grant has ended")
	case err != nil:
		return nil, b.storeProblem(ctx, err)
	}
	// A client that only refreshes is in use as well. If its record cannot be written now, the next
	// refresh does it.
	if err := b.markUsed(ctx, found.ID); err != nil && ctx.Err() == nil {
		b.log.WarnContext(ctx, "a client could not be kept for longer", "client", found.ID, "error", err)
	}
	return b.respond(ctx, grantID, rotated, scopes, successor)
}

// rotate replaces the presented token by its successor, or finds the successor that it was replaced
// by a moment ago.
func (b *Broker) rotate(
	ctx context.Context,
	grantID, presented string,
	generation uint32,
) (successor string, changed *grant, err error) {
	for {
		var g grant
		record, err := b.records.get(ctx, kindGrant, grantID, &g)
		if err != nil {
			return "", nil, err
		}
		place := "successor\x00" + grantID
		switch hash := hashed(presented); {
		case hash == g.Refresh:
			if successor, err = b.newRefreshToken(grantID, generation+1); err != nil {
				return "", nil, err
			}
			lock, err := successorKey(presented)
			if err != nil {
				return "", nil, err
			}
			if g.Successor, err = lock.seal(b.config.Rand, []byte(successor), place); err != nil {
				return "", nil, err
			}
			g.Previous = hash
			g.Refresh = hashed(successor)
			g.Rotated = b.now()
			record.Expires = b.now().Add(grantLifetime)
			record.Source = b.personSource(g.Principal)
			if err := b.records.put(ctx, record, g); errors.Is(err, store.ErrConflict) && ctx.Err() == nil {
				continue // somebody was faster: with the same token, and then the answer is his
			} else if err != nil {
				return "", nil, err
			}
			return successor, &g, nil
		case hash == g.Previous && b.now().Sub(g.Rotated) < repeatFor:
			lock, err := successorKey(presented)
			if err != nil {
				return "", nil, err
			}
			text, err := lock.open(g.Successor, place)
			if err != nil {
				return "", nil, err
			}
			return string(text), &g, nil
		}
		return "", nil, errReplay
	}
}

// successorKey is the key that a token gives to what replaced it. Without the token the store's
// owner cannot read its successor.
func successorKey(presented string) (*Keys, error) {
	key, err := newStorageKey(derive([]byte(presented), "successor"))
	if err != nil {
		return nil, err
	}
	return &Keys{keys: []storageKey{key}}, nil
}
