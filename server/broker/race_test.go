package broker_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/server/store"
)

// A meeting is a store whose readers of one kind go on in pairs, so that two requests see the same
// record before either changes it.
type meeting struct {
	store.Store
	kind string

	mu      sync.Mutex
	pairs   int // still to come
	waiting chan struct{}
}

func (m *meeting) Get(ctx context.Context, kind, key string) (store.Record, error) {
	record, err := m.Store.Get(ctx, kind, key)
	m.mu.Lock()
	switch {
	case kind != m.kind || m.pairs == 0:
		m.mu.Unlock()
	case m.waiting == nil:
		wait := make(chan struct{})
		m.waiting = wait
		m.mu.Unlock()
		<-wait
	default:
		close(m.waiting)
		m.waiting = nil
		m.pairs--
		m.mu.Unlock()
	}
	return record, err
}

func (m *meeting) arm(kind string, pairs int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kind = kind
	m.pairs = pairs
}

// twice does one thing two times at once.
func twice(act func() (tokens, int)) (got [2]tokens, status [2]int) {
	var both sync.WaitGroup
	for i := range got {
		both.Go(func() { got[i], status[i] = act() })
	}
	both.Wait()
	return got, status
}

func TestTwoWhoSawTheSameCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	m := &meeting{Store: store.NewMemory(store.Config{Now: w.now})}
	w.broker = w.start(options{store: m})
	c := w.public()
	code := w.code(c, w.browser()).Get("code")
	m.arm("code", 1)
	got, status := twice(func() (tokens, int) { return w.token(redemption(c, code)) })
	assert.ElementsMatch(t, []int{200, 400}, status[:])
	// One of the two was not the client, and nobody knows which.
	for _, one := range got {
		assert.False(t, one.Access != "" && w.good(one.Access), "the grant of a code that two redeemed stands")
	}
}

func TestTwoWhoSawTheSameRefreshToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	m := &meeting{Store: store.NewMemory(store.Config{Now: w.now})}
	w.broker = w.start(options{store: m})
	c := w.public()
	first := w.signedIn(c)
	m.arm("grant", 3) // to see whose it is, whether Entra still vouches, and to change it
	got, status := twice(func() (tokens, int) { return w.token(refreshing(c, first.Refresh)) })
	assert.Equal(t, [2]int{200, 200}, status)
	assert.Equal(t, got[0].Refresh, got[1].Refresh)
	assert.NotEqual(t, first.Refresh, got[0].Refresh)
	assert.True(t, w.good(got[0].Access))
}
