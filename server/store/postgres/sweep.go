package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// sweepEvery is the pause between two searches for expired records, by the store's clock.
	sweepEvery = time.Minute
	// sweepStep bounds the records that one statement deletes.
	sweepStep = 500
)

// sweeping deletes expired records beside the calls, after a Put. It has no timer.
type sweeping struct {
	mu      sync.Mutex
	began   time.Time // the latest run
	running bool
}

// sweepSoon starts a run in a goroutine, unless the latest run began less than sweepEvery ago.
func (d *database) sweepSoon() {
	now := d.config.Time()
	d.sweeping.mu.Lock()
	defer d.sweeping.mu.Unlock()
	since := now.Sub(d.sweeping.began)
	isRecent := since >= 0 && since < sweepEvery
	if d.sweeping.running || isRecent {
		return
	}
	d.sweeping.began = now
	d.sweeping.running = d.background.start(func(ctx context.Context) {
		// A later run, or another process, repeats a run that fails.
		for more := true; more && ctx.Err() == nil; {
			deleted, err := d.sweepOnce(ctx)
			more = err == nil && deleted == sweepStep
		}
		d.sweeping.mu.Lock()
		defer d.sweeping.mu.Unlock()
		d.sweeping.running = false
	})
}

// sweepOnce deletes expired records, unless another process does. It returns their number.
func (d *database) sweepOnce(ctx context.Context) (deleted int64, err error) {
	err = d.write(ctx, func(ctx context.Context, connection *pgxpool.Conn) error {
		return pgx.BeginFunc(ctx, connection, func(tx pgx.Tx) error {
			var alone bool
			var synchronous string
			// The commit need not wait for the disk: a record that comes back is still expired.
			err := tx.QueryRow(ctx,
				"SELECT pg_try_advisory_xact_lock($1), set_config('synchronous_commit', 'off', true)",
				d.lockID("sweep")).Scan(&alone, &synchronous)
			if err != nil || !alone {
				return err
			}
			result, err := tx.Exec(ctx, `
				DELETE FROM mcpentra_records WHERE ctid = ANY (ARRAY(
					SELECT ctid FROM mcpentra_records WHERE expires <= $1 ORDER BY expires LIMIT $2
						FOR UPDATE SKIP LOCKED))`,
				d.now(), sweepStep)
			deleted = result.RowsAffected()
			return err
		})
	})
	return deleted, err
}
