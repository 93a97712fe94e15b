package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server"
	"mcpentra/server/broker"
	"mcpentra/server/entra"
	"mcpentra/server/guard"
	"mcpentra/server/identity"
	"mcpentra/server/store"
)

// TestRevocationEndsCallWithExpiredToken runs a call at one replica. The client revokes its grant
// at another.
func TestRevocationEndsCallWithExpiredToken(t *testing.T) {
	t.Parallel()
	signing, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	keys, err := broker.NewKeys(rand.Reader)
	require.NoError(t, err)
	kept := store.NewMemory(store.Config{})
	s := newEnv(t, func(config *server.Config) {
		config.SigningKey = signing
		config.Keys = keys
		config.Store = kept
	})
	clientID, tokens := s.signIn()

	var offset atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
	registration := registration(s.fake)
	registration.RedirectURI = s.origin + broker.CallbackPath
	upstream, err := entra.New(registration)
	require.NoError(t, err)
	replica, err := broker.New(t.Context(), broker.Config{
		Issuer:     s.origin,
		Resource:   s.server.Resource(),
		Entra:      upstream,
		Store:      kept,
		Keys:       keys,
		SigningKey: signing,
		Now:        now,
	})
	require.NoError(t, err)
	late := make(chan struct{}) // receives each recheck after the expiry
	running := make(chan context.Context, 1)
	detached := make(chan context.Context, 1)
	guarded, err := guard.New(guard.Config{
		Resource:             s.server.Resource(),
		AuthorizationServers: []string{s.origin},
		Recheck:              time.Millisecond,
		MaxCall:              time.Hour,
		Now:                  now,
		Verify: func(ctx context.Context, raw string) (*identity.Caller, error) {
			if offset.Load() > 0 {
				select {
				case late <- struct{}{}:
				default:
				}
			}
			return replica.Verify(ctx, raw)
		},
	}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		work, end := guard.Detached(r.Context())
		defer end()
		running <- r.Context()
		detached <- work
		<-r.Context().Done()
		<-work.Done()
	}))
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r := httptest.NewRequest(http.MethodPost, s.server.Resource(), strings.NewReader(callUserName))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+tokens["access_token"].(string))
		guarded.ServeHTTP(httptest.NewRecorder(), r)
	}()
	call := <-running
	work := <-detached
	offset.Store(int64(3 * time.Hour))
	for range 4 { // both contexts have been rechecked
		<-late
	}
	require.NoError(t, call.Err(), "a call may outlive its token")
	require.NoError(t, work.Err())

	status, _, body := s.postForm(s.origin+"/revoke", url.Values{
		"client_id": {clientID},
		"token":     {tokens["refresh_token"].(string)},
	})
	require.Equal(t, http.StatusOK, status, body)
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Fatal("the call still runs")
	}
	assert.ErrorIs(t, call.Err(), context.Canceled)
	assert.ErrorIs(t, work.Err(), context.Canceled)
}
