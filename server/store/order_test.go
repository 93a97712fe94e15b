package store_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/store"
)

// TestFileStoresGroupAtOnce stores pairs of records while another goroutine reads them. The reader
// never sees the first record of a pair without the second.
func TestFileStoresGroupAtOnce(t *testing.T) {
	t.Parallel()
	s, err := store.OpenFile(t.Context(), filepath.Join(t.TempDir(), "s.db"), store.Config{})
	require.NoError(t, err)
	defer s.Close()
	const pairs = 50
	made := func(name string, i int) store.Record {
		return store.Record{Kind: name, Key: fmt.Sprint(i), Expires: time.Now().Add(time.Hour)}
	}
	written := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < pairs && err == nil; i++ {
			_, err = store.PutInOrder(t.Context(), s, made("first", i), made("second", i))
		}
		written <- err
	}()
	seen := 0
	for ended := false; !ended; {
		select {
		case err := <-written:
			require.NoError(t, err)
			ended = true
		default:
		}
		for ; seen < pairs; seen++ {
			_, err := s.Get(t.Context(), "first", fmt.Sprint(seen))
			if errors.Is(err, store.ErrNotFound) {
				break
			}
			require.NoError(t, err)
			_, err = s.Get(t.Context(), "second", fmt.Sprint(seen))
			require.NoError(t, err)
		}
	}
	assert.Equal(t, pairs, seen)
}
