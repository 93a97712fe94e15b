package acceptance_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker"
	"mcpentra/server/store"
)

// Bounds of what strangers can make the broker keep.
const (
	maxPending = 10_000 // sign-ins under way
	maxUnused  = 20_000 // clients with which no person has signed in
	maxMemory  = 96 << 20
	maxFile    = 96 << 20
)

// TestFloods leaves authorizations unfinished, registers clients, and names client documents. Half
// of the requests come from one network, and half from a network each. The broker has no limit by
// network here, so the store alone holds the bounds. Another person signs in meanwhile.
func TestFloods(t *testing.T) {
	if full(0, 1) == 0 {
		t.Parallel() // only the full form measures memory
	}
	for _, kind := range stores {
		t.Run(kind.name, func(t *testing.T) {
			if kind.name == "PostgreSQL" && full(0, 1) == 0 {
				t.Skip("make histories runs it")
			}
			many := full(50, 100_000)
			if kind.far {
				many = full(50, 20_000)
			}
			before := heap()
			f := newFlood(t, kind)
			f.run(many)
			f.judge()
			grown := heap() - before
			t.Logf("heap grew by %d MB, files %d MB, good sign-ins %d", grown>>20, f.size()>>20, f.good.Load())
			if full(0, 1) == 1 {
				assert.Less(t, grown, int64(maxMemory))
			}
			assert.Less(t, f.size(), int64(maxFile))
			runtime.KeepAlive(f)
		})
	}
}

// heap returns the bytes in use.
func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// A flood is a broker, the requests of strangers, and a person who signs in meanwhile.
type flood struct {
	t      *testing.T
	w      *world
	store  store.Store
	folder string
	good   atomic.Int64 // sign-ins
}

func newFlood(t *testing.T, kind storeKind) *flood {
	f := &flood{t: t, folder: t.TempDir()}
	open := kind.open(t)
	if kind.name == "file" {
		open = func(now func() time.Time) store.Store {
			opened, err := store.OpenFile(t.Context(), filepath.Join(f.folder, "s.db"), store.Config{Now: now})
			require.NoError(t, err)
			t.Cleanup(func() { _ = opened.Close() })
			return opened
		}
	}
	f.w = newWorld(t, options{
		realTime: true, // a full store forgets the oldest sign-in
		clients:  broker.ClientPolicy{Documents: documentSite(t)},
		store: func(now func() time.Time) store.Store {
			f.store = open(now)
			return f.store
		},
	})
	return f
}

// size returns the bytes of the files.
func (f *flood) size() (total int64) {
	files, err := filepath.Glob(filepath.Join(f.folder, "*"))
	require.NoError(f.t, err)
	for _, name := range files {
		info, err := os.Stat(name)
		require.NoError(f.t, err)
		total += info.Size()
	}
	return total
}

// run sends many authorizations, as many registrations, and a tenth as many client documents.
func (f *flood) run(many int) {
	victim := f.w.register(0, metadata())
	asked := authorization(victim.ClientID, loopback, "user.read")
	f.send(many, func(address string, _ int) int {
		return f.w.sendFrom(address, 0, http.MethodGet, asked, "").status
	})
	text, err := json.Marshal(metadata())
	require.NoError(f.t, err)
	f.send(many, func(address string, _ int) int {
		return f.w.sendFrom(address, 0, http.MethodPost, "/register", string(text),
			"Content-Type", "application/json").status
	})
	f.send(many/10, func(address string, i int) int {
		id := fmt.Sprintf("https://client%d.example.com/%d.json", i%50, i)
		return f.w.sendFrom(address, 0, http.MethodGet, authorization(id, loopback, "user.read"), "").status
	})
}

// send sends requests over sixteen connections. Each has to succeed. A person signs in a few
// times meanwhile, and once after them.
func (f *flood) send(many int, request func(address string, i int) int) {
	var next atomic.Int64
	var all sync.WaitGroup
	turns := make(chan struct{}, 16)
	for range 16 {
		all.Go(func() {
			for i := int(next.Add(1)); i <= many && !f.t.Failed(); i = int(next.Add(1)) {
				address := "198.51.100.7:1234"
				if i%2 == 0 {
					address = fmt.Sprintf("10.%d.%d.1:1234", i>>8&255, i&255)
				}
				status := request(address, i)
				assert.Contains(f.t, []int{http.StatusOK, http.StatusCreated}, status)
				if i%max(1, many/full(2, 20)) == 0 {
					turns <- struct{}{}
				}
			}
		})
	}
	go func() {
		all.Wait()
		close(turns)
	}()
	for range turns {
		f.signIn()
	}
	f.signIn()
	require.False(f.t, f.t.Failed())
}

// signIn registers a client, signs in, and refreshes.
func (f *flood) signIn() {
	program := f.w.register(0, metadata())
	require.Equal(f.t, http.StatusCreated, program.status)
	code := f.w.browser().codeFor(program.ClientID, loopback, "user.read", int(f.good.Add(1)))
	got := f.w.token(0, redemption(program.ClientID, loopback, code))
	require.Equal(f.t, http.StatusOK, got.status, got.Error)
	next := f.w.token(0, refreshing(program.ClientID, got.Refresh))
	require.Equal(f.t, http.StatusOK, next.status, next.Error)
}

// judge counts the records. The good sign-ins have lasting ones.
func (f *flood) judge() {
	counts := map[string]int{}
	require.NoError(f.t, store.Walk(f.t.Context(), f.store, func(record store.Record) error {
		counts[record.Kind]++
		return nil
	}))
	good := int(f.good.Load())
	f.t.Logf("records: %v", counts)
	assert.LessOrEqual(f.t, counts["transaction"], maxPending)
	assert.LessOrEqual(f.t, counts["client"], maxUnused+good)
	assert.Equal(f.t, good, counts["grant"], "no grant is lost")
}
