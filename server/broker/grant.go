package broker

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"mcpentra/server/entra"
	"mcpentra/server/store"
	"mcpentra/server/token"
)

// A grant is one person's permission to one client. It is one record, changed by compare-and-swap,
// so that everything about it has one order.
type grant struct {
	ClientID   string         `json:"client_id"`
	ClientName string         `json:"client_name"`
	Principal  Principal      `json:"principal"`
	Name       string         `json:"name"`
	Username   string         `json:"username"`
	Scopes     []string       `json:"scopes"`
	Upstream   upstreamTokens `json:"upstream"`
	// Attributes are what Entra's last ID token said. They are nil in grants from before there were
	// any.
	Attributes *entra.Attributes `json:"attributes,omitempty"`

	// The refresh family: the hash of the one token that is good, and what its predecessor is
	// repeated with for a moment.
	Refresh   string    `json:"refresh"`
	Previous  string    `json:"previous,omitempty"`
	Rotated   time.Time `json:"rotated"`
	Successor []byte    `json:"successor,omitempty"` // the good token, sealed under a key that only the predecessor gives
}

func errGrantGone() error { return token.NewInvalidError("the grant has ended") }

// storeAway says that a token cannot be judged because the store cannot be asked.
func storeAway(err error) error {
	return &token.UnavailableError{RetryAfter: 5 * time.Second, Err: err}
}

// verifyAlone checks an access token without asking whether its grant still stands.
// What it returns must not be changed.
func (b *Broker) verifyAlone(ctx context.Context, raw string) (*Caller, error) {
	known, err := b.verified.Verify(ctx, raw)
	if err != nil {
		return nil, err // an expired token comes with its caller
	}
	return &known.Caller, nil
}

// attributes are what is known of the person. Nothing is known of the groups in a grant from before
// they were kept.
func (g *grant) attributes() entra.Attributes {
	if g.Attributes == nil {
		return entra.Attributes{Kind: entra.Member, GroupsIncomplete: true}
	}
	return *g.Attributes
}

// A knownCaller is what is remembered of a verified token: what it says itself, and the last
// reading of its grant.
type knownCaller struct {
	Caller
	last atomic.Pointer[grantReading]
}

// A grantReading is the caller as a version of the grant's record has it. As long as the store has
// that version, there is nothing new to read in it.
type grantReading struct {
	version int64
	caller  Caller
}

// readClaims reads what a verified token says.
func readClaims(verified *token.Claims) (*knownCaller, error) {
	var claims callerClaims
	if err := verified.Decode(&claims); err != nil || claims.GrantID == "" || claims.ClientID == "" ||
		claims.ObjectID == "" {
		return nil, token.NewInvalidError("not one of this server's access tokens")
	}
	return &knownCaller{Caller: Caller{
		Principal:  Principal{claims.EntraIssuer, claims.TenantID, claims.ObjectID},
		Name:       claims.Name,
		Username:   claims.Username,
		ClientID:   claims.ClientID,
		ClientName: claims.ClientName,
		GrantID:    claims.GrantID,
		TokenID:    verified.ID,
		Scopes:     strings.Fields(claims.Scope),
		Issued:     verified.IssuedAt,
		Expiry:     verified.Expiry,
		GoodUntil:  verified.GoodUntil,
	}}, nil
}

// ErrGrantOver says that a grant has ended, here or at Entra: the person has to sign in again.
var ErrGrantOver = errors.New("the sign-in has ended")

// UpstreamToken is the Graph token of a grant. Entra is asked for a new one when less than five
// minutes are left of it, once for all who want it at the same time. Its error is ErrGrantOver or
// says that Entra or the store cannot be reached.
func (b *Broker) UpstreamToken(ctx context.Context, grantID string) (string, error) {
	var g grant
	if _, err := b.records.get(ctx, kindGrant, grantID, &g); errors.Is(err, store.ErrNotFound) {
		return "", ErrGrantOver
	} else if err != nil {
		return "", err
	}
	if g.Upstream.Expiry.Sub(b.now()) >= upstreamMargin {
		return g.Upstream.Access, nil
	}
	result := b.upstream.DoChan(grantID, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		return b.renewUpstream(ctx, grantID)
	})
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case done := <-result:
		if done.Err != nil {
			return "", done.Err
		}
		return done.Val.(string), nil
	}
}

// renewUpstream asks Entra for new tokens and keeps them with the grant. If Entra says that the
// sign-in is over, so is the grant.
func (b *Broker) renewUpstream(ctx context.Context, grantID string) (string, error) {
	var g grant
	if _, err := b.records.get(ctx, kindGrant, grantID, &g); errors.Is(err, store.ErrNotFound) {
		return "", ErrGrantOver
	} else if err != nil {
		return "", err
	}
	if g.Upstream.Expiry.Sub(b.now()) >= upstreamMargin {
		return g.Upstream.Access, nil // somebody else was faster
	}
	if g.Upstream.Refresh == "" {
		return "", b.endGrant(ctx, grantID, &g, "entra gave no refresh token")
	}
	tokens, err := b.config.Entra.Refresh(ctx, g.Upstream.Refresh, b.upstreamScopes(g.Scopes))
	var refused *entra.Error
	switch {
	case errors.As(err, &refused) && refused.GrantOver():
		return "", b.endGrant(ctx, grantID, &g, refused.Error())
	case err != nil && g.Upstream.Expiry.Sub(b.now()) > 0:
		b.log.WarnContext(
			ctx,
			"entra cannot renew a token; what is left of the old one is used",
			"client",
			g.ClientID,
			"error",
			err,
		)
		return g.Upstream.Access, nil
	case err != nil:
		return "", err
	}
	if tokens.User.ObjectID != "" &&
		(tokens.User.ObjectID != g.Principal.ObjectID || tokens.User.TenantID != g.Principal.TenantID) {
		return "", b.endGrant(ctx, grantID, &g, "entra answered for somebody else")
	}
	fresh := newUpstreamTokens(tokens)
	if fresh.Refresh == "" {
		fresh.Refresh = g.Upstream.Refresh
	}
	err = b.changeGrant(ctx, grantID, func(g *grant) error {
		g.Upstream = fresh
		if user := tokens.User; user.ObjectID != "" { // there was an ID token
			g.Name = user.Name
			g.Username = user.Username
			g.Attributes = &user.Attributes
		}
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return "", ErrGrantOver
	} else if err != nil {
		return "", err
	}
	return fresh.Access, nil
}

func (b *Broker) endGrant(ctx context.Context, grantID string, g *grant, why string) error {
	b.log.InfoContext(
		ctx,
		"grant ended",
		"client",
		g.ClientID,
		"tenant",
		g.Principal.TenantID,
		"object",
		g.Principal.ObjectID,
		"reason",
		why,
	)
	if err := b.config.Store.Delete(ctx, kindGrant, grantID); err != nil {
		return err
	}
	return ErrGrantOver
}

// changeGrant applies a change to a grant, again when somebody else has changed it meanwhile. A
// change that returns an error is not made.
func (b *Broker) changeGrant(ctx context.Context, grantID string, change func(*grant) error) error {
	for {
		var g grant
		record, err := b.records.get(ctx, kindGrant, grantID, &g)
		if err != nil {
			return err
		}
		if err := change(&g); err != nil {
			return err
		}
		if err := b.records.put(ctx, record, g); !errors.Is(err, store.ErrConflict) {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}
