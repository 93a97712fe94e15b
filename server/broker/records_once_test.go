package broker_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/server/store"
)

// A onceRecorder is a store that notes the mark Once of each kind.
type onceRecorder struct {
	store.Store
	mu   sync.Mutex
	once map[string]bool
}

func (s *onceRecorder) Put(ctx context.Context, record store.Record) (int64, error) {
	s.mu.Lock()
	s.once[record.Kind] = record.Once
	s.mu.Unlock()
	return s.Store.Put(ctx, record)
}

// TestCodesMustNotComeBack runs a whole sign-in. Its code and its transaction must not come back
// when a store has lost a write, and its grant must.
func TestCodesMustNotComeBack(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	recorder := &onceRecorder{Store: newMemory(), once: map[string]bool{}}
	e.broker = e.start(options{store: recorder})
	e.signedIn(e.public())
	c := e.device()
	told := e.deviceCode(c)
	b := e.browser()
	b.get(e.approvesDevice(b, told))
	e.poll(c, told)
	for kind, want := range map[string]bool{
		"transaction":          true,
		"code":                 true,
		"device authorization": true,
		"user code":            true,
		"grant":                false,
		"consent":              false,
	} {
		once, seen := recorder.once[kind]
		assert.True(t, seen, kind)
		assert.Equal(t, want, once, kind)
	}
}
