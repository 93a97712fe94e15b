package main_test

import (
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	running "mcpentra/server/internal/programs"
)

// TestFloodCrashesNothing leaves many authorizations unfinished and registers many clients. Memory
// and files stay bounded, and other people sign in.
func TestFloodCrashesNothing(t *testing.T) {
	t.Parallel()
	many := crashes(500, 100_000)
	pair := running.New(t, programs, t.TempDir())
	pair.Start()
	p := newPerson(t, pair)
	_, err := p.register()
	require.NoError(t, err)
	flood(t, many, func() (int, error) {
		answer, err := p.client.Get(p.authorizationURL())
		if err != nil {
			return 0, err
		}
		return answer.StatusCode, answer.Body.Close()
	}, http.StatusOK)
	registers := func() (int, error) {
		_, status, err := p.post("/register", "application/json",
			`{"redirect_uris":["http://127.0.0.1:5555/cb"],"token_endpoint_auth_method":"none"}`)
		return status, err
	}
	flood(t, many, registers, http.StatusCreated)

	good := newPerson(t, pair)
	status, err := good.register()
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, status)
	got, status, err := good.redeem(good.signIn(t.Context()))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	_, status, err = good.refresh(got.Refresh)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, status)
	files, err := filepath.Glob(pair.Store + "*")
	require.NoError(t, err)
	size := int64(0)
	for _, name := range files {
		info, err := os.Stat(name)
		require.NoError(t, err)
		size += info.Size()
	}
	t.Logf("files %d KB, memory %d KB", size>>10, pair.Peak()>>10)
	assert.Less(t, size, int64(100<<20))
	assert.Less(t, pair.Peak(), int64(100<<20))
}

// flood sends many requests over eight connections. Each has to get the status.
func flood(t *testing.T, many int, request func() (int, error), want int) {
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range many / 8 {
				status, err := request()
				if !assert.NoError(t, err) || !assert.Equal(t, want, status) {
					return
				}
			}
		})
	}
	all.Wait()
	require.False(t, t.Failed())
}
