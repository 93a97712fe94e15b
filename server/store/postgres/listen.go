package postgres

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// A lost connection is replaced after a pause between these two.
	leastPause = 100 * time.Millisecond
	mostPause  = 10 * time.Second
	// pingEvery is how long the listener waits before it tests a silent connection.
	pingEvery = 30 * time.Second
	// maxPayload bounds a notification. PostgreSQL takes 8000 bytes.
	maxPayload = 7000
)

// channel returns the name of the notifications for the schema.
func (d *database) channel() string { return fmt.Sprintf("mcpentra_%016x", uint64(d.lockID("ended"))) }

// listen drops records from the cache when another process has ended them. If the connection is
// lost, the records go when they are store.MaxStale old.
func (d *database) listen(ctx context.Context, config *pgx.ConnConfig) {
	wait := leastPause
	lost := false
	for {
		err := d.listenOnce(ctx, config, func() {
			if lost {
				d.config.Logger.Info("PostgreSQL announces the end of grants again")
			}
			lost = false
			wait = leastPause
		})
		if ctx.Err() != nil {
			return
		}
		if !lost {
			lost = true
			d.config.Logger.Warn("PostgreSQL does not announce the end of grants: until the connection is back, an "+
				"end on another replica counts here after a second", "error", d.explain(ctx, err))
		}
		pause(ctx, wait)
		wait = min(2*wait, mostPause)
	}
}

// listenOnce listens on one connection until that is lost.
func (d *database) listenOnce(ctx context.Context, config *pgx.ConnConfig, connected func()) error {
	connection, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return connectError{err}
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = connection.Close(closing)
		<-connection.PgConn().CleanupDone()
	}()
	if _, err := connection.Exec(ctx, "LISTEN "+d.channel()); err != nil {
		return err
	}
	connected()
	for {
		waiting, cancel := context.WithTimeout(ctx, pingEvery)
		notification, err := connection.WaitForNotification(waiting)
		isSilent := waiting.Err() != nil && ctx.Err() == nil
		cancel()
		switch {
		case err == nil:
			for _, name := range namesIn(notification.Payload) {
				d.cached.forget(name)
			}
		case isSilent && errors.Is(err, context.DeadlineExceeded):
			pinging, cancel := context.WithTimeout(ctx, callTimeout)
			err := connection.Ping(pinging)
			cancel()
			if err != nil {
				return err
			}
		default:
			return err
		}
	}
}

// encodedID is the length of an id in a notification.
var encodedID = base64.RawURLEncoding.EncodedLen(len(id{}))

// namesIn reads the ids of a notification. It leaves out everything else.
func namesIn(payload string) (names []id) {
	for ; len(payload) >= encodedID; payload = payload[encodedID:] {
		name, err := base64.RawURLEncoding.DecodeString(payload[:encodedID])
		if err == nil {
			names = append(names, id(name))
		}
	}
	return names
}

// ended has the records whose end is to be announced.
type ended struct {
	mu        sync.Mutex
	names     []id
	announces bool // a goroutine announces
}

// announce tells all processes that a record has ended. It does not wait. PostgreSQL carries out
// transactions with notifications one after another, so the notification is not part of the
// transaction that ended the record, and one announces several records.
func (d *database) announce(name id) {
	d.ended.mu.Lock()
	defer d.ended.mu.Unlock()
	d.ended.names = append(d.ended.names, name)
	if !d.ended.announces {
		d.ended.announces = d.background.start(d.announceAll)
	}
}

func (d *database) announceAll(ctx context.Context) {
	for {
		d.ended.mu.Lock()
		names := d.ended.names
		d.ended.names = nil
		if len(names) == 0 {
			d.ended.announces = false
			d.ended.mu.Unlock()
			return
		}
		d.ended.mu.Unlock()
		// Without a notification, the caches drop the record when it is store.MaxStale old.
		_ = d.write(ctx, func(ctx context.Context, connection *pgxpool.Conn) error {
			_, err := connection.Exec(ctx, `SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, payload)
				FROM unnest($2::text[]) AS payload`, d.channel(), payloads(names))
			return err
		})
	}
}

// payloads returns the texts of notifications.
func payloads(names []id) (texts []string) {
	text := ""
	for _, name := range names {
		if len(text)+encodedID > maxPayload {
			texts = append(texts, text)
			text = ""
		}
		text += base64.RawURLEncoding.EncodeToString(name[:])
	}
	return append(texts, text)
}
