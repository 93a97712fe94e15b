package broker_test

import (
	"context"
	"crypto/rand"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/journal"
	"mcpentra/server/broker"
	"mcpentra/server/entra"
	"mcpentra/server/store"
)

// refreshes returns the number of refreshes that reached Entra.
func (e *env) refreshes() int { return e.fake.Journal().Count(journal.Filter{Grant: "refresh_token"}) }

// twoReplicas starts an env with two brokers on one store.
func twoReplicas(t *testing.T) (e *env, replicas []*broker.Broker, kept store.Store) {
	t.Helper()
	keys, err := broker.NewKeys(rand.Reader)
	require.NoError(t, err)
	kept = newMemory()
	o := options{store: kept, keys: keys}
	e = newEnv(t, o)
	return e, []*broker.Broker{e.broker, e.start(o)}, kept
}

// grantOf returns the grant of an access token.
func (e *env) grantOf(access string) string {
	e.t.Helper()
	caller, err := e.broker.Verify(e.t.Context(), access)
	require.NoError(e.t, err)
	return caller.GrantID
}

// TestOneRefreshAcrossReplicas asks two replicas for the token of one grant at once.
func TestOneRefreshAcrossReplicas(t *testing.T) {
	t.Parallel()
	e, replicas, kept := twoReplicas(t)
	c := e.public()
	grantID := e.grantOf(e.signedIn(c).Access)
	e.later(86 * time.Minute)
	var mu sync.Mutex
	got := map[string]int{}
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			access, err := replicas[i%2].UpstreamToken(t.Context(), grantID)
			assert.NoError(t, err)
			mu.Lock()
			defer mu.Unlock()
			got[access]++
		})
	}
	all.Wait()
	assert.Len(t, got, 1, "all requests get the same token")
	assert.Equal(t, 1, e.refreshes())
	leases, err := kept.List(t.Context(), store.Query{Kind: "upstream refresh"})
	require.NoError(t, err)
	assert.Empty(t, leases, "the lease is given back")
}

// TestLeaseOfDeadReplicaEnds leaves the lease of another replica in the store.
func TestLeaseOfDeadReplicaEnds(t *testing.T) {
	t.Parallel()
	var offset atomic.Int64
	now := func() time.Time { return started.Add(time.Duration(offset.Load())) }
	kept := store.NewMemory(store.Config{Now: now})
	e := newEnv(t, options{store: kept})
	c := e.public()
	grantID := e.grantOf(e.signedIn(c).Access)
	e.later(86 * time.Minute)
	_, err := kept.Put(t.Context(), store.Record{
		Kind:    "upstream refresh",
		Key:     grantID,
		Value:   []byte("of another replica"),
		Expires: now().Add(30 * time.Second),
	})
	require.NoError(t, err)
	hurried, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = e.broker.UpstreamToken(hurried, grantID)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Zero(t, e.refreshes())

	offset.Store(int64(31 * time.Second))
	_, err = e.broker.UpstreamToken(t.Context(), grantID)
	require.NoError(t, err)
	assert.Equal(t, 1, e.refreshes())
}

// TestThrottleEndsNoGrant lets Entra refuse a refresh for reasons that do not end a sign-in.
func TestThrottleEndsNoGrant(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		body   string
		want   int
		code   string
	}{
		"loop": {
			400, `{"error":"invalid_grant","error_description":"AADSTS50196: x","error_codes":[50196]}`,
			503, "temporarily_unavailable",
		},
		"too many requests of the tenant": {
			429, `{"error":"temporarily_unavailable","error_codes":[90055]}`,
			503, "temporarily_unavailable",
		},
		"too many requests in text": {429, "Too Many Requests", 503, "temporarily_unavailable"},
		"an unknown number": {
			400, `{"error":"invalid_grant","error_description":"AADSTS12345: x","error_codes":[12345]}`,
			400, "invalid_grant",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, options{})
			c := e.public()
			first := e.signedIn(c)
			e.later(100 * time.Minute)
			e.entraAnswers(test.status, test.body)
			got, status := e.token(refreshing(c, first.Refresh))
			assert.Equal(t, test.want, status)
			assert.Equal(t, test.code, got.Error)
			assert.Empty(t, got.Access)

			e.answer.Store(nil)
			e.later(61 * time.Second)
			got, status = e.token(refreshing(c, first.Refresh))
			assert.Equal(t, 200, status, "%s: the grant is not lost", got.Error)
		})
	}
}

// TestRefreshNamesPauseOfEntra refreshes while Entra wants no request.
func TestRefreshNamesPauseOfEntra(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public()
	first := e.signedIn(c)
	e.later(100 * time.Minute)
	e.entraAnswers(429, "Too Many Requests") // a pause of a minute, if Entra names none
	for range 3 {
		answer := e.browser().post(e.origin+"/token", refreshing(c, first.Refresh))
		assert.Equal(t, 503, answer.status)
		assert.Equal(t, "60", answer.header.Get("Retry-After"))
	}
	e.answer.Store(nil)
	before := e.refreshes()
	_, err := e.broker.UpstreamToken(t.Context(), "unknown")
	require.ErrorIs(t, err, broker.ErrGrantOver)
	var unavailable *entra.UnavailableError
	_, err = e.broker.UpstreamToken(t.Context(), grantIDOf(first.Refresh))
	require.ErrorAs(t, err, &unavailable)
	assert.Equal(t, before, e.refreshes(), "Entra is left alone")
}

// grantIDOf returns the grant in a refresh token.
func grantIDOf(refresh string) string {
	id, _, _ := strings.Cut(strings.TrimPrefix(refresh, "mcpr_"), ".")
	return id
}
