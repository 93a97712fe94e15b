package store

import (
	"context"
	"database/sql"
	"fmt"
)

// create inserts a record after it has made room for it.
func (f *file) create(ctx context.Context, record Record, now int64) (int64, error) {
	tx, err := f.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	defer tx.Rollback() // without effect after Commit
	forgotten, err := f.makeRoom(ctx, tx, record, now)
	if forgotten > 0 {
		defer f.recent.forgetAll()
	}
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	result, err := tx.ExecContext(ctx,
		`INSERT INTO records (kind, key, source, group_name, version, expires, value)
			VALUES (?, ?, ?, ?, 1, ?, ?) ON CONFLICT DO NOTHING`,
		record.Kind, record.Key, record.Source, record.Group, record.Expires.Unix(), record.Value)
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	if created, err := result.RowsAffected(); err != nil || created != 1 {
		return 0, ErrConflict
	}
	if err := tx.Commit(); err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	return 1, nil
}

// maxForgotten bounds how often one new record can push out others. Once is enough unless a bound
// was lowered.
const maxForgotten = 100

// makeRoom deletes an expired record under the key of a new record. From a full kind it deletes
// records by the rule of Record.Source. It returns how many records it has deleted.
func (f *file) makeRoom(ctx context.Context, tx *sql.Tx, created Record, now int64) (forgotten int64, err error) {
	forget := func(statement string, arguments ...any) error {
		result, err := tx.ExecContext(ctx, statement, arguments...)
		if err != nil {
			return err
		}
		deleted, err := result.RowsAffected()
		forgotten += deleted
		return err
	}
	err = forget("DELETE FROM records WHERE kind = ? AND key = ? AND expires <= ?", created.Kind, created.Key, now)
	for range maxForgotten {
		if err != nil {
			return forgotten, err
		}
		var records, sourced int
		err = tx.QueryRowContext(ctx, `SELECT count(*), count(nullif(source, ''))
			FROM records INDEXED BY records_by_source WHERE kind = ? AND expires > ?`,
			created.Kind, now).Scan(&records, &sourced)
		switch {
		case err != nil:
			return forgotten, err
		case !f.config.Full(created, records, sourced):
			return forgotten, nil
		case sourced == 0:
			err = forget(`DELETE FROM records WHERE rowid = (
				SELECT rowid FROM records WHERE kind = ?1 AND expires > ?2 ORDER BY expires LIMIT 1)`,
				created.Kind, now)
		default:
			source, surplus, errSource := largestSource(ctx, tx, created.Kind, now)
			if errSource != nil {
				return forgotten, errSource
			}
			// Counting the sources takes long. So a hundredth of a large kind goes at once, if one
			// source has that many more records than every other.
			err = forget(`DELETE FROM records WHERE rowid IN (
				SELECT rowid FROM records INDEXED BY records_by_source
				WHERE kind = ? AND source = ? AND expires > ? ORDER BY expires LIMIT ?)`,
				created.Kind, source, now, max(1, min(surplus, sourced/100)))
		}
	}
	return forgotten, err
}

// largestSource returns the source with the most records of a kind, and how many more it has than
// the next source.
func largestSource(ctx context.Context, tx *sql.Tx, kind string, now int64) (source string, surplus int, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT source, count(*) FROM records INDEXED BY records_by_source
		WHERE kind = ? AND source > '' AND expires > ? GROUP BY source ORDER BY count(*) DESC, min(expires) LIMIT 2`,
		kind, now)
	if err != nil {
		return "", 0, err
	}
	defer rows.Close()
	for first := true; rows.Next(); first = false {
		var name string
		var records int
		if err := rows.Scan(&name, &records); err != nil {
			return "", 0, err
		}
		if first {
			source = name
			surplus = records
		} else {
			surplus -= records
		}
	}
	return source, surplus, rows.Err()
}
