package broker

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	mcpclient "mcpentra/client"
	"mcpentra/fakeentra/useragent"
	"mcpentra/server/internal/programs"
	"mcpentra/server/store"
)

// These benchmarks measure the server as a process of its own with a store in a file. The fake is
// another process. The clients send their next request when they have the answer. Prefilled grants
// come from one real sign-in: each has its own keys, but the same person's names and tokens.

// A holder has the tokens of one grant.
type holder struct{ access, refresh string }

// A loadedServer is a server with prefilled grants.
type loadedServer struct {
	*programs.Pair
	clientID string
	holders  []*holder
	client   *http.Client
}

// startLoaded starts a server whose store has a number of grants. Some of them have a holder.
func startLoaded(b *testing.B, folder string, grants, holders int) *loadedServer {
	b.Helper()
	s := &loadedServer{Pair: programs.New(b, folder, b.TempDir())}
	s.Start()
	transport, err := mcpclient.New(mcpclient.Config{
		Server: s.Origin + "/mcp",
		Base:   &http.Transport{},
		Browser: func(ctx context.Context, page string) error {
			_, err := (&useragent.Browser{}).Visit(ctx, page)
			return err
		},
	})
	require.NoError(b, err)
	require.Equal(b, http.StatusOK, listTools(b, &http.Client{Transport: transport}, s.Origin, ""))
	s.Stop()
	s.fill(b, grants, holders)
	s.Start("STORE_MAX_RECORDS=4000000")
	connections := &http.Transport{MaxIdleConnsPerHost: 64, MaxConnsPerHost: 64}
	b.Cleanup(connections.CloseIdleConnections)
	s.client = &http.Client{Transport: connections}
	return s
}

// fill writes the grants. They are copies of the one in the store.
func (s *loadedServer) fill(b *testing.B, grants, holders int) {
	text, err := os.ReadFile(s.Keys)
	require.NoError(b, err)
	keys, err := ReadKeys(string(text))
	require.NoError(b, err)
	made := &Broker{config: Config{Keys: keys, Rand: rand.Reader, Now: time.Now}}
	kept, err := store.OpenFile(b.Context(), s.Store, store.Config{})
	require.NoError(b, err)
	page, err := kept.List(b.Context(), store.Query{Kind: kindGrant})
	require.NoError(b, err)
	require.Len(b, page, 1)
	require.NoError(b, kept.Close())
	var g grant
	text, err = keys.open(page[0].Value, placeOf(page[0]))
	require.NoError(b, err)
	require.NoError(b, json.Unmarshal(text, &g))
	s.clientID = g.ClientID

	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(s.Store)+
		"?_pragma=synchronous(OFF)&_pragma=cache_size(-100000)")
	require.NoError(b, err)
	db.SetMaxOpenConns(1)
	defer db.Close()
	tx, err := db.Begin()
	require.NoError(b, err)
	defer tx.Rollback()
	// The store makes the indexes anew when it is opened, which takes less time.
	_, err = tx.Exec(`DROP INDEX records_by_expiry; DROP INDEX records_by_source; DROP INDEX records_by_group`)
	require.NoError(b, err)
	_, err = tx.Exec(`INSERT INTO records (kind, key, source, group_name, version, expires, value)
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		SELECT 'grant', printf('%022x', i), printf('person %09d', i), '', 1, ? - i % 1000000, ? FROM n`,
		grants-holders, page[0].Expires.Unix(), page[0].Value)
	require.NoError(b, err)
	insert, err := tx.Prepare(`INSERT INTO records (kind, key, source, group_name, version, expires, value)
		VALUES ('grant', ?, ?, '', 1, ?, ?)`)
	require.NoError(b, err)
	for i := range holders {
		id := fmt.Sprintf("%s%06d", page[0].Key[:idLength-6], (i*7919)%1_000_000)
		refresh, err := made.newRefreshToken(id)
		require.NoError(b, err)
		g.Principal.ObjectID = fmt.Sprintf("%08d-0000-4000-8000-000000000000", i)
		g.RefreshHash = hashed(refresh)
		text, err := json.Marshal(g)
		require.NoError(b, err)
		value, err := keys.seal(rand.Reader, time.Now(), text, placeOf(store.Record{Kind: kindGrant, Key: id}))
		require.NoError(b, err)
		_, err = insert.Exec(id, made.personSource(g.Principal), page[0].Expires.Unix(), value)
		require.NoError(b, err)
		s.holders = append(s.holders, &holder{refresh: refresh})
	}
	require.NoError(b, tx.Commit())
}

// listTools sends a protected call, and returns the status of the answer.
func listTools(b *testing.B, c *http.Client, origin, token string) int {
	const call = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	r, err := http.NewRequest(http.MethodPost, origin+"/mcp", strings.NewReader(call))
	if err != nil {
		b.Error(err)
		return 0
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Mcp-Protocol-Version", "2025-06-18")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	_, status := send(b, c, r)
	return status
}

func send(b *testing.B, c *http.Client, r *http.Request) (body []byte, status int) {
	answer, err := c.Do(r)
	if err != nil {
		b.Error(err)
		return nil, 0
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(answer.Body)
	if err != nil {
		b.Error(err)
	}
	return body, answer.StatusCode
}

var tokenMembers = regexp.MustCompile(`"(access|refresh)_token":"([^"]+)"`)

// refresh redeems the refresh token of a holder.
func (s *loadedServer) refresh(b *testing.B, h *holder) bool {
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {s.clientID}, "refresh_token": {h.refresh}}
	r, err := http.NewRequest(http.MethodPost, s.Origin+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		b.Error(err)
		return false
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	body, status := send(b, s.client, r)
	members := tokenMembers.FindAllSubmatch(body, -1)
	if status != http.StatusOK || len(members) != 2 {
		b.Errorf("status %d: %s", status, body)
		return false
	}
	h.access = string(members[0][2])
	h.refresh = string(members[1][2])
	return true
}

// refreshFor refreshes over a number of connections, and returns how often it did. Each holder has
// one connection.
func (s *loadedServer) refreshFor(b *testing.B, connections int, d time.Duration) int {
	b.Helper()
	var done atomic.Int64
	var group sync.WaitGroup
	end := time.Now().Add(d)
	for i := range connections {
		group.Go(func() {
			for next := i; time.Now().Before(end); next += connections {
				if next >= len(s.holders) {
					next = i
				}
				if !s.refresh(b, s.holders[next]) {
					return
				}
				done.Add(1)
			}
		})
	}
	group.Wait()
	require.False(b, b.Failed())
	return int(done.Load())
}

// BenchmarkRefreshes measures refreshes per second. The clients share this process and the two
// cores, and collect garbage as rarely as programs of their own would.
func BenchmarkRefreshes(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	folder := programs.Build(b)
	for _, run := range []struct {
		connections int
		goal        float64
	}{{8, 2000}, {64, 4000}} {
		b.Run(fmt.Sprint(run.connections), func(b *testing.B) {
			s := startLoaded(b, folder, 1000, 1000)
			s.refreshFor(b, run.connections, time.Second)
			for b.Loop() {
				began := time.Now()
				done := s.refreshFor(b, run.connections, 5*time.Second)
				b.ReportMetric(float64(done)/time.Since(began).Seconds(), "1/s")
			}
			b.ReportMetric(run.goal, "1/s>=")
		})
	}
}

// BenchmarkMillionGrants compares the processor time of a refresh at 1,000,000 grants with the one
// at 1,000 grants. The holders are more than the server can keep in memory. It also measures the
// resident memory.
func BenchmarkMillionGrants(b *testing.B) {
	folder := programs.Build(b)
	few := startLoaded(b, folder, 1000, 1000)
	many := startLoaded(b, folder, 1_000_000, 20_000)
	cost := func(s *loadedServer) float64 {
		before := s.CPU()
		done := s.refreshFor(b, 8, time.Second)
		return (s.CPU() - before).Seconds() / float64(done)
	}
	cost(few)
	cost(many)
	for b.Loop() {
		var ratios []float64
		for range 9 {
			ratios = append(ratios, cost(many)/cost(few))
		}
		slices.Sort(ratios)
		b.ReportMetric(ratios[len(ratios)/2], "ratio")
	}
	b.ReportMetric(1.2, "ratio<=")
	b.ReportMetric(float64(many.Peak())/(1<<20), "MB")
	b.ReportMetric(64, "MB<=")
}

// BenchmarkManyTokens measures the rate of protected calls with 2,000 tokens, divided by the rate
// with one token.
func BenchmarkManyTokens(b *testing.B) {
	s := startLoaded(b, programs.Build(b), 2000, 2000)
	for _, h := range s.holders {
		require.True(b, s.refresh(b, h))
	}
	rate := func(tokens int) float64 {
		var next, done atomic.Int64
		var group sync.WaitGroup
		began := time.Now()
		for range 16 {
			group.Go(func() {
				for time.Since(began) < time.Second {
					h := s.holders[next.Add(1)%int64(tokens)]
					if status := listTools(b, s.client, s.Origin, h.access); status != http.StatusOK {
						b.Errorf("status %d", status)
						return
					}
					done.Add(1)
				}
			})
		}
		group.Wait()
		require.False(b, b.Failed())
		return float64(done.Load()) / time.Since(began).Seconds()
	}
	rate(1)
	rate(len(s.holders))
	for b.Loop() {
		var ratios []float64
		for range 9 {
			ratios = append(ratios, rate(len(s.holders))/rate(1))
		}
		slices.Sort(ratios)
		b.ReportMetric(ratios[len(ratios)/2], "ratio")
	}
	b.ReportMetric(0.85, "ratio>=")
}
