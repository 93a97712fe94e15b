package broker

import (
	"context"

	"mcpentra/server/store"
)

// An unstoredGrant is a new grant with its ID and its refresh token.
type unstoredGrant struct {
	id      string
	grant   *grant
	refresh string
}

// newGrant makes the grant of a code, and lets an administrator find its person.
func (b *Broker) newGrant(ctx context.Context, code *authorizationCode) (*unstoredGrant, error) {
	secret, err := b.secret()
	if err != nil {
		return nil, err
	}
	grantID := secret[:idLength]
	refresh, err := b.newRefreshToken(grantID)
	if err != nil {
		return nil, err
	}
	made := &grant{
		ClientID:    code.ClientID,
		ClientName:  code.ClientName,
		Principal:   code.SignIn.Principal,
		Name:        code.SignIn.Name,
		Username:    code.SignIn.Username,
		Attributes:  code.SignIn.Attributes,
		Scopes:      code.Scopes,
		Created:     b.now(),
		Upstream:    code.SignIn.Upstream,
		RefreshHash: hashed(refresh),
		Rotated:     b.now(),
	}
	return &unstoredGrant{grantID, made, refresh}, b.rememberPerson(ctx, made.Principal, made.Username)
}

// storeGrant stores a new grant, and then the record of its code, which names the grant. In this
// order a replay finds a grant to end. If the record of the code cannot be stored, the grant is
// deleted again. Until both are stored, no client has its tokens.
func (b *Broker) storeGrant(ctx context.Context, made *unstoredGrant, used change) error {
	_, err := b.records.putInOrder(ctx, b.newGrantRecord(made), used)
	if err != nil {
		b.deleteOrphan(ctx, made.id)
	}
	return err
}

func (b *Broker) newGrantRecord(made *unstoredGrant) change {
	record := store.Record{Kind: kindGrant, Key: made.id, Expires: b.now().Add(grantLifetime)}
	b.nameGrant(&record, made.grant)
	return change{record, made.grant}
}

// deleteOrphan deletes a grant whose code could not be marked as used.
func (b *Broker) deleteOrphan(ctx context.Context, grantID string) {
	err := b.config.Store.Delete(context.WithoutCancel(ctx), kindGrant, grantID)
	if err != nil {
		b.log.ErrorContext(ctx, "a grant without a client is left in the store", "error", err)
	}
}
