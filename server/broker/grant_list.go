package broker

import (
	"context"

	"mcpentra/server/store"
)

// nameGrant gives a grant's record the names by which grants are listed: the person is its source,
// and the client its group.
func (b *Broker) nameGrant(record *store.Record, g *grant) {
	record.Source = b.personSource(g.Principal)
	record.Group = b.clientGroup(g.ClientID)
}

// A cursor goes through the records of a query, page by page.
type cursor struct {
	query store.Query
	page  []store.Record
	ended bool
}

// fill reads the next page after the last record of the page before.
func (c *cursor) fill(ctx context.Context, from store.Store) error {
	if len(c.page) > 0 || c.ended {
		return nil
	}
	page, err := from.List(ctx, c.query)
	if err != nil {
		return err
	}
	c.page = page
	c.ended = len(page) < c.query.PageSize()
	if len(page) > 0 {
		c.query.After = page[len(page)-1].Key
	}
	return nil
}

// eachRecord calls visit for the records of some queries, in the order of their keys and each once,
// until visit returns false.
func (b *Broker) eachRecord(ctx context.Context, queries []store.Query, visit func(store.Record) bool) error {
	var cursors []*cursor
	for _, query := range queries {
		cursors = append(cursors, &cursor{query: query})
	}
	for {
		var least *cursor
		for _, one := range cursors {
			if err := one.fill(ctx, b.config.Store); err != nil {
				return err
			}
			if len(one.page) > 0 && (least == nil || one.page[0].Key < least.page[0].Key) {
				least = one
			}
		}
		if least == nil {
			return nil
		}
		record := least.page[0]
		for _, one := range cursors {
			if len(one.page) > 0 && one.page[0].Key == record.Key {
				one.page = one.page[1:]
			}
		}
		if !visit(record) {
			return nil
		}
	}
}
