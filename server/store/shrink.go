package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"
)

const (
	// shrinkEvery is the pause between two looks for what has expired, by the store's clock.
	shrinkEvery = time.Minute
	// shrinkStep and shrinkPages bound one step, in records and in pages of the file. Requests come
	// in between two steps.
	shrinkStep  = 200
	shrinkPages = 256
	// maxCompacted bounds the file that is written anew while requests wait, in bytes. That takes
	// some 10 ms a MB. A larger one is written anew when it is opened.
	maxCompacted = 32 << 20
	// atAnySize is for a file that nobody uses yet.
	atAnySize = 1 << 62
	// maxClosing bounds how long Close waits for a file that is being made smaller.
	maxClosing = 2 * time.Second
)

// A shrinker gives the room of records that have expired back to the file system. It works beside
// the requests, one step at a time, after a record was put; there is no timer.
type shrinker struct {
	shrinking     context.Context
	stopShrinking context.CancelFunc

	mu      sync.Mutex
	looked  time.Time
	closed  bool
	running chan struct{} // closed when the one that runs has ended; nil when none does

	// dense is how many bytes the file took for each byte of its records when it was last written
	// anew. Only the one that runs uses it.
	dense float64
}

// shrinkSoon begins to shrink the file, unless that was done a short time ago.
func (f *file) shrinkSoon() {
	f.mu.Lock()
	defer f.mu.Unlock()
	since := f.config.now().Sub(f.looked)
	if f.closed || f.running != nil || since >= 0 && since < shrinkEvery {
		return
	}
	done := make(chan struct{})
	f.running = done
	go func() {
		// What fails now is tried again later: the records themselves are not touched by it.
		_ = f.shrink(f.shrinking, maxCompacted)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.running = nil
		close(done)
	}()
}

// endShrinking waits for the one that runs, for a while, and lets no other begin.
func (f *file) endShrinking() {
	f.mu.Lock()
	f.closed = true
	running := f.running
	f.mu.Unlock()
	defer f.stopShrinking()
	if running == nil {
		return
	}
	timer := time.AfterFunc(maxClosing, f.stopShrinking)
	defer timer.Stop()
	<-running
}

// shrink deletes what has expired and gives pages that are free back. A file of at most maxSize
// bytes whose pages are mostly empty is written anew.
func (f *file) shrink(ctx context.Context, maxSize int64) error {
	now := f.config.now()
	f.mu.Lock()
	f.looked = now
	f.mu.Unlock()
	gone, err := f.deleteExpired(ctx, now.Unix())
	if err != nil {
		return err
	}
	free, err := f.pragma(ctx, "freelist_count")
	if err != nil || gone == 0 && free == 0 && maxSize != atAnySize {
		return err
	}
	if err := f.compact(ctx, maxSize); err != nil {
		return err
	}
	for free, err = f.pragma(ctx, "freelist_count"); free > 0; {
		if err := f.run(ctx, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", shrinkPages)); err != nil {
			return err
		}
		before := free
		if free, err = f.pragma(ctx, "freelist_count"); err != nil || free >= before {
			break
		}
	}
	if err != nil {
		return err
	}
	return f.run(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
}

// deleteExpired deletes what has expired of each kind, and returns how many records that was.
func (f *file) deleteExpired(ctx context.Context, now int64) (gone int64, err error) {
	for kind := ""; ; {
		var next sql.NullString
		err := f.db.QueryRowContext(ctx, "SELECT min(kind) FROM records WHERE kind > ?", kind).Scan(&next)
		if err != nil || !next.Valid {
			return gone, err
		}
		kind = next.String
		for deleted := int64(shrinkStep); deleted == shrinkStep; gone += deleted {
			result, err := f.db.ExecContext(ctx, `DELETE FROM records WHERE rowid IN (
				SELECT rowid FROM records WHERE kind = ? AND expires <= ? ORDER BY expires LIMIT ?)`,
				kind, now, shrinkStep)
			if err != nil {
				return gone, err
			}
			if deleted, err = result.RowsAffected(); err != nil {
				return gone, err
			}
		}
	}
}

const (
	// rowOverhead is what a record takes in the file beside its value and two or three times its
	// names, in bytes.
	rowOverhead = 60
	// worthwhile is the factor by which a file has to be larger than its records, or larger than
	// when it was last written anew. Then it is written anew.
	worthwhile = 1.4
)

// compact writes a file anew whose pages are mostly empty: what was deleted stood between what was
// kept.
func (f *file) compact(ctx context.Context, maxSize int64) error {
	pages, err := f.pragma(ctx, "page_count")
	if err != nil {
		return err
	}
	free, err := f.pragma(ctx, "freelist_count")
	if err != nil {
		return err
	}
	pageSize, err := f.pragma(ctx, "page_size")
	if err != nil {
		return err
	}
	used := (pages - free) * pageSize
	if used > maxSize || pages-free <= emptyPages {
		return nil
	}
	before, err := f.bytesPerByte(ctx, used, pageSize)
	if err != nil || before < worthwhile*max(1, f.dense) {
		return err
	}
	if err := f.run(ctx, "VACUUM"); err != nil {
		return err
	}
	if pages, err = f.pragma(ctx, "page_count"); err != nil {
		return err
	}
	f.dense, err = f.bytesPerByte(ctx, pages*pageSize, pageSize)
	return err
}

// bytesPerByte is how many bytes the file takes for each byte of its records.
func (f *file) bytesPerByte(ctx context.Context, used, pageSize int64) (float64, error) {
	var needed int64
	err := f.db.QueryRowContext(ctx, `
		SELECT coalesce(sum(length(value) + 2*length(key) + 3*length(kind) + 2*length(source) + ?), 0) FROM records`,
		rowOverhead).Scan(&needed)
	return float64(used) / float64(needed+emptyPages*pageSize), err
}

// emptyPages are those of a file without records.
const emptyPages = 8

func (f *file) pragma(ctx context.Context, name string) (value int64, err error) {
	err = f.db.QueryRowContext(ctx, "PRAGMA "+name).Scan(&value)
	return value, err
}

// run runs a statement to its end, whatever rows it has.
func (f *file) run(ctx context.Context, statement string) error {
	rows, err := f.db.QueryContext(ctx, statement)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}
