package main_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/useragent"
	"mcpentra/server/internal/engine"
)

const (
	refreshConnections = 64
	refreshTime        = 10 * time.Second
)

// BenchmarkRefreshPostgres measures refreshes per second through the server's process, with its
// grants in PostgreSQL on the same machine. PostgreSQL writes each to the disk. 64 clients send one
// refresh after another, each over its own connection and with its own grant.
func BenchmarkRefreshPostgres(b *testing.B) {
	store := engine.StartPostgres(b)
	r := newReplicas(b, store.URL("postgres"))
	r.start(b)
	toFirst := func(*http.Request) int { return 0 }
	r.pick.Store(&toFirst)
	client := r.client
	client.register(b)
	person := &useragent.Browser{}
	var tokens []string
	for range refreshConnections {
		code, redirect, err := client.authorize(b.Context(), person)
		require.NoError(b, err)
		got, err := client.at(r.addresses[0]).redeem(b.Context(), code, redirect)
		require.NoError(b, err)
		require.Equal(b, http.StatusOK, got.Status, got.Error)
		tokens = append(tokens, got.RefreshToken)
	}
	for b.Loop() {
		began := time.Now()
		var refreshed atomic.Int64
		var all sync.WaitGroup
		for i := range tokens {
			all.Go(func() {
				for time.Since(began) < refreshTime {
					got, err := client.at(r.addresses[0]).refresh(b.Context(), tokens[i])
					if !assert.NoError(b, err) || !assert.Equal(b, http.StatusOK, got.Status, got.Error) {
						return
					}
					tokens[i] = got.RefreshToken
					refreshed.Add(1)
				}
			})
		}
		all.Wait()
		b.ReportMetric(float64(refreshed.Load())/time.Since(began).Seconds(), "per-s")
	}
	b.ReportMetric(1500, "per-s>=")
}
