package client_test

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
	"mcpentra/client/signin"
	"mcpentra/client/tokenstore"
	"mcpentra/conformance/loopback/loopbacktest"
)

// A failingStore runs fail in each Load under the lock of a record.
type failingStore struct {
	tokenstore.Memory
	fail func() error
	held int
}

func (s *failingStore) Load(ctx context.Context, key tokenstore.Key) (tokenstore.Record, error) {
	if s.held > 0 {
		if err := s.fail(); err != nil {
			return tokenstore.Record{}, err
		}
	}
	return s.Memory.Load(ctx, key)
}

func (s *failingStore) Lock(ctx context.Context, key tokenstore.Key) (func(), error) {
	unlock, err := s.Memory.Lock(ctx, key)
	s.held++
	return func() {
		s.held--
		unlock()
	}, err
}

func TestFailedLoadReleasesLock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		fail func() error
	}{
		{"an error", func() error { return errors.New("the disk is gone") }},
		{"an ended goroutine", func() error { runtime.Goexit(); return nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			store := &failingStore{fail: c.fail}
			_, through := env.client(func(config *client.Config) { config.Tokens = store })
			_, err := through.Post(env.URL+"/mcp", "application/json", http.NoBody)
			require.Error(t, err)
			assert.Zero(t, store.held)
		})
	}
}

// TestEndedGoroutineClosesListener: a test that fails in Config.Trace ends its goroutine.
func TestEndedGoroutineClosesListener(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	redirectURI := "http://127.0.0.1:" + loopbacktest.Port(t) + "/callback"
	_, through := env.client(func(config *client.Config) {
		config.RedirectURI = redirectURI
		config.Trace = func(event client.Event) {
			if _, ok := event.(client.Registered); ok {
				runtime.Goexit()
			}
		}
	})
	_, err := through.Post(env.URL+"/mcp", "application/json", http.NoBody)
	require.Error(t, err)
	again, err := signin.Listen(redirectURI)
	require.NoError(t, err, "the port is free")
	again.Close()
}
