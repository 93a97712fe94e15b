package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"mcpentra/server/store"
)

func (d *database) Get(ctx context.Context, kind, key string) (record store.Record, err error) {
	err = d.read(ctx, func(ctx context.Context, connection *pgxpool.Conn) (err error) {
		record, err = scan(kind, connection.QueryRow(ctx, `
			SELECT key, version, expires, source, group_name, value FROM mcpentra_records
				WHERE kind = $1 AND key = $2 AND expires > $3`,
			kind, []byte(key), d.now()))
		return err
	})
	return record, err
}

// now returns the time of the store's clock in seconds.
func (d *database) now() int64 { return d.config.Time().Unix() }

// scan reads a record from a row of key, version, expires, source, group_name and value.
func scan(kind string, row pgx.Row) (store.Record, error) {
	var key, source, group []byte
	var expires int64
	record := store.Record{Kind: kind}
	err := row.Scan(&key, &record.Version, &expires, &source, &group, &record.Value)
	if errors.Is(err, pgx.ErrNoRows) {
		return store.Record{}, store.ErrNotFound
	} else if err != nil {
		return store.Record{}, err
	}
	record.Key = string(key)
	record.Source = string(source)
	record.Group = string(group)
	record.Expires = time.Unix(expires, 0)
	return record, nil
}

func (d *database) Put(ctx context.Context, record store.Record) (int64, error) {
	if err := record.Check(); err != nil {
		return 0, err
	}
	if record.Value == nil {
		record.Value = []byte{} // nil would be NULL
	}
	defer d.sweepSoon()
	if record.Version == 0 {
		return 1, d.create(ctx, record)
	}
	defer d.cached.forget(idOf(record.Kind, record.Key))
	err := d.write(ctx, func(ctx context.Context, connection *pgxpool.Conn) error {
		result, err := connection.Exec(ctx, `
			UPDATE mcpentra_records SET value = $1, version = version + 1, expires = $2, source = $3, group_name = $4
				WHERE kind = $5 AND key = $6 AND version = $7 AND expires > $8`,
			record.Value, record.Expires.Unix(), []byte(record.Source), []byte(record.Group),
			record.Kind, []byte(record.Key), record.Version, d.now())
		if err == nil && result.RowsAffected() != 1 {
			return store.ErrConflict
		}
		return err
	})
	return record.Version + 1, err
}

func (d *database) Take(ctx context.Context, kind, key string) (record store.Record, err error) {
	defer d.cached.forget(idOf(kind, key))
	err = d.write(ctx, func(ctx context.Context, connection *pgxpool.Conn) (err error) {
		record, err = scan(kind, connection.QueryRow(ctx, `
			DELETE FROM mcpentra_records WHERE kind = $1 AND key = $2 AND expires > $3
				RETURNING key, version, expires, source, group_name, value`,
			kind, []byte(key), d.now()))
		return err
	})
	if err != nil {
		return store.Record{}, err
	}
	d.announce(idOf(kind, key))
	return record, nil
}

func (d *database) Delete(ctx context.Context, kind, key string) error {
	defer d.cached.forget(idOf(kind, key))
	return d.write(ctx, func(ctx context.Context, connection *pgxpool.Conn) error {
		result, err := connection.Exec(ctx, "DELETE FROM mcpentra_records WHERE kind = $1 AND key = $2",
			kind, []byte(key))
		if err == nil && result.RowsAffected() > 0 {
			d.announce(idOf(kind, key))
		}
		return err
	})
}

func (d *database) List(ctx context.Context, query store.Query) (page []store.Record, err error) {
	statement := `SELECT key, version, expires, source, group_name, value FROM mcpentra_records
		WHERE kind = $1 AND key > $2 AND expires > $3`
	arguments := []any{query.Kind, []byte(query.After), d.now()}
	if query.Source != "" {
		arguments = append(arguments, []byte(query.Source))
		statement += fmt.Sprintf(" AND source = $%d", len(arguments))
	}
	if query.Group != "" {
		arguments = append(arguments, []byte(query.Group))
		statement += fmt.Sprintf(" AND group_name > '' AND group_name = $%d", len(arguments))
	}
	arguments = append(arguments, query.PageSize())
	statement += fmt.Sprintf(" ORDER BY key LIMIT $%d", len(arguments))
	err = d.read(ctx, func(ctx context.Context, connection *pgxpool.Conn) error {
		rows, err := connection.Query(ctx, statement, arguments...)
		if err != nil {
			return err
		}
		page, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (store.Record, error) {
			return scan(query.Kind, row)
		})
		return err
	})
	return page, err
}

// Kinds finds each kind with one step through the index.
func (d *database) Kinds(ctx context.Context) (kinds []string, err error) {
	err = d.read(ctx, func(ctx context.Context, connection *pgxpool.Conn) error {
		rows, err := connection.Query(ctx, `
			WITH RECURSIVE found AS (
				SELECT min(kind) AS kind FROM mcpentra_records
				UNION ALL
				SELECT (SELECT min(r.kind) FROM mcpentra_records r WHERE r.kind > found.kind)
					FROM found WHERE found.kind IS NOT NULL
			) SELECT kind FROM found WHERE kind IS NOT NULL`)
		if err != nil {
			return err
		}
		kinds, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return kinds, err
}
