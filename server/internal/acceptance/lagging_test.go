package acceptance_test

import (
	"context"
	"sync"
	"time"

	"mcpentra/server/store"
)

// A laggingStore is one replica's view of a shared store. Its cached reads are as old as the
// contract of a store allows.
type laggingStore struct {
	store.Store
	now    func() time.Time
	mu     sync.Mutex // held during each call, so that no cached read is older than a write
	cached map[string]cachedRead
}

// A cachedRead is the result of a read.
type cachedRead struct {
	record store.Record
	err    error
	at     time.Time
}

func newLaggingStore(shared store.Store, now func() time.Time) *laggingStore {
	return &laggingStore{Store: shared, now: now, cached: map[string]cachedRead{}}
}

func (s *laggingStore) GetCached(ctx context.Context, kind, key string, _ int64) (store.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, found := s.cached[kind+" "+key]
	if found && s.now().Sub(last.at) <= store.MaxStale {
		return last.record, last.err
	}
	record, err := s.Store.Get(ctx, kind, key)
	s.cached[kind+" "+key] = cachedRead{record, err, s.now()}
	return record, err
}

func (s *laggingStore) Put(ctx context.Context, record store.Record) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.cached, record.Kind+" "+record.Key)
	return s.Store.Put(ctx, record)
}

func (s *laggingStore) Take(ctx context.Context, kind, key string) (store.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.cached, kind+" "+key)
	return s.Store.Take(ctx, kind, key)
}

func (s *laggingStore) Delete(ctx context.Context, kind, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.cached, kind+" "+key)
	return s.Store.Delete(ctx, kind, key)
}
