package tokenstore

import (
	"context"
	"sync"
)

// Memory keeps records until the process ends. Its zero value is ready.
type Memory struct {
	mu      sync.Mutex
	records map[Key]Record
	locks   map[Key]chan struct{} // each holds one value while its lock is free
}

// Load returns the record of a key.
func (m *Memory) Load(_ context.Context, key Key) (Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	record := m.records[key]
	return record.clone(), nil
}

// Save replaces the record of a key.
func (m *Memory) Save(_ context.Context, key Key, record Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.records == nil {
		m.records = map[Key]Record{}
	}
	m.records[key] = record.clone()
	return nil
}

// Keys lists the keys that have a record.
func (m *Memory) Keys(context.Context) ([]Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := make([]Key, 0, len(m.records))
	for key := range m.records {
		keys = append(keys, key)
	}
	return keys, nil
}

// Lock waits until no other goroutine holds the lock of a key.
func (m *Memory) Lock(ctx context.Context, key Key) (unlock func(), err error) {
	lock := m.lockOf(key)
	select {
	case <-lock:
		return func() { lock <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m *Memory) lockOf(key Key) chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	lock, found := m.locks[key]
	if !found {
		if m.locks == nil {
			m.locks = map[Key]chan struct{}{}
		}
		lock = make(chan struct{}, 1)
		lock <- struct{}{}
		m.locks[key] = lock
	}
	return lock
}
