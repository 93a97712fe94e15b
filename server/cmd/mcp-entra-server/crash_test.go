package main_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/useragent"
	"mcpentra/server/internal/engine"
)

// crashes returns a number of a crash test, such as how often it kills something: a small one, or
// the one for CRASHES=full (make crashes).
func crashes(few, full int) int {
	if os.Getenv("CRASHES") == "full" {
		return full
	}
	return few
}

// TestPostgresCrashes kills two replicas and their database under load.
func TestPostgresCrashes(t *testing.T) {
	t.Parallel()
	t.Run("replica", func(t *testing.T) {
		server := engine.StartPostgres(t, engine.Unsafe...)
		crash(t, server.URL("postgres"), crashes(1, 10), func(r *replicas, round int) {
			r.kill(t, round%2)
			r.restart(t, round%2)
		})
	})
	t.Run("engine", func(t *testing.T) {
		server := engine.StartPostgres(t)
		crash(t, server.URL("postgres"), crashes(1, 20), func(*replicas, int) {
			server.Kill(t)
			server.Start(t)
		})
	})
	t.Run("synchronous standby", func(t *testing.T) {
		server := engine.StartPostgres(t, "synchronous_standby_names=standby")
		standby := server.StartStandby(t)
		url := strings.Replace(server.URL("postgres"), "host=", "host="+standby.Folder+",", 1)
		crash(t, url, 1, func(*replicas, int) {
			server.Kill(t)
			standby.Promote(t)
		})
	})
}

// crash runs clients against two replicas, and breaks something in each round. Then it checks that
// the replicas accept exactly the tokens that they should.
func crash(t *testing.T, storeURL string, rounds int, breakSomething func(r *replicas, round int)) {
	t.Helper()
	r := newReplicas(t, storeURL)
	r.start(t)
	r.start(t)
	var last atomic.Int64
	inTurn := func(*http.Request) int { return int(last.Add(1) % 2) }
	r.pick.Store(&inTurn)
	load := &crashLoad{t: t, replicas: r, voidsCodes: strings.HasPrefix(storeURL, "redis")}
	working, stop := context.WithCancel(t.Context())
	defer stop()
	var workers sync.WaitGroup
	for range crashes(3, 6) {
		client := r.client
		client.register(t)
		workers.Go(func() { load.work(working, client) })
	}
	for round := range rounds {
		load.waitForCycles(6)
		breakSomething(r, round)
	}
	load.waitForCycles(6)
	stop()
	workers.Wait()
	load.check()
	t.Logf("%d cycles, %d requests repeated", load.cycles.Load(), load.repeated.Load())
}

// A crashLoad is the work of clients during crashes, and what they were told.
type crashLoad struct {
	t        *testing.T
	replicas *replicas
	cycles   atomic.Int64
	repeated atomic.Int64
	turn     atomic.Int64
	// voidsCodes says that codes from before a crash of the store do not count.
	voidsCodes bool

	mu   sync.Mutex
	kept []told // refresh tokens that count
	void []told // refresh tokens and codes that must not count
}

// A told is a refresh token, or a code with its redirect URI.
type told struct {
	client   oauthClient
	token    string
	redirect string
	why      string
}

func (l *crashLoad) waitForCycles(n int64) {
	until := l.cycles.Load() + n
	require.Eventually(l.t, func() bool { return l.cycles.Load() >= until || l.t.Failed() },
		2*time.Minute, 10*time.Millisecond, "the clients cannot continue after a crash")
}

// anyReplica returns the client for requests to one replica after another.
func (l *crashLoad) anyReplica(client oauthClient) oauthClient {
	return client.at(l.replicas.addresses[l.turn.Add(1)%2])
}

// answerTime is how long a repeated refresh gets the same answer. The broker repeats it for 30 s;
// the rest is for slow machines.
const answerTime = 20 * time.Second

// pause is the time between two tries. A server that starts refuses connections at once, and the
// clients must leave it the processor.
const pause = 50 * time.Millisecond

// insist repeats a request until a replica has decided about it. First reports whether the first
// request was answered.
func (l *crashLoad) insist(client oauthClient, send func(context.Context, oauthClient) (answer, error)) (
	decided answer, first bool) {
	for first = true; ; first = false {
		ctx, cancel := context.WithTimeout(l.t.Context(), 10*time.Second)
		got, err := send(ctx, l.anyReplica(client))
		cancel()
		if err == nil && (got.Status == http.StatusOK || got.Error == "invalid_grant") || l.t.Context().Err() != nil {
			return got, first
		}
		l.repeated.Add(1)
		time.Sleep(pause)
	}
}

func (l *crashLoad) redeem(client oauthClient, code, redirect string) (answer, bool) {
	return l.insist(client, func(ctx context.Context, c oauthClient) (answer, error) {
		return c.redeem(ctx, code, redirect)
	})
}

// refresh refreshes tokens. It reports false if the broker need not repeat its answer any more.
func (l *crashLoad) refresh(client oauthClient, token string) (got answer, judged bool) {
	began := time.Now()
	got, first := l.insist(client, func(ctx context.Context, c oauthClient) (answer, error) {
		return c.refresh(ctx, token)
	})
	return got, first || time.Since(began) < answerTime
}

// work signs in, refreshes and revokes until the context ends.
func (l *crashLoad) work(ctx context.Context, client oauthClient) {
	person := &useragent.Browser{}
	for cycle := 0; ctx.Err() == nil; cycle++ {
		visiting, cancel := context.WithTimeout(l.t.Context(), 20*time.Second)
		code, redirect, err := client.authorize(visiting, person)
		cancel()
		if err != nil {
			l.repeated.Add(1)
			person = &useragent.Browser{}
			time.Sleep(pause)
			continue
		}
		l.use(client, cycle, code, redirect)
		l.cycles.Add(1)
	}
}

// use redeems a code, and refreshes the tokens twice. Then it keeps, revokes or replays them.
func (l *crashLoad) use(client oauthClient, cycle int, code, redirect string) {
	first, answered := l.redeem(client, code, redirect)
	if first.Status != http.StatusOK {
		assert.True(l.t, !answered || l.voidsCodes, "a fresh code was refused: %s", first.Error)
		return
	}
	tokens := first
	for range 2 {
		next, judged := l.refresh(client, tokens.RefreshToken)
		if next.Status != http.StatusOK {
			assert.False(l.t, judged, "a grant is lost: %s", next.Error)
			return
		}
		tokens = next
	}
	one := told{client: client, token: tokens.RefreshToken}
	switch cycle % 3 {
	case 0:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.kept = append(l.kept, one)
	case 1:
		_, _ = l.insist(client, func(ctx context.Context, c oauthClient) (answer, error) {
			return c.revoke(ctx, tokens.RefreshToken)
		})
		one.why = "was revoked"
		l.mustBeVoid(one)
	case 2:
		l.mustBeVoid(
			told{client: client, token: first.RefreshToken, why: "was replaced twice"},
			told{client: client, token: code, redirect: redirect, why: "was redeemed"},
		)
	}
}

// mustBeVoid checks that tokens do not count, now and after the crashes.
func (l *crashLoad) mustBeVoid(tokens ...told) {
	for _, one := range tokens {
		l.checkVoid(one)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.void = append(l.void, tokens...)
}

func (l *crashLoad) checkVoid(one told) {
	if one.redirect != "" {
		got, _ := l.redeem(one.client, one.token, one.redirect)
		assert.NotEqual(l.t, http.StatusOK, got.Status, "a code %s", one.why)
		return
	}
	got, _ := l.refresh(one.client, one.token)
	assert.NotEqual(l.t, http.StatusOK, got.Status, "a refresh token %s", one.why)
}

// check uses all tokens again.
func (l *crashLoad) check() {
	for _, one := range l.void {
		l.checkVoid(one)
	}
	for i, one := range l.kept {
		got, _ := l.refresh(one.client, one.token)
		assert.Equal(l.t, http.StatusOK, got.Status, "grant %d of %d is lost: %s", i, len(l.kept), got.Error)
	}
	assert.NotEmpty(l.t, l.void, fmt.Sprint(len(l.kept), " grants"))
	assert.NotEmpty(l.t, l.kept)
}
