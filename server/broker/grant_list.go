package broker

import (
	"context"
	"slices"
	"strings"
	"time"

	"mcpentra/server/identity"
	"mcpentra/server/store"
)

// A listedGrant is a grant with its ID and the time at which it expires.
type listedGrant struct {
	grant
	ID      string
	Expires time.Time
}

// nameGrant gives a grant's record the names by which grants are listed: the person is its source,
// and the client its group.
func (b *Broker) nameGrant(record *store.Record, g *grant) {
	record.Source = b.personSource(g.Principal)
	record.Group = b.clientGroup(g.ClientID)
}

// grantsOfPerson returns the grants of one person.
func (b *Broker) grantsOfPerson(ctx context.Context, person identity.Principal) ([]listedGrant, error) {
	var queries []store.Query
	for _, name := range b.config.Keys.names(b.now(), personParts(person)...) {
		queries = append(queries, store.Query{Kind: kindGrant, Source: name})
	}
	return b.listGrants(ctx, queries, func(g *grant) bool { return g.Principal == person })
}

// grantsOfClient returns the grants of one client. Grants of earlier versions are among them once
// Maintain has rewritten them.
func (b *Broker) grantsOfClient(ctx context.Context, clientID string) ([]listedGrant, error) {
	var queries []store.Query
	for _, name := range b.config.Keys.names(b.now(), "client", clientID) {
		queries = append(queries, store.Query{Kind: kindGrant, Group: name})
	}
	return b.listGrants(ctx, queries, func(g *grant) bool { return g.ClientID == clientID })
}

// listGrants returns the grants that queries find and that match, each once, in the order of their
// IDs.
func (b *Broker) listGrants(
	ctx context.Context,
	queries []store.Query,
	matches func(*grant) bool,
) ([]listedGrant, error) {
	found := map[string]listedGrant{}
	for _, query := range queries {
		query.Limit = store.MaxList
		for {
			page, err := b.config.Store.List(ctx, query)
			if err != nil {
				return nil, err
			}
			for _, record := range page {
				one := listedGrant{ID: record.Key, Expires: record.Expires}
				if err := b.records.read(record, &one.grant); err != nil {
					return nil, err
				}
				if matches(&one.grant) {
					found[one.ID] = one
				}
			}
			if len(page) < store.MaxList {
				break
			}
			query.After = page[len(page)-1].Key
		}
	}
	var all []listedGrant
	for _, one := range found {
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b listedGrant) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}
