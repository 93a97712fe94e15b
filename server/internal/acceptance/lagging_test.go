package acceptance_test

import (
	"context"
	"time"

	"mcpentra/server/store"
)

// A laggingStore is one replica's view of a shared store. Its cached reads are as old as the
// contract of a store allows. One goroutine at a time uses it.
type laggingStore struct {
	store.Store
	now    func() time.Time
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

func (s *laggingStore) GetCached(ctx context.Context, kind, key string) (store.Record, error) {
	last, found := s.cached[kind+" "+key]
	if found && s.now().Sub(last.at) <= store.MaxStale {
		return last.record, last.err
	}
	record, err := s.Store.Get(ctx, kind, key)
	s.cached[kind+" "+key] = cachedRead{record, err, s.now()}
	return record, err
}

func (s *laggingStore) Put(ctx context.Context, record store.Record) (int64, error) {
	delete(s.cached, record.Kind+" "+record.Key)
	return s.Store.Put(ctx, record)
}

func (s *laggingStore) Take(ctx context.Context, kind, key string) (store.Record, error) {
	delete(s.cached, kind+" "+key)
	return s.Store.Take(ctx, kind, key)
}

func (s *laggingStore) Delete(ctx context.Context, kind, key string) error {
	delete(s.cached, kind+" "+key)
	return s.Store.Delete(ctx, kind, key)
}
