package broker

import (
	"context"
	"errors"
	"time"

	"mcpentra/server/entra"
	"mcpentra/server/identity"
	"mcpentra/server/store"
)

// A grant is one person's permission to one client. It is one record, changed by compare-and-swap,
// so all its changes have one order.
type grant struct {
	ClientID   string             `json:"client_id"`
	ClientName string             `json:"client_name"`
	Principal  identity.Principal `json:"principal"`
	Name       string             `json:"name"`
	Username   string             `json:"username"`
	Scopes     []string           `json:"scopes"`
	Created    time.Time          `json:"created,omitzero"`
	Upstream   upstreamTokens     `json:"upstream"`
	// Attributes come from Entra's last ID token. They are nil in grants of versions that stored
	// none.
	Attributes *identity.Attributes `json:"attributes,omitempty"`

	// RefreshHash is the hash of the valid refresh token, and PreviousHash the hash of the token
	// that it replaced at the time Rotated.
	RefreshHash  string    `json:"refresh"`
	PreviousHash string    `json:"previous,omitempty"`
	Rotated      time.Time `json:"rotated"`
	// Successor is the valid refresh token, encrypted under a key that only the previous token
	// gives.
	Successor []byte `json:"successor,omitempty"`
}

// attributes returns the attributes of the person. An older grant does not know the groups.
func (g *grant) attributes() identity.Attributes {
	if g.Attributes == nil {
		return identity.Attributes{Kind: identity.User, GroupsIncomplete: true}
	}
	return *g.Attributes
}

// ErrGrantOver says that a grant has ended, here or at Entra: the person has to sign in again.
var ErrGrantOver = errors.New("the sign-in has ended")

// UpstreamToken returns the Graph token of a grant. If the token expires in less than five minutes,
// it asks Entra for a new one, once for all requests at the same time. It returns ErrGrantOver, or
// an error that says that Entra or the store cannot be reached.
func (b *Broker) UpstreamToken(ctx context.Context, grantID string) (string, error) {
	g, err := b.findGrant(ctx, grantID)
	if err != nil {
		return "", err
	}
	if b.upstreamIsFresh(g) {
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

// findGrant returns a grant, or ErrGrantOver.
func (b *Broker) findGrant(ctx context.Context, grantID string) (*grant, error) {
	var g grant
	_, err := b.records.get(ctx, kindGrant, grantID, &g)
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrGrantOver
	} else if err != nil {
		return nil, err
	}
	return &g, nil
}

func (b *Broker) upstreamIsFresh(g *grant) bool {
	return g.Upstream.Expiry.Sub(b.now()) >= upstreamMargin
}

// renewUpstream asks Entra for new tokens and stores them in the grant. If Entra says that the
// sign-in has ended, it ends the grant.
func (b *Broker) renewUpstream(ctx context.Context, grantID string) (string, error) {
	g, err := b.findGrant(ctx, grantID)
	if err != nil {
		return "", err
	}
	if b.upstreamIsFresh(g) {
		return g.Upstream.Access, nil // another request was faster
	}
	if g.Upstream.Refresh == "" {
		return "", b.endGrant(ctx, grantID, g, "entra gave no refresh token")
	}
	tokens, err := b.config.Entra.Refresh(ctx, g.Upstream.Refresh, b.upstreamScopes(g.Scopes))
	var refused *entra.Error
	switch {
	case errors.As(err, &refused) && refused.GrantOver():
		return "", b.endGrant(ctx, grantID, g, refused.Error())
	case err != nil && b.now().Before(g.Upstream.Expiry):
		b.log.WarnContext(ctx, "entra cannot renew a token; the old one is used until it expires",
			"client", g.ClientID,
			"error", err)
		return g.Upstream.Access, nil
	case err != nil:
		return "", err
	}
	if isAnother(tokens.User, g.Principal) {
		return "", b.endGrant(ctx, grantID, g, "entra answered for another person")
	}
	renewed := newUpstreamTokens(tokens)
	if renewed.Refresh == "" {
		renewed.Refresh = g.Upstream.Refresh
	}
	err = b.changeGrant(ctx, grantID, func(g *grant) {
		g.Upstream = renewed
		if user := tokens.User; user.ObjectID != "" { // there was an ID token
			g.Name = user.Name
			g.Username = user.Username
			g.Attributes = &user.Attributes
		}
	})
	if errors.Is(err, store.ErrNotFound) {
		return "", ErrGrantOver
	} else if err != nil {
		return "", err
	}
	return renewed.Access, nil
}

// isAnother reports whether an ID token, if there was one, is about another person than the grant.
func isAnother(user entra.User, person identity.Principal) bool {
	return user.ObjectID != "" && (user.ObjectID != person.ObjectID || user.TenantID != person.TenantID)
}

func (b *Broker) endGrant(ctx context.Context, grantID string, g *grant, why string) error {
	b.log.InfoContext(ctx, "grant ended",
		"client", g.ClientID,
		"tenant", g.Principal.TenantID,
		"object", g.Principal.ObjectID,
		"reason", why)
	if err := b.config.Store.Delete(ctx, kindGrant, grantID); err != nil {
		return err
	}
	return ErrGrantOver
}

// changeGrant applies a change to a grant. If another request changes the grant meanwhile, it tries
// again.
func (b *Broker) changeGrant(ctx context.Context, grantID string, change func(*grant)) error {
	for {
		var g grant
		record, err := b.records.get(ctx, kindGrant, grantID, &g)
		if err != nil {
			return err
		}
		change(&g)
		if err := b.records.put(ctx, record, g); !errors.Is(err, store.ErrConflict) {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// endStolen ends a grant after a second use of its code or refresh token. It also forgets what the
// person has approved for the client, so the next sign-in asks again.
func (b *Broker) endStolen(ctx context.Context, grantID string, person identity.Principal, clientID string) error {
	// The consent goes first. If the store fails between the two, the next replay finds the grant
	// and tries again.
	if err := b.config.Store.Delete(ctx, kindConsent, consentKey(person, clientID)); err != nil {
		return err
	}
	return b.config.Store.Delete(ctx, kindGrant, grantID)
}
