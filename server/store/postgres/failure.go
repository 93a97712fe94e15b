package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"mcpentra/server/store"
)

// attempts bounds how often a call is tried.
const attempts = 4

// errUnreplicated says that a change is on this server but perhaps not on the synchronous standby.
var errUnreplicated = errors.New("the change did not reach the synchronous standby")

// A connectError says that no statement was sent.
type connectError struct{ error }

func (e connectError) Unwrap() error { return e.error }

// read runs statements that change nothing. It repeats them if the connection is lost.
func (d *database) read(ctx context.Context, run func(context.Context, *pgxpool.Conn) error) error {
	return d.call(ctx, run, func(err error) bool { return isBefore(err) || isConnectionLost(err) })
}

// write runs one transaction. It repeats the transaction only if PostgreSQL has not carried it out.
// After any other error, the caller does not know whether PostgreSQL has.
func (d *database) write(ctx context.Context, run func(context.Context, *pgxpool.Conn) error) error {
	return d.call(ctx, run, isBefore)
}

func (d *database) call(ctx context.Context, run func(context.Context, *pgxpool.Conn) error,
	mayRepeat func(error) bool) error {
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for attempt := 1; ; attempt++ {
		err := d.attempt(bounded, run)
		switch {
		case err == nil, errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrConflict):
			return err
		case attempt == attempts, bounded.Err() != nil, !mayRepeat(err):
			return d.explain(ctx, err)
		}
		pause(bounded, time.Duration(attempt*attempt)*10*time.Millisecond)
	}
}

func (d *database) attempt(ctx context.Context, run func(context.Context, *pgxpool.Conn) error) error {
	connection, err := d.pool.Acquire(ctx)
	if err != nil {
		return connectError{err}
	}
	defer connection.Release()
	marks := connection.Conn().PgConn().CustomData()
	delete(marks, unreplicated)
	err = run(ctx, connection)
	if code(err) == readOnlyTransaction {
		d.pool.Reset() // the next connection looks for the primary
	}
	if err == nil && marks[unreplicated] != nil {
		return errUnreplicated
	}
	return err
}

// pause waits for at least half of a duration, or until the context ends.
func pause(ctx context.Context, duration time.Duration) {
	timer := time.NewTimer(duration/2 + rand.N(duration/2))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// SQLSTATEs that have their own answer.
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	readOnlyTransaction  = "25006"
	diskFull             = "53100"
	tooManyConnections   = "53300"
	queryCanceled        = "57014"
	invalidPassword      = "28P01"
	missingDatabase      = "3D000"
	missingPrivilege     = "42501"
	missingTable         = "42P01"
)

func code(err error) string {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

// isBefore reports whether PostgreSQL has not carried out the transaction, and may if it is
// repeated.
func isBefore(err error) bool {
	switch code(err) {
	case serializationFailure, deadlockDetected:
		return true
	case invalidPassword, missingDatabase:
		return false
	}
	var notConnected connectError
	return errors.As(err, &notConnected) || pgconn.SafeToRetry(err)
}

// isConnectionLost reports whether the server or the network ended the connection.
func isConnectionLost(err error) bool {
	state := code(err)
	return state == "" || strings.HasPrefix(state, "57P") || strings.HasPrefix(state, "08")
}

// explain turns an error into a sentence that says what to do.
func (d *database) explain(ctx context.Context, err error) error {
	var notConnected connectError
	switch {
	case err == nil, errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrConflict):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("store: %w", ctx.Err())
	case d.password != "" && strings.Contains(err.Error(), d.password):
		return errors.New("store: PostgreSQL failed; the reason is not shown because it contains the password")
	case errors.Is(err, errUnreplicated):
		return fmt.Errorf("store: %w: the standby does not answer, or the wait was cancelled", err)
	case code(err) != "":
		return fmt.Errorf("store: %s%w", advice(code(err)), err)
	case errors.As(err, &notConnected) && strings.Contains(err.Error(), "read only connection"): // of ValidateConnect
		return fmt.Errorf("store: %s%w", readOnlyAdvice, err)
	case errors.As(err, &notConnected):
		return fmt.Errorf("store: PostgreSQL cannot be reached: %w", err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("store: PostgreSQL did not answer within %v: %w", callTimeout, err)
	}
	return fmt.Errorf("store: the connection to PostgreSQL was lost, and a change may have happened or not: %w", err)
}

const readOnlyAdvice = "PostgreSQL accepts no writes; it is a standby, or default_transaction_read_only is on: " +
	"name the primary in the URL, or all servers as in postgres://HOST1,HOST2/DATABASE: "

// advice begins the error for an SQLSTATE.
func advice(state string) string {
	switch state {
	case readOnlyTransaction:
		return readOnlyAdvice
	case diskFull:
		return "the disk of PostgreSQL is full, and nothing can be stored until there is room: "
	case tooManyConnections:
		return "PostgreSQL has no connection left: raise its max_connections, or lower pool_max_conns in the URL: "
	case queryCanceled:
		return "PostgreSQL is too slow: "
	case missingDatabase:
		return "the database does not exist; createdb makes one: "
	case invalidPassword:
		return "PostgreSQL refuses the user or the password in the URL: "
	case missingPrivilege:
		return "the role in the URL may not do this; it needs CREATE on the schema once, and SELECT, INSERT, UPDATE " +
			"and DELETE on the tables: "
	case missingTable:
		return "a table is missing; a start of the server makes it: "
	}
	return "PostgreSQL refuses: "
}
