package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"mcpentra/server/store"
)

// linearizable is Linearizable for one open store.
func linearizable(t *testing.T, s store.Store, _ func(time.Duration)) { Linearizable(t, s) }

// Linearizable checks that concurrent calls have the results of calls one after another. The stores
// are one store that several processes have opened. It records 2 histories, or 200 if the
// environment has HISTORIES=full.
func Linearizable(t *testing.T, replicas ...store.Store) {
	t.Helper()
	rounds := 2
	if os.Getenv("HISTORIES") == "full" {
		rounds = 200
	}
	for round := range rounds {
		history := recordHistory(t, fmt.Sprint("round ", round), replicas)
		require.False(t, t.Failed())
		checked, found := porcupine.CheckOperationsVerbose(model, history, time.Minute)
		if checked == porcupine.Illegal {
			t.Log(found.PartialLinearizationsOperations())
		}
		require.Equal(t, porcupine.Ok, checked, "the history of round %d", round)
	}
}

const (
	historyCallers = 8
	historyCalls   = 20 // of each caller
	historyKeys    = 3
)

// A call is one call of a store.
type call struct {
	method  string
	key     string
	value   string
	version int64 // of the record of Put
}

// A result is the result of a call: of the record that it returns, or of Put.
type result struct {
	ok      bool // false for ErrNotFound and ErrConflict
	value   string
	version int64
}

// recordHistory lets several callers use the same few keys of a kind at once.
func recordHistory(t *testing.T, kind string, replicas []store.Store) (history []porcupine.Operation) {
	var mu sync.Mutex
	var all sync.WaitGroup
	began := time.Now()
	for caller := range historyCallers {
		replica := replicas[caller%len(replicas)]
		all.Go(func() {
			seen := map[string]int64{} // the version that the caller knows of each key
			for n := range historyCalls {
				made := call{
					method: []string{"get", "put", "put", "put", "take", "delete"}[rand.N(6)],
					key:    fmt.Sprint("key", rand.N(historyKeys)),
					value:  fmt.Sprint(caller, " ", n),
				}
				made.version = seen[made.key]
				operation := porcupine.Operation{ClientId: caller, Input: made, Call: int64(time.Since(began))}
				got, err := made.run(t.Context(), replica, kind)
				operation.Return = int64(time.Since(began))
				operation.Output = got
				if err != nil {
					t.Errorf("%s: %v", made.method, err)
					return
				}
				seen[made.key] = got.version
				if made.method == "take" || made.method == "delete" {
					seen[made.key] = 0
				}
				mu.Lock()
				history = append(history, operation)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return history
}

// run makes the call. The error is neither ErrNotFound nor ErrConflict.
func (c call) run(ctx context.Context, s store.Store, kind string) (got result, err error) {
	var found store.Record
	switch c.method {
	case "get":
		found, err = s.Get(ctx, kind, c.key)
	case "take":
		found, err = s.Take(ctx, kind, c.key)
	case "delete":
		err = s.Delete(ctx, kind, c.key)
	case "put":
		found.Version, err = s.Put(ctx, store.Record{
			Kind:    kind,
			Key:     c.key,
			Value:   []byte(c.value),
			Version: c.version,
			Expires: time.Now().Add(time.Hour), // no record expires, whatever the store's clock is
		})
	}
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
		return result{}, nil
	}
	return result{ok: err == nil, value: string(found.Value), version: found.Version}, err
}

// model describes a store with one key: its state is a result, which is not ok without a record.
var model = porcupine.Model{
	Init: func() any { return result{} },
	Partition: func(history []porcupine.Operation) (parts [][]porcupine.Operation) {
		byKey := map[string][]porcupine.Operation{}
		for _, operation := range history {
			key := operation.Input.(call).key
			byKey[key] = append(byKey[key], operation)
		}
		for _, part := range byKey {
			parts = append(parts, part)
		}
		return parts
	},
	Step: func(state, input, output any) (bool, any) { return step(state.(result), input.(call), output.(result)) },
	DescribeOperation: func(input, output any) string {
		return fmt.Sprintf("%+v: %+v", input, output)
	},
}

// step reports whether a call can have this result in this state, and returns the next state.
func step(stored result, made call, got result) (bool, result) {
	switch made.method {
	case "get":
		return got == stored, stored
	case "take":
		return got == stored, result{}
	case "delete":
		return got.ok, result{}
	}
	if made.version != stored.version {
		return !got.ok, stored
	}
	return got.ok && got.version > stored.version, result{ok: true, value: made.value, version: got.version}
}
