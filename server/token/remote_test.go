package token_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/token"
)

// keyServer publishes a key set that a test can change, and counts how often it is asked.
type keyServer struct {
	*httptest.Server
	fetches atomic.Int64
	mu      sync.Mutex
	handle  http.HandlerFunc
	now     time.Time
}

func newKeyServer(t *testing.T) *keyServer {
	t.Helper()
	s := &keyServer{now: noon}
	s.publish("one")
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fetches.Add(1)
		s.mu.Lock()
		handle := s.handle
		s.mu.Unlock()
		handle(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *keyServer) answer(handle http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handle = handle
}

// publish lets the server answer with the same RSA key under the ids.
func (s *keyServer) publish(kids ...string) {
	s.answer(func(w http.ResponseWriter, _ *http.Request) {
		set := jose.JSONWebKeySet{}
		for _, kid := range kids {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: rsaKey().Public(), KeyID: kid, Use: "sig"})
		}
		_ = json.MarshalWrite(w, set)
	})
}

func (s *keyServer) down() {
	s.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
}

func (s *keyServer) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *keyServer) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func (s *keyServer) remote() *token.Remote {
	return &token.Remote{URL: s.URL, HTTPClient: s.Client(), Now: s.clock}
}

func wantUnavailable(t *testing.T, err error, atMost time.Duration) {
	t.Helper()
	var unavailable *token.UnavailableError
	require.ErrorAs(t, err, &unavailable)
	assert.GreaterOrEqual(t, unavailable.RetryAfter, time.Second)
	assert.LessOrEqual(t, unavailable.RetryAfter, atMost)
}

func TestKeysAreFetchedOnceAndAgainAfterAnHour(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t)
	remote := s.remote()
	for range 3 {
		keys, err := remote.Keys(t.Context(), "one", s.clock())
		require.NoError(t, err)
		require.Len(t, keys, 1)
	}
	assert.EqualValues(t, 1, s.fetches.Load())

	s.pass(time.Hour)
	s.publish("two") // "one" is withdrawn
	_, err := remote.Keys(t.Context(), "one", noon)
	require.ErrorIs(t, err, token.ErrUnknownKey, "a withdrawn key counts for an hour at most")
	assert.EqualValues(t, 2, s.fetches.Load())
}

func TestAnUnknownKeyIsLookedUpOnceInFiveMinutes(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t)
	remote := s.remote()
	_, err := remote.Keys(t.Context(), "one", s.clock())
	require.NoError(t, err)

	s.pass(time.Minute)
	_, err = remote.Keys(t.Context(), "unknown", s.clock())
	require.ErrorIs(t, err, token.ErrUnknownKey, "the fetch that decides came after the token")
	require.EqualValues(t, 2, s.fetches.Load())

	s.pass(time.Minute)
	for i := range 100 {
		_, err = remote.Keys(t.Context(), fmt.Sprint("junk", i), s.clock())
		wantUnavailable(t, err, 4*time.Minute)
	}
	_, err = remote.Keys(t.Context(), "junk", s.clock().Add(-2*time.Minute))
	require.ErrorIs(t, err, token.ErrUnknownKey, "for an older token the last fetch decides")
	_, err = remote.Keys(t.Context(), "one", s.clock())
	require.NoError(t, err, "good tokens do not notice")
	require.EqualValues(t, 2, s.fetches.Load())

	s.pass(4 * time.Minute)
	s.publish("one", "new")
	_, err = remote.Keys(t.Context(), "new", s.clock())
	require.NoError(t, err, "the delay is bounded")
	require.EqualValues(t, 3, s.fetches.Load())
}

func TestTheFirstFetchDecidesAtOnce(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t)
	_, err := s.remote().Keys(t.Context(), "unknown", s.clock())
	require.ErrorIs(t, err, token.ErrUnknownKey)
	assert.EqualValues(t, 1, s.fetches.Load())
}

func TestABackdatedTokenIsNotOlderThanItIs(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t)
	remote := s.remote()
	remote.Backdate = 5 * time.Minute
	_, err := remote.Keys(t.Context(), "one", s.clock())
	require.NoError(t, err)
	s.pass(time.Minute)
	s.publish("one", "new")
	_, err = remote.Keys(t.Context(), "new", s.clock().Add(-5*time.Minute))
	require.NoError(t, err)
}

func TestATokenWithoutTimeOfIssueIsNew(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t)
	remote := s.remote()
	_, err := remote.Keys(t.Context(), "one", time.Time{})
	require.NoError(t, err)
	s.pass(time.Minute)
	s.publish("one", "new")
	_, err = remote.Keys(t.Context(), "new", time.Time{})
	require.NoError(t, err)
}

func TestTheLastGoodKeysOutliveTheIssuerForADay(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t)
	remote := s.remote()
	_, err := remote.Keys(t.Context(), "one", s.clock())
	require.NoError(t, err)

	s.down()
	fetched, old := remote.OldKeys()
	require.False(t, old)
	s.pass(23 * time.Hour)
	_, err = remote.Keys(t.Context(), "one", s.clock())
	require.NoError(t, err)
	still, old := remote.OldKeys()
	assert.True(t, old, "and it says so")
	assert.Equal(t, fetched, still)
	_, err = remote.Keys(t.Context(), "new", s.clock())
	wantUnavailable(t, err, 5*time.Second)

	s.pass(time.Hour)
	_, err = remote.Keys(t.Context(), "one", s.clock())
	wantUnavailable(t, err, 5*time.Second)

	s.publish("one", "new")
	s.pass(5 * time.Second)
	_, err = remote.Keys(t.Context(), "new", s.clock())
	require.NoError(t, err, "five seconds after its return all is well")
	_, old = remote.OldKeys()
	assert.False(t, old)
}

func TestAnIssuerThatFailsIsNotAskedAllTheTime(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t)
	s.down()
	remote := s.remote()
	for range 10 {
		_, err := remote.Keys(t.Context(), "one", s.clock())
		wantUnavailable(t, err, 5*time.Second)
	}
	assert.EqualValues(t, 1, s.fetches.Load())
}

func TestManyWhoWaitShareOneFetch(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t)
	remote := s.remote()
	_, err := remote.Keys(t.Context(), "one", s.clock())
	require.NoError(t, err)

	s.pass(time.Minute)
	begun := make(chan struct{})
	release := make(chan struct{})
	s.answer(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-release
		_ = json.MarshalWrite(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: rsaKey().Public(), KeyID: "new"}}})
	})
	first, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := remote.Keys(first, "new", s.clock())
		failed <- err
	}()
	<-begun
	cancel() // the caller who caused the fetch goes away
	require.ErrorIs(t, <-failed, context.Canceled)

	var waiting sync.WaitGroup
	var bad atomic.Int64
	for range 1000 {
		waiting.Go(func() {
			if _, err := remote.Keys(t.Context(), "new", s.clock()); err != nil {
				bad.Add(1)
			}
		})
	}
	close(release)
	waiting.Wait()
	assert.Zero(t, bad.Load())
	assert.EqualValues(t, 2, s.fetches.Load())
}

func TestAClockThatIsSetBackDoesNoHarm(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t)
	remote := s.remote()
	_, err := remote.Keys(t.Context(), "unknown", s.clock())
	require.ErrorIs(t, err, token.ErrUnknownKey)
	s.pass(-time.Hour)
	s.publish("one", "new")
	_, err = remote.Keys(t.Context(), "one", s.clock())
	require.NoError(t, err)
}

// privateMembers is a private key that somebody published by mistake. rocaMembers has a modulus
// that is 1 modulo all the small primes, as one of the faulty generator may be.
func TestAHundredThousandUnknownKeysCauseTwoFetches(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t)
	remote := s.remote()
	_, err := remote.Keys(t.Context(), "one", s.clock())
	require.NoError(t, err)
	for i := range 100_000 { // within a minute
		s.pass(600 * time.Microsecond)
		_, err = remote.Keys(t.Context(), strconv.Itoa(i), s.clock())
		require.Error(t, err)
		if i%1000 == 0 {
			_, err = remote.Keys(t.Context(), "one", s.clock())
			require.NoError(t, err, "good tokens do not notice")
		}
	}
	assert.LessOrEqual(t, s.fetches.Load(), int64(2))
}

func TestARolloverCostsNobodyAToken(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t)
	remote := s.remote()
	use := func(kid string, issued time.Time) {
		t.Helper()
		_, err := remote.Keys(t.Context(), kid, issued)
		require.NoError(t, err)
	}
	use("one", s.clock())
	kids := []string{"one"}
	for i := range 100 {
		newest := "key " + strconv.Itoa(i)
		kids = append(kids, newest)
		s.pass(10 * time.Minute)
		s.publish(kids...) // published,
		last := s.clock()
		use(newest, last) // used at once,
		s.pass(2 * time.Hour)
		s.publish(newest) // and alone after two hours, when nothing that the older one signed is alive
		kids = []string{newest}
		use(newest, last)
	}
}

func TestAClockThatJumpsForwardCostsAFetch(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t)
	remote := s.remote()
	for _, jump := range []time.Duration{0, 10 * time.Minute, -10 * time.Minute, 30 * 24 * time.Hour, -30 * 24 * time.Hour} {
		s.pass(jump)
		_, err := remote.Keys(t.Context(), "one", s.clock())
		require.NoError(t, err)
	}
	assert.LessOrEqual(t, s.fetches.Load(), int64(3))
}

func TestADocumentThatDripsIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		drip := roundTrip(func(r *http.Request) (*http.Response, error) {
			body, pen := io.Pipe()
			go func() {
				for r.Context().Err() == nil {
					if _, err := pen.Write([]byte(" ")); err != nil {
						return
					}
					<-time.After(time.Second)
				}
				_ = pen.CloseWithError(r.Context().Err())
			}()
			return &http.Response{StatusCode: http.StatusOK, Body: body}, nil
		})
		remote := &token.Remote{URL: "https://issuer.example/keys", HTTPClient: &http.Client{Transport: drip}}
		begun := time.Now()
		_, err := remote.Keys(t.Context(), "one", time.Now())
		wantUnavailable(t, err, 5*time.Second)
		assert.LessOrEqual(t, time.Since(begun), 6*time.Second)
		synctest.Wait()
	})
}

func TestPublishedListsAllKeys(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t)
	s.publish("one", "two")
	remote := s.remote()
	keys, err := remote.Published(t.Context())
	require.NoError(t, err)
	assert.Len(t, keys, 2)
	s.down()
	_, err = s.remote().Published(t.Context())
	require.Error(t, err)
	assert.False(t, errors.Is(err, token.ErrUnknownKey))
}

func TestAFetchEndsByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hang := roundTrip(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		remote := &token.Remote{URL: "https://issuer.example/keys", HTTPClient: &http.Client{Transport: hang}}
		begun := time.Now()
		_, err := remote.Keys(t.Context(), "one", time.Now())
		wantUnavailable(t, err, 5*time.Second)
		assert.Equal(t, 5*time.Second, time.Since(begun))
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
