package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"mcpentra/server/store"
)

// A Config configures a store in PostgreSQL.
type Config struct {
	// URL is the address of the database: postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=….
	// It may list several hosts. The store uses the host that accepts writes. A host beyond this
	// machine needs an sslmode. The parameter search_path selects a schema, and pool_max_conns
	// bounds the connections (16 if not set). PGPASSWORD, PGPASSFILE and the other variables of
	// libpq count, too.
	URL string
	// Config has the bound of the records and the clock. All processes of a database need the same
	// time.
	store.Config
	// Logger gets lost and restored connections. Nil means none.
	Logger *slog.Logger
}

const (
	// callTimeout bounds each call, and statementTimeout each statement of it in PostgreSQL. So the
	// caller usually learns that PostgreSQL has given up.
	callTimeout      = 5 * time.Second
	statementTimeout = 4 * time.Second
	// openTimeout bounds Open, which may wait for another process that creates the tables.
	openTimeout = time.Minute
	// maxConnections bounds the connections if the URL does not. Each writes the changes of a
	// moment to the disk together with the others.
	maxConnections = 16
)

type database struct {
	config     Config
	pool       *pgxpool.Pool
	password   string
	schema     string
	cached     *cache
	rooms      rooms
	background background
	sweeping   sweeping
	ended      ended
}

// Open connects to a database, and creates or upgrades its tables. The error never contains the
// URL's password.
func Open(ctx context.Context, config Config) (store.Store, error) {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	parsed, err := parse(config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	pool, err := pgxpool.NewWithConfig(ctx, parsed)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	d := &database{config: config, pool: pool, password: parsed.ConnConfig.Password, cached: newCache()}
	if err := d.prepare(ctx); err != nil {
		pool.Close()
		return nil, d.explain(ctx, err)
	}
	d.background.context, d.background.cancel = context.WithCancel(context.Background())
	d.background.start(func(ctx context.Context) { d.listen(ctx, parsed.ConnConfig) })
	return d, nil
}

// Close ends the connections. It waits for calls that run.
func (d *database) Close() error {
	d.background.end()
	d.pool.Close()
	d.cached.forgetAll()
	return nil
}

// background runs work beside the calls. Close ends it.
type background struct {
	context context.Context
	cancel  context.CancelFunc
	mu      sync.Mutex
	closed  bool
	all     sync.WaitGroup
}

// start runs work in a goroutine, until its context ends. It does nothing after end.
func (b *background) start(work func(context.Context)) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.all.Go(func() { work(b.context) })
	return true
}

func (b *background) end() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cancel()
	b.all.Wait()
}
