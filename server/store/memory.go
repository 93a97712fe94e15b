package store

import (
	"bytes"
	"context"
	"sync"
	"time"
)

// NewMemory returns a store that forgets everything when the process ends.
func NewMemory(config Config) Store {
	return &memory{config: config, kinds: map[string]*shelf{}}
}

type memory struct {
	config Config
	mu     sync.Mutex
	kinds  map[string]*shelf
}

func (m *memory) Get(ctx context.Context, kind, key string) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if found := m.shelf(kind).byKey[key]; found != nil {
		return found.copy(), nil
	}
	return Record{}, ErrNotFound
}

// GetCached is Get: no other process can reach the memory.
func (m *memory) GetCached(ctx context.Context, kind, key string, _ int64) (Record, error) {
	return m.Get(ctx, kind, key)
}

func (m *memory) Put(ctx context.Context, record Record) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := record.Check(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	shelf := m.shelf(record.Kind)
	found := shelf.byKey[record.Key]
	version := int64(0)
	if found != nil {
		version = found.Version
	}
	if record.Version != version {
		return 0, ErrConflict
	}
	if found != nil {
		shelf.remove(found)
	} else {
		for m.config.Full(record, len(shelf.byKey), shelf.sourced()) {
			shelf.remove(shelf.next())
		}
	}
	record.Version++
	record.Limit = 0
	record.Once = false
	record.Value = bytes.Clone(record.Value)
	record.Expires = record.Expires.Truncate(time.Second)
	shelf.add(record)
	return record.Version, nil
}

func (m *memory) Take(ctx context.Context, kind, key string) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	shelf := m.shelf(kind)
	found := shelf.byKey[key]
	if found == nil {
		return Record{}, ErrNotFound
	}
	shelf.remove(found)
	return found.copy(), nil
}

func (m *memory) Delete(ctx context.Context, kind, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	shelf := m.shelf(kind)
	if found := shelf.byKey[key]; found != nil {
		shelf.remove(found)
	}
	return nil
}

func (m *memory) Close() error { return nil }

// shelf returns the records of a kind, after it has removed the expired ones.
func (m *memory) shelf(kind string) *shelf {
	found := m.kinds[kind]
	if found == nil {
		found = &shelf{byKey: map[string]*item{}, holdings: map[string]*holding{}, expiry: items{slot: ofShelf}}
		m.kinds[kind] = found
	}
	now := m.config.Time()
	for found.expiry.Len() > 0 && !now.Before(found.expiry.all[0].Expires) {
		found.remove(found.expiry.all[0])
	}
	return found
}
