package server_test

import (
	"database/sql"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mcpentra/server/internal/programs"
)

// startFilled starts the server as a process of its own, whose store in a file has a number of
// grants. The fake is another process.
func startFilled(b *testing.B, folder string, grants int) *programs.Pair {
	b.Helper()
	p := programs.New(b, folder, b.TempDir())
	p.Start()
	require.Contains(b, flow(b, p.Origin), "User name is")
	p.Stop()
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(p.Store))
	require.NoError(b, err)
	_, err = db.Exec(`INSERT INTO records (kind, key, source, group_name, version, expires, value)
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		SELECT kind, printf('%022x', i), printf('person %09d', i), '', 1, expires, value
			FROM n, (SELECT * FROM records WHERE kind = 'grant')`, grants)
	require.NoError(b, err)
	require.NoError(b, db.Close())
	p.Start()
	return p
}

// flowsFor runs whole flows for 8 people at a time, and returns the rate per second.
func flowsFor(b *testing.B, p *programs.Pair, d time.Duration) float64 {
	b.Helper()
	var done atomic.Int64
	var group sync.WaitGroup
	began := time.Now()
	for range 8 {
		group.Go(func() {
			for time.Since(began) < d && !b.Failed() {
				flow(b, p.Origin)
				done.Add(1)
			}
		})
	}
	group.Wait()
	require.False(b, b.Failed())
	return float64(done.Load()) / time.Since(began).Seconds()
}

// BenchmarkFlows measures whole flows per second with 8 at a time, as BenchmarkFlow does for one.
// The scripted people and their clients count. The ratio compares it with a store of 100,000
// grants.
func BenchmarkFlows(b *testing.B) {
	// The people and their programs share this process and the two cores. By themselves they would
	// not collect garbage every few flows.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	folder := programs.Build(b)
	few := startFilled(b, folder, 1000)
	many := startFilled(b, folder, 100_000)
	flowsFor(b, few, time.Second)
	flowsFor(b, many, time.Second)
	for b.Loop() {
		var rates, ratios []float64
		for range 7 {
			rate := flowsFor(b, few, 2*time.Second)
			rates = append(rates, rate)
			ratios = append(ratios, flowsFor(b, many, 2*time.Second)/rate)
		}
		b.ReportMetric(median(rates), "1/s")
		b.ReportMetric(median(ratios), "ratio")
	}
	b.ReportMetric(250, "1/s>=")
	b.ReportMetric(0.9, "ratio>=")
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
