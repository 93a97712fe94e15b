package broker

import (
	"context"
	"errors"
	"time"

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
