package postgres

import (
	"context"
	"hash/fnv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"mcpentra/server/store"
)

// create inserts a record. It counts the records of the kind only now and then: each count says how
// many records this process may create before the next one.
func (d *database) create(ctx context.Context, record store.Record) error {
	// An expired record under this key may be in the cache.
	defer d.cached.forget(idOf(record.Kind, record.Key))
	room := d.rooms.of(record)
	if !room.take(d.config.Time()) {
		select {
		case room.counting <- struct{}{}:
			defer func() { <-room.counting }()
		case <-ctx.Done():
			return d.explain(ctx, ctx.Err())
		}
		if !room.take(d.config.Time()) {
			return d.createCounted(ctx, record, room)
		}
	}
	return d.write(ctx, func(ctx context.Context, connection *pgxpool.Conn) error {
		return insert(ctx, connection, record, d.now())
	})
}

// executor is a connection or a transaction.
type executor interface {
	Exec(ctx context.Context, statement string, arguments ...any) (pgconn.CommandTag, error)
}

// insert creates a record, also in place of an expired one.
func insert(ctx context.Context, to executor, record store.Record, now int64) error {
	result, err := to.Exec(ctx, `
		INSERT INTO mcpentra_records AS r (kind, key, version, expires, source, group_name, value)
			VALUES ($1, $2, 1, $3, $4, $5, $6)
			ON CONFLICT (kind, key) DO UPDATE SET version = 1, expires = excluded.expires, source = excluded.source,
				group_name = excluded.group_name, value = excluded.value
			WHERE r.expires <= $7`,
		record.Kind, []byte(record.Key), record.Expires.Unix(), []byte(record.Source), []byte(record.Group),
		record.Value, now)
	if err == nil && result.RowsAffected() != 1 {
		return store.ErrConflict
	}
	return err
}

// createCounted inserts a record, counts the other records of the kind, and makes room if they are
// too many. One process does this at a time for a kind.
func (d *database) createCounted(ctx context.Context, record store.Record, room *room) error {
	var records, sourced, forgotten int
	err := d.write(ctx, func(ctx context.Context, connection *pgxpool.Conn) error {
		return pgx.BeginFunc(ctx, connection, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", d.lockID("create "+record.Kind))
			if err != nil {
				return err
			}
			now := d.now()
			// A record that exists must be a conflict, and not make room for its own successor.
			if err := insert(ctx, tx, record, now); err != nil {
				return err
			}
			err = tx.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE source > '')
				FROM mcpentra_records WHERE kind = $1 AND expires > $2 AND key <> $3`,
				record.Kind, now, []byte(record.Key)).Scan(&records, &sourced)
			if err != nil {
				return err
			}
			forgotten, err = d.makeRoom(ctx, tx, record, records, sourced, now)
			return err
		})
	})
	if forgotten > 0 {
		d.cached.forgetAll()
	}
	if err == nil {
		room.counted(d.config, record, records-forgotten+1, sourced-forgotten+1)
	}
	return err
}

// makeRoom deletes records of a full kind by the rule of store.Record.Source. A large kind loses up
// to a hundredth at once, because finding the records takes long.
func (d *database) makeRoom(ctx context.Context, tx pgx.Tx, created store.Record, records, sourced int,
	now int64) (forgotten int, err error) {
	if !d.config.Full(created, records, sourced) {
		return 0, nil
	}
	surplus := records - d.config.Most() + 1
	if isLimited(created) && sourced-created.Limit+1 > surplus {
		surplus = sourced - created.Limit + 1
		surplus += min(created.Limit/100, sourced-surplus)
	} else {
		surplus += d.config.Most() / 100
	}
	// The source with the most records loses one again and again. So the records go by their rank
	// in their source, from the highest. The first to expire has the highest rank.
	result, err := tx.Exec(ctx, `
		DELETE FROM mcpentra_records WHERE kind = $1 AND key IN (
			SELECT key FROM (
				SELECT key, expires, CASE WHEN source = '' THEN 0
					ELSE row_number() OVER (PARTITION BY source ORDER BY expires DESC) END AS rank
				FROM mcpentra_records WHERE kind = $1 AND expires > $2 AND key <> $4
			) AS ranked ORDER BY rank DESC, expires LIMIT $3)`,
		created.Kind, now, surplus, []byte(created.Key))
	return int(result.RowsAffected()), err
}

func isLimited(record store.Record) bool { return record.Source != "" && record.Limit > 0 }

// rooms knows how many records this process may create without counting.
type rooms struct {
	mu     sync.Mutex
	places map[place]*room
}

// A place is a kind with the bound that counts for its records.
type place struct {
	kind  string
	limit int
}

func (r *rooms) of(record store.Record) *room {
	where := place{kind: record.Kind}
	if isLimited(record) {
		where.limit = record.Limit
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.places == nil {
		r.places = map[place]*room{}
	}
	if r.places[where] == nil {
		r.places[where] = &room{counting: make(chan struct{}, 1)}
	}
	return r.places[where]
}

type room struct {
	counting chan struct{} // holds a value while a caller counts
	mu       sync.Mutex
	left     int
	at       time.Time
}

const (
	// countEvery is the age at which a count is too old, because other processes create records.
	countEvery = time.Minute
	// exactBelow is the bound below which every new record is counted.
	exactBelow = 1000
)

// take takes room for one record.
func (r *room) take(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	age := now.Sub(r.at)
	if r.left == 0 || age < 0 || age >= countEvery {
		return false
	}
	r.left--
	return true
}

// counted keeps a count. A quarter of the free room may be used, and at most a twentieth of the
// bound: other processes use it, too.
func (r *room) counted(config Config, created store.Record, records, sourced int) {
	bound := config.Most()
	free := bound - records
	if isLimited(created) {
		bound = min(bound, created.Limit)
		free = min(free, created.Limit-sourced)
	}
	left := 0
	if bound >= exactBelow {
		left = max(0, min(free/4, bound/20))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left = left
	r.at = config.Time()
}

// lockID returns the number of an advisory lock. The schema is part of it, because all schemas of a
// database share the locks.
func (d *database) lockID(name string) int64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte("mcpentra\x00" + d.schema + "\x00" + name))
	return int64(hash.Sum64())
}
