package token_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
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
	s.pass(23 * time.Hour)
	_, err = remote.Keys(t.Context(), "one", s.clock())
	require.NoError(t, err)
	_, err = remote.Keys(t.Context(), "new", s.clock())
	wantUnavailable(t, err, 5*time.Second)

	s.pass(time.Hour)
	_, err = remote.Keys(t.Context(), "one", s.clock())
	wantUnavailable(t, err, 5*time.Second)

	s.publish("one", "new")
	s.pass(5 * time.Second)
	_, err = remote.Keys(t.Context(), "new", s.clock())
	require.NoError(t, err, "five seconds after its return all is well")
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
	begun, release := make(chan struct{}), make(chan struct{})
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
	for range 200 {
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

func TestADocumentThatIsNoneIsNotUsed(t *testing.T) {
	t.Parallel()
	tests := map[string]http.HandlerFunc{
		"a page":     func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"no members": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) },
		"no keys":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":[]}`)) },
		"keys twice": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":[],"keys":[]}`)) },
		"a key with two ids": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"keys":[{"kty":"RSA","kid":"x","kid":"one"}]}`))
		},
		"not found": http.NotFound,
		"cut in the middle": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(`{"keys":[`))
		},
		"far too long": func(w http.ResponseWriter, _ *http.Request) {
			for range 64 {
				if _, err := w.Write([]byte(strings.Repeat(" ", 64<<10))); err != nil {
					return
				}
			}
		},
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/keys" {
				_ = json.MarshalWrite(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: rsaKey().Public(), KeyID: "one"}}})
				return
			}
			http.Redirect(w, r, "/keys", http.StatusFound)
		},
	}
	for name, handle := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newKeyServer(t)
			s.answer(handle)
			_, err := s.remote().Keys(t.Context(), "one", s.clock())
			wantUnavailable(t, err, 5*time.Second)
			assert.EqualValues(t, 1, s.fetches.Load())
		})
	}
}

func TestABadKeyIsLeftOutAndSpoilsNothing(t *testing.T) {
	t.Parallel()
	const thisIssuer, template = "https://issuer.example/tenant/v2.0", "https://issuer.example/{tenantid}/v2.0"
	rsaMembers := func(bits int) string {
		encoded, err := json.Marshal(jose.JSONWebKey{Key: newRSAKey(bits).Public()})
		require.NoError(t, err)
		return strings.Trim(string(encoded), "{}")
	}
	strong := rsaMembers(2048)
	tests := map[string]struct {
		key  string
		used bool
	}{
		"a plain key":               {`{` + strong + `,"kid":"x"}`, true},
		"for signatures":            {`{` + strong + `,"kid":"x","use":"sig","key_ops":["verify"]}`, true},
		"of this issuer":            {`{` + strong + `,"kid":"x","issuer":"` + thisIssuer + `"}`, true},
		"of the template":           {`{` + strong + `,"kid":"x","issuer":"` + template + `"}`, true},
		"of another issuer":         {`{` + strong + `,"kid":"x","issuer":"https://issuer.example/other/v2.0"}`, false},
		"an issuer that is no text": {`{` + strong + `,"kid":"x","issuer":1}`, false},
		"for encryption":            {`{` + strong + `,"kid":"x","use":"enc"}`, false},
		"for signing only":          {`{` + strong + `,"kid":"x","key_ops":["sign"]}`, false},
		"no id":                     {`{` + strong + `}`, false},
		"too short":                 {`{` + rsaMembers(1024) + `,"kid":"x"}`, false},
		"an exponent of 1":          {`{` + strings.Replace(strong, `"AQAB"`, `"AQ"`, 1) + `,"kid":"x"}`, false},
		"a shared secret":           {`{"kty":"oct","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0","kid":"x"}`, false},
		"a kind nobody knows":       {`{"kty":"XYZ","kid":"x"}`, false},
		"not an object":             {`"x"`, false},
		"a certificate of noise":    {`{` + strong + `,"kid":"x","x5c":["AAAA"]}`, false},
		"a point off the curve":     {`{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","kid":"x"}`, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newKeyServer(t)
			s.answer(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = fmt.Fprintf(w, `{"keys":[%s,{%s,"kid":"neighbour"}]}`, test.key, strong)
			})
			remote := s.remote()
			remote.Issuers = []string{thisIssuer, template}
			_, err := remote.Keys(t.Context(), "neighbour", s.clock())
			require.NoError(t, err)
			_, err = remote.Keys(t.Context(), "x", s.clock().Add(-time.Minute))
			if test.used {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, token.ErrUnknownKey)
		})
	}
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
