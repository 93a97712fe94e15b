package tokenstore

import (
	"context"
	"sync"
)

// Memory keeps records as long as the process runs. Its zero value is ready.
type Memory struct {
	mu      sync.Mutex
	records map[Place]Record
	locks   map[Place]chan struct{} // each holds one value while nobody has the place
}

// Load returns the record of a place.
func (m *Memory) Load(_ context.Context, place Place) (Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	record := m.records[place]
	return record.clone(), nil
}

// Save replaces the record of a place.
func (m *Memory) Save(_ context.Context, place Place, record Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.records == nil {
		m.records = map[Place]Record{}
	}
	m.records[place] = record.clone()
	return nil
}

// Places lists the places that have a record.
func (m *Memory) Places(context.Context) ([]Place, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	places := make([]Place, 0, len(m.records))
	for place := range m.records {
		places = append(places, place)
	}
	return places, nil
}

// Lock waits until nobody else in the process holds a place.
func (m *Memory) Lock(ctx context.Context, place Place) (unlock func(), err error) {
	m.mu.Lock()
	lock, found := m.locks[place]
	if !found {
		if m.locks == nil {
			m.locks = map[Place]chan struct{}{}
		}
		lock = make(chan struct{}, 1)
		lock <- struct{}{}
		m.locks[place] = lock
	}
	m.mu.Unlock()
	select {
	case <-lock:
		return func() { lock <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
