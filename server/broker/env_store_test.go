package broker_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mcpentra/server/store"
)

// newMemory returns a store whose clock is stopped.
func newMemory() store.Store {
	return store.NewMemory(store.Config{Now: func() time.Time { return started }})
}

// openFile opens a store in a file. Its clock is stopped.
func openFile(t *testing.T, path string) store.Store {
	opened, err := store.OpenFile(t.Context(), path, store.Config{Now: func() time.Time { return started }})
	require.NoError(t, err)
	return opened
}

// A grantCounter is a store that counts how often grants are read. While down is set, it cannot be
// reached.
type grantCounter struct {
	store.Store
	read int
	down bool
}

func (s *grantCounter) Get(ctx context.Context, kind, key string) (store.Record, error) {
	return s.count(ctx, kind, key, s.Store.Get)
}

func (s *grantCounter) GetCached(ctx context.Context, kind, key string, known int64) (store.Record, error) {
	return s.count(ctx, kind, key, func(ctx context.Context, kind, key string) (store.Record, error) {
		return s.Store.GetCached(ctx, kind, key, known)
	})
}

func (s *grantCounter) count(
	ctx context.Context,
	kind string,
	key string,
	get func(ctx context.Context, kind, key string) (store.Record, error),
) (store.Record, error) {
	if kind == "grant" {
		s.read++
		if s.down {
			return store.Record{}, errors.New("down")
		}
	}
	return get(ctx, kind, key)
}

// A scale is a store that knows the size of the largest record of each kind.
type scale struct {
	store.Store
	largest map[string]int
}

func (s *scale) Put(ctx context.Context, record store.Record) (int64, error) {
	s.largest[record.Kind] = max(s.largest[record.Kind], len(record.Value))
	return s.Store.Put(ctx, record)
}

// A pairing is a store whose readers of one kind continue in pairs. So two requests see the same
// record before either changes it.
type pairing struct {
	store.Store
	kind string

	mu      sync.Mutex
	pairs   int // still to come
	waiting chan struct{}
}

// newPairing replaces the store of an env by a pairing.
func newPairing(e *env) *pairing {
	p := &pairing{Store: store.NewMemory(store.Config{Now: e.now})}
	e.broker = e.start(options{store: p})
	return p
}

func (p *pairing) Get(ctx context.Context, kind, key string) (store.Record, error) {
	record, err := p.Store.Get(ctx, kind, key)
	p.mu.Lock()
	switch {
	case kind != p.kind || p.pairs == 0:
		p.mu.Unlock()
	case p.waiting == nil:
		wait := make(chan struct{})
		p.waiting = wait
		p.mu.Unlock()
		<-wait
	default:
		close(p.waiting)
		p.waiting = nil
		p.pairs--
		p.mu.Unlock()
	}
	return record, err
}

// arm makes the next readers of a kind continue in pairs.
func (p *pairing) arm(kind string, pairs int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kind = kind
	p.pairs = pairs
}
