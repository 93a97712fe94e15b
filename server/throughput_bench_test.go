package server_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/server"
	"mcpentra/server/entra"
	"mcpentra/server/guard"
)

// These benchmarks measure the cost of the guard as a ratio of one run: tools/call of the same
// mcp-go server with and without the guard, with the same requests, over 16 connections on
// loopback, with Entra's RS256 tokens. "With the guard" is the whole server in direct mode.
// "Without" is mcp-go's handler alone, which ignores the Authorization header. They compare the
// processor time of a whole call, which includes the client, net/http on both sides and the kernel.
// The tool does almost nothing, so the guard's share is as large as it can be.

const (
	benchConnections = 16
	benchCalls       = 500  // in a round
	benchTokens      = 2000 // in a warm cache
	benchRounds      = 61
)

const echoCall = `{"jsonrpc":"2.0","id":1,"method":"tools/call",` +
	`"params":{"name":"echo","arguments":{"text":"hello"}}}`

// echo returns an MCP server with a tool that repeats its argument.
func echo(options ...mcpserver.StreamableHTTPOption) http.Handler {
	tools := mcpserver.NewMCPServer("echo", "1")
	tools.AddTool(
		mcp.NewTool("echo", mcp.WithString("text")),
		func(_ context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return mcp.NewToolResultText(request.GetString("text", "")), nil
		},
	)
	return mcpserver.NewStreamableHTTPServer(
		tools,
		append(options, mcpserver.WithStateLess(true), mcpserver.WithDisableStreaming(true))...)
}

// guardedEcho returns the same server for use behind the guard, which checks Host.
func guardedEcho() http.Handler { return echo(mcpserver.WithDisableLocalhostProtection(true)) }

// A benchEnv is a server in direct mode in front of a fake. It counts fetches of the fake's keys.
type benchEnv struct {
	fake     *fakeentra.Server
	listener *httptest.Server
	client   *http.Client // with 16 connections
	fetches  atomic.Int64
}

func (s *benchEnv) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/keys") {
		s.fetches.Add(1)
	}
	return s.fake.Client().Transport.RoundTrip(r)
}

// newBenchEnv serves the handler that build makes from the origin and the registration.
func newBenchEnv(b *testing.B, build func(origin string, registration entra.Config) http.Handler) *benchEnv {
	b.Helper()
	s := &benchEnv{fake: fakeentra.NewServer(fakeentra.Config{Directory: apiDirectory()})}
	b.Cleanup(s.fake.Close)
	s.listener = httptest.NewUnstartedServer(nil)
	s.listener.Config.Handler = build("http://"+s.listener.Listener.Addr().String(), entra.Config{
		Authority:           s.fake.URL,
		TenantID:            directory.DefaultTenantID,
		ClientID:            directory.DefaultAPIID,
		ClientSecret:        apiSecret,
		HTTPClient:          &http.Client{Transport: s},
		TrustPublicFakeKeys: true,
	})
	s.listener.Start()
	b.Cleanup(s.listener.Close)
	s.client = newBenchClient(b)
	return s
}

func newBenchClient(b *testing.B) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: benchConnections, MaxConnsPerHost: benchConnections}
	b.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// whole makes the whole server in direct mode.
func whole(b *testing.B) func(string, entra.Config) http.Handler {
	return func(origin string, registration entra.Config) http.Handler {
		made, err := server.New(
			b.Context(),
			server.Config{PublicURL: origin, Entra: registration, Direct: &server.Direct{}, MCP: guardedEcho()},
		)
		require.NoError(b, err)
		return made
	}
}

// callEcho sends one request, and returns its status. A good answer has to repeat the argument.
func callEcho(b *testing.B, client *http.Client, address, token string) int {
	request, err := http.NewRequest(http.MethodPost, address, strings.NewReader(echoCall))
	if err != nil {
		b.Error(err)
		return 0
	}
	request.Header["Content-Type"] = []string{"application/json"}
	request.Header["Accept"] = []string{"application/json, text/event-stream"}
	request.Header["Mcp-Protocol-Version"] = []string{"2025-11-25"}
	request.Header["Authorization"] = []string{"Bearer " + token}
	response, err := client.Do(request)
	if err != nil {
		b.Error(err)
		return 0
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode == http.StatusOK && !strings.Contains(string(body), `"text":"hello"`) {
		b.Errorf("%v: %s", err, body)
	}
	return response.StatusCode
}

// callAll makes n calls over 16 connections. All have to succeed.
func callAll(b *testing.B, client *http.Client, address, token string, n int) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(n))
	var group sync.WaitGroup
	for range benchConnections {
		group.Go(func() {
			for left.Add(-1) >= 0 {
				if status := callEcho(b, client, address, token); status != http.StatusOK {
					b.Errorf("status %d", status)
					return
				}
			}
		})
	}
	group.Wait()
	require.False(b, b.Failed())
}

// used returns the processor time of this process. If all cores are busy, throughput is its
// inverse. It does not depend on other programs.
func used(b *testing.B) time.Duration {
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// medianRatio measures two things in turn, each first in every second round, and returns the median
// of base/other.
func medianRatio(b *testing.B, base, other func()) float64 {
	base()
	other()
	var ratios []float64
	for round := range benchRounds {
		first := base
		second := other
		if round%2 == 1 {
			first = other
			second = base
		}
		start := used(b)
		first()
		middle := used(b)
		second()
		ratio := float64(middle-start) / float64(used(b)-middle)
		if round%2 == 1 {
			ratio = 1 / ratio
		}
		ratios = append(ratios, ratio)
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}

// BenchmarkGuardWarm measures the rate of tools/call behind the guard, divided by the rate of the
// same server without it. The server has verified this token and many others before. Its heap then
// has a realistic size; with an empty heap, the garbage collector would run every few hundred
// calls.
func BenchmarkGuardWarm(b *testing.B) {
	bare := httptest.NewServer(echo())
	b.Cleanup(bare.Close)
	client := newBenchClient(b)
	env := newBenchEnv(b, whole(b))
	var token string
	for n := range benchTokens {
		var err error
		token, err = env.fake.Mint(
			fakeentra.Token{Claims: map[string]any{"scp": "access_as_user", "uti": strconv.Itoa(n)}},
		)
		require.NoError(b, err)
		require.Equal(b, http.StatusOK, callEcho(b, env.client, env.listener.URL+"/mcp", token))
	}
	for b.Loop() {
		b.ReportMetric(medianRatio(b,
			func() { callAll(b, client, bare.URL, token, benchCalls) },
			func() { callAll(b, env.client, env.listener.URL+"/mcp", token, benchCalls) },
		), "ratio")
	}
	b.ReportMetric(0.90, "ratio>=")
}

// BenchmarkGuardVerifying is the same where nothing is remembered: every call verifies its RS256
// token.
func BenchmarkGuardVerifying(b *testing.B) {
	bare := httptest.NewServer(echo())
	b.Cleanup(bare.Close)
	client := newBenchClient(b)
	env := newBenchEnv(b, func(origin string, registration entra.Config) http.Handler {
		api, err := entra.NewAPI(registration, entra.APIConfig{CacheSize: -1})
		require.NoError(b, err)
		guarded, err := guard.New(guard.Config{
			Resource:             origin + "/mcp",
			AuthorizationServers: api.Issuers(),
			Scopes:               []string{"access_as_user"},
			Verify:               api.Verify,
		}, guardedEcho())
		require.NoError(b, err)
		return guarded
	})
	token, err := env.fake.Mint(fakeentra.Token{Claims: map[string]any{"scp": "access_as_user"}})
	require.NoError(b, err)
	for b.Loop() {
		b.ReportMetric(medianRatio(b,
			func() { callAll(b, client, bare.URL, token, benchCalls) },
			func() { callAll(b, env.client, env.listener.URL+"/mcp", token, benchCalls) },
		), "ratio")
	}
	b.ReportMetric(0.50, "ratio>=")
}

// BenchmarkGuardFlood sends 100,000 tokens with as many unknown key ids, while others call a tool
// with a good token: how often the keys are fetched in all, and by how much the heap has grown. The
// rate that is left to the good calls, when as many connections carry forged tokens, follows from
// what either costs in processor time, its sender included.
func BenchmarkGuardFlood(b *testing.B) {
	const flood = 100_000
	env := newBenchEnv(b, whole(b))
	good, err := env.fake.Mint(fakeentra.Token{Claims: map[string]any{"scp": "access_as_user"}})
	require.NoError(b, err)
	address := env.listener.URL + "/mcp"
	attacker := newBenchClient(b)
	_, rest, _ := strings.Cut(good, ".")
	payload, _, _ := strings.Cut(rest, ".")
	signature := make([]byte, 256)
	_, _ = rand.Read(signature)
	tail := "." + payload + "." + base64.RawURLEncoding.EncodeToString(signature)
	var last atomic.Int64
	attack := func(n int) {
		until := last.Load() + int64(n)
		var group sync.WaitGroup
		for range benchConnections {
			group.Go(func() {
				for n := last.Add(1); n <= until; n = last.Add(1) {
					forged := base64.RawURLEncoding.EncodeToString(
						[]byte(`{"typ":"JWT","alg":"RS256","kid":"unknown-`+strconv.FormatInt(n, 10)+`"}`),
					) + tail
					if status := callEcho(b, attacker, address, forged); status != http.StatusUnauthorized &&
						status != http.StatusServiceUnavailable {
						b.Errorf("a forged token is answered with status %d", status)
						return
					}
				}
			})
		}
		group.Wait()
		last.Store(until)
		require.False(b, b.Failed())
	}
	for b.Loop() {
		callAll(b, env.client, address, good, benchCalls)
		heap := liveHeap()
		ratio := medianRatio(
			b,
			func() { attack(benchCalls) },
			func() { callAll(b, env.client, address, good, benchCalls) },
		)
		b.ReportMetric(1/(1+ratio), "rate")
		ended := make(chan struct{})
		var goods sync.WaitGroup
		goods.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
					if status := callEcho(b, env.client, address, good); status != http.StatusOK {
						b.Errorf("a good token is answered with status %d", status)
						return
					}
				}
			}
		})
		attack(flood - int(last.Load()))
		close(ended)
		goods.Wait()
		require.False(b, b.Failed())
		b.ReportMetric(float64(env.fetches.Load()), "fetches")
		b.ReportMetric(float64(liveHeap()-heap)/(1<<20), "MB")
	}
	b.ReportMetric(0.50, "rate>=")
	b.ReportMetric(2, "fetches<=")
	b.ReportMetric(16, "MB<=")
}

// liveHeap is what the garbage collector leaves, in bytes.
func liveHeap() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
