package guard_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"mcpentra/server/guard"
	"mcpentra/server/identity"
	"mcpentra/server/token"
)

// TestRequestMayLast runs requests whose handler waits for the end of its context.
func TestRequestMayLast(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, method, body string
		expiry             time.Duration // of the token
		leeway             time.Duration // that Verify grants
		revoked            time.Duration // when Verify begins to fail; 0 means never
		reason             token.Reason  // of the failure; "" means that the token cannot be verified
		edit               func(*guard.Config)
		want               time.Duration // -1 means that the request is refused
	}{
		{
			name:   "stream ends with its token",
			method: http.MethodGet,
			expiry: 7 * time.Minute,
			want:   7 * time.Minute,
		},
		{
			name:   "stream of 2026-07-28 ends with its token",
			method: http.MethodPost,
			body:   listen,
			expiry: 7 * time.Minute,
			want:   7 * time.Minute,
		},
		{
			name:   "stream ends after the leeway",
			method: http.MethodGet,
			expiry: time.Minute,
			leeway: time.Minute,
			want:   2 * time.Minute,
		},
		{
			name:    "call outlives its token",
			method:  http.MethodPost,
			body:    ping,
			expiry:  time.Minute,
			revoked: time.Minute,
			reason:  token.Expired,
			want:    guard.DefaultMaxCall,
		},
		{
			name:   "call ends after MaxCall",
			method: http.MethodPost,
			body:   ping,
			expiry: time.Hour,
			edit:   func(c *guard.Config) { c.MaxCall = 3 * time.Minute },
			want:   3 * time.Minute,
		},
		{
			name:    "revocation ends a stream",
			method:  http.MethodGet,
			expiry:  time.Hour,
			revoked: 100 * time.Second,
			reason:  "revoked",
			want:    2 * time.Minute,
		},
		{
			name:    "revocation ends a call",
			method:  http.MethodPost,
			body:    ping,
			expiry:  time.Hour,
			revoked: 100 * time.Second,
			reason:  "revoked",
			want:    2 * time.Minute,
		},
		{
			name:    "revocation is found at the next recheck",
			method:  http.MethodGet,
			expiry:  time.Hour,
			revoked: 100 * time.Second,
			reason:  "revoked",
			edit:    func(c *guard.Config) { c.Recheck = time.Minute },
			want:    2 * time.Minute,
		},
		{
			name:    "without rechecks a revocation ends nothing",
			method:  http.MethodGet,
			expiry:  time.Hour,
			revoked: 100 * time.Second,
			reason:  "revoked",
			edit:    func(c *guard.Config) { c.Recheck = -1 },
			want:    time.Hour,
		},
		{
			name:    "unverifiable token ends nothing",
			method:  http.MethodGet,
			expiry:  10 * time.Minute,
			revoked: time.Second,
			want:    10 * time.Minute,
		},
		{
			name:   "stream with an expired token is refused",
			method: http.MethodGet,
			expiry: -time.Second,
			want:   -1,
		},
		{
			name:   "call with an expired token is refused",
			method: http.MethodPost,
			body:   ping,
			expiry: -time.Second,
			want:   -1,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				config := baseConfig()
				config.Now = time.Now
				config.Verify = func(context.Context, string) (*identity.Caller, error) {
					if test.revoked > 0 && time.Since(began) >= test.revoked {
						if test.reason == "" {
							return nil, &token.UnavailableError{RetryAfter: time.Second}
						}
						return nil, token.NewInvalidError(test.reason)
					}
					id := adele
					id.Expiry = began.Add(test.expiry)
					id.GoodUntil = id.Expiry.Add(test.leeway)
					return &id, nil
				}
				if test.edit != nil {
					test.edit(&config)
				}
				var lasted atomic.Int64
				lasted.Store(-1)
				g := newGuard(t, config, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					<-r.Context().Done()
					lasted.Store(int64(time.Since(began)))
				}))
				g.ServeHTTP(httptest.NewRecorder(), request(test.method, test.body))
				assert.Equal(t, test.want, time.Duration(lasted.Load()))
				<-time.After(2 * time.Hour) // nothing may be left running
				synctest.Wait()
			})
		})
	}
}

// TestRechecksComeInTurn runs several requests that start at different times. One of them ends
// before its recheck.
func TestRechecksComeInTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		config := baseConfig()
		config.Now = time.Now
		config.Verify = func(context.Context, string) (*identity.Caller, error) {
			if time.Since(began) >= 35*time.Second {
				return nil, token.NewInvalidError("revoked")
			}
			id := adele
			id.Expiry = began.Add(time.Hour)
			return &id, nil
		}
		g := newGuard(t, config, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("short") == "" {
				<-r.Context().Done()
				assert.ErrorIs(t, r.Context().Err(), context.Canceled)
				return
			}
			<-time.After(5 * time.Second)
		}))
		ended := make([]time.Duration, 4)
		var all sync.WaitGroup
		for i := range ended {
			all.Go(func() {
				<-time.After(time.Duration(i) * 5 * time.Second)
				r := request(http.MethodPost, ping)
				if i == 1 {
					r.URL.RawQuery = "short=1"
				}
				g.ServeHTTP(httptest.NewRecorder(), r)
				ended[i] = time.Since(began)
			})
		}
		all.Wait()
		assert.Equal(t, []time.Duration{60 * time.Second, 10 * time.Second, 40 * time.Second, 45 * time.Second}, ended)
	})
}

func TestDeadlineIsNamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := baseConfig()
		config.MaxCall = time.Minute
		began := time.Now()
		g := newGuard(t, config, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			deadline, there := r.Context().Deadline()
			assert.True(t, there)
			assert.Equal(t, time.Minute, deadline.Sub(began))
			inner, cancel := context.WithCancel(r.Context())
			defer cancel()
			<-inner.Done()
			assert.ErrorIs(t, r.Context().Err(), context.DeadlineExceeded)
			assert.ErrorIs(t, context.Cause(inner), context.DeadlineExceeded)
		}))
		g.ServeHTTP(httptest.NewRecorder(), request(http.MethodPost, ping))
		assert.Equal(t, time.Minute, time.Since(began))
	})
}

// TestDetachedWorkEndsLikeACall starts work that goes on after the handler has returned.
func TestDetachedWorkEndsLikeACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		config := baseConfig()
		config.MaxCall = 3 * time.Minute
		type key struct{}
		var worked sync.WaitGroup
		g := newGuard(t, config, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			ctx, end := guard.Detached(context.WithValue(r.Context(), key{}, "value"))
			worked.Go(func() {
				defer end()
				<-ctx.Done()
				assert.Equal(t, 3*time.Minute, time.Since(began))
				assert.ErrorIs(t, ctx.Err(), context.DeadlineExceeded)
				assert.Equal(t, "value", ctx.Value(key{}))
				id, known := guard.FromContext(ctx)
				assert.True(t, known)
				assert.Equal(t, adele.ObjectID, id.ObjectID)
			})
			short, endShort := guard.Detached(r.Context())
			assert.NoError(t, short.Err())
			endShort()
			assert.ErrorIs(t, short.Err(), context.Canceled)
		}))
		g.ServeHTTP(httptest.NewRecorder(), request(http.MethodPost, ping))
		worked.Wait()
		<-time.After(2 * time.Hour) // nothing may be left running
	})
	outer, cancel := context.WithCancel(t.Context())
	cancel()
	ctx, end := guard.Detached(outer)
	assert.NoError(t, ctx.Err(), "the end of the request does not end the work")
	end()
	assert.ErrorIs(t, ctx.Err(), context.Canceled)
}

// TestGuardAnswersRequestThatItEnds runs handlers that do not answer before their context ends.
func TestGuardAnswersRequestThatItEnds(t *testing.T) {
	t.Parallel()
	const badToken = `error="invalid_token"`
	for _, test := range []struct {
		name, method  string
		revoked       bool
		status        int
		says, refuses string
	}{
		{
			name:    "stream whose token expires",
			method:  http.MethodGet,
			status:  401,
			says:    "Unauthorized",
			refuses: badToken,
		},
		{
			name:    "revoked token",
			method:  http.MethodPost,
			revoked: true,
			status:  401,
			says:    "Unauthorized",
			refuses: badToken,
		},
		{
			name:   "call that runs too long",
			method: http.MethodPost,
			status: 504,
			says:   "longer than this server allows",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				config := baseConfig()
				config.Now = time.Now
				config.Verify = func(context.Context, string) (*identity.Caller, error) {
					if test.revoked && time.Since(began) > time.Minute {
						return nil, token.NewInvalidError("revoked")
					}
					id := adele
					id.Expiry = began.Add(5 * time.Minute)
					return &id, nil
				}
				g := newGuard(t, config, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Length", "7")
					w.Header().Set("Content-Type", "text/event-stream")
					<-r.Context().Done()
				}))
				w := answerTo(g, request(test.method, ping))
				assert.Equal(t, test.status, w.Code)
				assert.Contains(t, w.Body.String(), test.says)
				assert.Contains(t, w.Header().Get("WWW-Authenticate"), test.refuses)
				assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
				assert.Empty(t, w.Header().Get("Content-Length"))
			})
		})
	}
}
