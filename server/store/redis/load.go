package redis

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

const (
	// loadTime bounds how long Open waits for a server that reads its records from the disk after
	// a restart.
	loadTime = 5 * time.Minute
	// loadPause is the time between two attempts, and loadNotice the time between two log lines.
	loadPause  = 250 * time.Millisecond
	loadNotice = 10 * time.Second
)

// A loadingError says that a server reads its records from the disk. Meanwhile, INFO does not say
// whether the server keeps an append-only file.
type loadingError struct {
	percent string // of the records that it has read
	seconds string // that it expects to need
}

func (e *loadingError) Error() string {
	return "the server is loading its records from the disk, and has " + e.percent + " % of them"
}

// afterLoading calls open again while the server is loading its records.
func afterLoading(ctx context.Context, logger *slog.Logger, open func(context.Context) error) error {
	began := time.Now()
	var noticed time.Time
	for {
		err := open(ctx)
		now := time.Now()
		var loading *loadingError
		if !errors.As(err, &loading) || now.Sub(began) >= loadTime {
			return err
		}
		if now.Sub(noticed) >= loadNotice {
			noticed = now
			logger.WarnContext(ctx, "Redis reads its records from the disk; this program waits for it",
				"loaded_percent", loading.percent,
				"seconds_left", loading.seconds,
				"at_most", (loadTime - now.Sub(began)).Round(time.Second).String())
		}
		select {
		case <-time.After(loadPause):
		case <-ctx.Done():
			return err
		}
	}
}
