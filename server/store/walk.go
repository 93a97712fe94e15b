package store

import "context"

// Walk calls visit for all records of a store, kind by kind. It ends at the first error. Records
// that are created or deleted meanwhile may be missing.
func Walk(ctx context.Context, s Store, visit func(Record) error) error {
	kinds, err := s.Kinds(ctx)
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		query := Query{Kind: kind, Limit: MaxList}
		for {
			page, err := s.List(ctx, query)
			if err != nil {
				return err
			}
			for _, record := range page {
				if err := visit(record); err != nil {
					return err
				}
			}
			if len(page) < MaxList {
				break
			}
			query.After = page[len(page)-1].Key
		}
	}
	return nil
}
