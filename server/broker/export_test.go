package broker

import (
	"context"

	"mcpentra/server/identity"
)

// MaintainOnce does the work of Maintain once.
func (b *Broker) MaintainOnce(ctx context.Context) error { return b.maintain(ctx) }

// GrantsOfPerson returns the IDs of a person's grants.
func (b *Broker) GrantsOfPerson(ctx context.Context, person identity.Principal) ([]string, error) {
	return idsOf(b.grantsOfPerson(ctx, person))
}

// GrantsOfClient returns the IDs of a client's grants.
func (b *Broker) GrantsOfClient(ctx context.Context, clientID string) ([]string, error) {
	return idsOf(b.grantsOfClient(ctx, clientID))
}

func idsOf(grants []listedGrant, err error) ([]string, error) {
	var ids []string
	for _, one := range grants {
		ids = append(ids, one.ID)
	}
	return ids, err
}
