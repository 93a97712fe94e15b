package store

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// shrinkEvery is the pause between two searches for expired records, by the store's clock.
	shrinkEvery = time.Minute
	// shrinkPages bounds one step in pages of the file. Requests are served between two steps.
	shrinkPages = 256
	// maxCompacted is the largest file that is rewritten while requests wait, in bytes. That takes
	// about 10 ms for each MB. A larger file is rewritten when it is opened.
	maxCompacted = 32 << 20
	// atAnySize replaces maxCompacted while a file is opened and no request waits.
	atAnySize = 1 << 62
	// maxClosing bounds how long Close waits for the shrinker.
	maxClosing = 2 * time.Second
)

// A shrinker returns the space of expired records to the file system. It runs beside the requests,
// one step at a time, after a Put. It has no timer.
type shrinker struct {
	shrinking     context.Context
	stopShrinking context.CancelFunc

	shrinkMu sync.Mutex
	began    time.Time // the latest run
	ended    bool
	running  chan struct{} // closed when the run ends; nil between runs

	// bestRatio is the ratio of file to records, in bytes, after the file was last rewritten. Only
	// the run uses it.
	bestRatio float64
}

// shrinkSoon starts a run in a goroutine, unless the latest run began less than shrinkEvery ago.
func (f *file) shrinkSoon() {
	f.shrinkMu.Lock()
	defer f.shrinkMu.Unlock()
	since := f.config.Time().Sub(f.began)
	isRecent := since >= 0 && since < shrinkEvery
	if f.ended || f.running != nil || isRecent {
		return
	}
	done := make(chan struct{})
	f.running = done
	go func() {
		// A later run repeats a run that fails. The records that have not expired stay as they are.
		_ = f.shrink(f.shrinking, maxCompacted)
		f.shrinkMu.Lock()
		defer f.shrinkMu.Unlock()
		f.running = nil
		close(done)
	}()
}

// endShrinking lets no further run start. It waits at most maxClosing for the current run.
func (f *file) endShrinking() {
	f.shrinkMu.Lock()
	f.ended = true
	running := f.running
	f.shrinkMu.Unlock()
	defer f.stopShrinking()
	if running == nil {
		return
	}
	timer := time.AfterFunc(maxClosing, f.stopShrinking)
	defer timer.Stop()
	<-running
}

// shrink deletes expired records and returns free pages to the file system. If the file has at most
// maxSize bytes and its pages are mostly empty, it rewrites the file.
func (f *file) shrink(ctx context.Context, maxSize int64) error {
	now := f.config.Time()
	f.shrinkMu.Lock()
	f.began = now
	f.shrinkMu.Unlock()
	deleted, err := f.deleteExpired(ctx)
	if err != nil {
		return err
	}
	free, err := f.pragma(ctx, "freelist_count")
	isUnchanged := deleted == 0 && free == 0
	if err != nil || isUnchanged && maxSize != atAnySize {
		return err
	}
	if err := f.compact(ctx, maxSize); err != nil {
		return err
	}
	if err := f.releasePages(ctx); err != nil {
		return err
	}
	return f.run(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
}

// releasePages returns the free pages to the file system, step by step.
func (f *file) releasePages(ctx context.Context) error {
	free, err := f.pragma(ctx, "freelist_count")
	for err == nil && free > 0 {
		if err := f.run(ctx, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", shrinkPages)); err != nil {
			return err
		}
		before := free
		free, err = f.pragma(ctx, "freelist_count")
		if free >= before {
			break
		}
	}
	return err
}

// deleteExpired deletes the expired records of each kind, and returns their number.
func (f *file) deleteExpired(ctx context.Context) (total int, err error) {
	kinds, err := f.Kinds(ctx)
	for _, kind := range kinds {
		for deleted := sweepStep; err == nil && deleted == sweepStep; total += deleted {
			err = f.write(ctx, func(tx *transaction) (err error) {
				deleted, err = tx.sweep(kind)
				return err
			})
		}
	}
	return total, err
}

const (
	// rowOverhead is the size of a record in the file without its value and its names, in bytes.
	rowOverhead = 60
	// worthwhile is the growth of the ratio of file to records at which the file is rewritten.
	worthwhile = 1.4
)

// compact rewrites a file whose pages are mostly empty. Deleted records between kept ones
// leave these pages.
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
	used := (pages - free) * pageSize // bytes
	if used > maxSize || pages-free <= emptyPages {
		return nil
	}
	ratio, err := f.ratio(ctx, used, pageSize)
	if err != nil || ratio < worthwhile*max(1, f.bestRatio) {
		return err
	}
	if err := f.run(ctx, "VACUUM"); err != nil {
		return err
	}
	pages, err = f.pragma(ctx, "page_count")
	if err != nil {
		return err
	}
	f.bestRatio, err = f.ratio(ctx, pages*pageSize, pageSize)
	return err
}

// ratio returns how many bytes the file uses for each byte of its records.
func (f *file) ratio(ctx context.Context, used, pageSize int64) (float64, error) {
	needed, err := f.number(ctx, `SELECT coalesce(sum(
			length(value) + 2*length(key) + 3*length(kind) + 2*length(source) + 2*length(group_name) + ?
		), 0) FROM records`,
		rowOverhead)
	return float64(used) / float64(needed+emptyPages*pageSize), err
}

// emptyPages is the number of pages in a file without records.
const emptyPages = 8

func (f *file) pragma(ctx context.Context, name string) (value int64, err error) {
	return f.number(ctx, "PRAGMA "+name)
}

// number runs a statement that returns a number.
func (f *file) number(ctx context.Context, statement string, arguments ...any) (value int64, err error) {
	if err := f.takeTurn(ctx); err != nil {
		return 0, err
	}
	defer f.endTurn()
	err = f.connection.QueryRowContext(ctx, statement, arguments...).Scan(&value)
	return value, err
}

// run runs a statement and drops its rows.
func (f *file) run(ctx context.Context, statement string) error {
	if err := f.takeTurn(ctx); err != nil {
		return err
	}
	defer f.endTurn()
	rows, err := f.connection.QueryContext(ctx, statement)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}
