package token_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
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

func TestRemoteRefreshesHourly(t *testing.T) {
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

func TestRemotePausesForUnknownKeys(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t)
	remote := s.remote()
	_, err := remote.Keys(t.Context(), "one", s.clock())
	require.NoError(t, err)

	s.pass(time.Minute)
	_, err = remote.Keys(t.Context(), "unknown", s.clock())
	require.ErrorIs(t, err, token.ErrUnknownKey, "the deciding fetch is newer than the token")
	require.EqualValues(t, 2, s.fetches.Load())

	s.pass(time.Minute)
	for i := range 100 {
		_, err = remote.Keys(t.Context(), fmt.Sprint("junk", i), s.clock())
		wantUnavailable(t, err, 4*time.Minute)
	}
	_, err = remote.Keys(t.Context(), "junk", s.clock().Add(-2*time.Minute))
	require.ErrorIs(t, err, token.ErrUnknownKey, "the last fetch decides about an older token")
	_, err = remote.Keys(t.Context(), "one", s.clock())
	require.NoError(t, err, "good tokens do not notice")
	require.EqualValues(t, 2, s.fetches.Load())

	s.pass(4 * time.Minute)
	s.publish("one", "new")
	_, err = remote.Keys(t.Context(), "new", s.clock())
	require.NoError(t, err, "the delay is bounded")
	require.EqualValues(t, 3, s.fetches.Load())
}

func TestRemoteDecidesByFirstFetch(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t)
	_, err := s.remote().Keys(t.Context(), "unknown", s.clock())
	require.ErrorIs(t, err, token.ErrUnknownKey)
	assert.EqualValues(t, 1, s.fetches.Load())
}

func TestRemoteAddsBackdate(t *testing.T) {
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

func TestRemoteTreatsMissingIATAsNow(t *testing.T) {
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

func TestRemoteKeepsKeysForADay(t *testing.T) {
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
	assert.True(t, old, "the Remote reports it")
	assert.Equal(t, fetched, still)
	_, err = remote.Keys(t.Context(), "new", s.clock())
	wantUnavailable(t, err, 5*time.Second)

	s.pass(time.Hour)
	_, err = remote.Keys(t.Context(), "one", s.clock())
	wantUnavailable(t, err, 5*time.Second)

	s.publish("one", "new")
	s.pass(5 * time.Second)
	_, err = remote.Keys(t.Context(), "new", s.clock())
	require.NoError(t, err, "five seconds later, the keys are fetched again")
	_, old = remote.OldKeys()
	assert.False(t, old)
}

func TestRemotePausesAfterFailure(t *testing.T) {
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

func TestRemoteSharesFetch(t *testing.T) {
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
	cancel() // the caller that caused the fetch leaves
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

func TestRemoteSurvivesClockSetBack(t *testing.T) {
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

// TestRemoteSurvivesFloodOfUnknownKeys asks for 100,000 unknown keys within a minute.
func TestRemoteSurvivesFloodOfUnknownKeys(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t)
	remote := s.remote()
	_, err := remote.Keys(t.Context(), "one", s.clock())
	require.NoError(t, err)
	for i := range 100_000 {
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

func TestRemoteFollowsRollover(t *testing.T) {
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
		s.publish(kids...) // published
		last := s.clock()
		use(newest, last) // used at once
		s.pass(2 * time.Hour)
		s.publish(newest) // and alone after two hours, when all tokens of the older key have expired
		kids = []string{newest}
		use(newest, last)
	}
}

func TestRemoteSurvivesClockJump(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t)
	remote := s.remote()
	const month = 30 * 24 * time.Hour
	for _, jump := range []time.Duration{0, 10 * time.Minute, -10 * time.Minute, month, -month} {
		s.pass(jump)
		_, err := remote.Keys(t.Context(), "one", s.clock())
		require.NoError(t, err)
	}
	assert.LessOrEqual(t, s.fetches.Load(), int64(3))
}

func TestRemoteStopsSlowFetch(t *testing.T) {
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

func TestRemoteFetchTimesOut(t *testing.T) {
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
