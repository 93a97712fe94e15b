package store

import (
	"context"
	"errors"
)

// PutInOrder stores records one after another, as Put does, and stops at the first error. After
// ErrConflict, stored says how many records it has stored. After another error the caller does not
// know. A store in a file writes all of them to disk at once, so none of them is lost without the
// ones after it.
func PutInOrder(ctx context.Context, to Store, records ...Record) (stored int, err error) {
	if f, ok := to.(*file); ok {
		return f.putInOrder(ctx, records)
	}
	for _, record := range records {
		if _, err := to.Put(ctx, record); err != nil {
			return stored, err
		}
		stored++
	}
	return stored, nil
}

func (f *file) putInOrder(ctx context.Context, records []Record) (int, error) {
	owned := make([]Record, 0, len(records))
	for _, record := range records {
		if err := record.Check(); err != nil {
			return 0, err
		}
		owned = append(owned, own(record))
	}
	defer f.shrinkSoon()
	stored := 0
	err := f.write(ctx, func(tx *transaction) error {
		stored = 0
		for _, record := range owned {
			if err := tx.put(record); err != nil {
				return err
			}
			stored++
		}
		return nil
	})
	if err != nil && !errors.Is(err, ErrConflict) {
		return 0, err // a cancelled write may still run, so stored must not be read
	}
	return stored, err
}
