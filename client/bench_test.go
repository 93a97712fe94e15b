package client_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mcpentra/client"
)

// canned answers without a network, so that only the Transport is measured.
type canned struct{ response http.Response }

func (c *canned) RoundTrip(*http.Request) (*http.Response, error) { return &c.response, nil }

// BenchmarkTokenInHand measures the time and the allocations that a Transport with a token adds to
// a request.
func BenchmarkTokenInHand(b *testing.B) {
	base := &canned{http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}}
	under, err := client.New(
		client.Config{Server: "https://mcp.example.com/mcp", Base: base, Token: constant("secret-token")},
	)
	require.NoError(b, err)
	request, err := http.NewRequestWithContext(
		b.Context(),
		http.MethodPost,
		"https://mcp.example.com/mcp",
		strings.NewReader(`{"jsonrpc":"2.0"}`),
	)
	require.NoError(b, err)
	names := []string{"Content-Type", "Accept", "Mcp-Protocol-Version", "Mcp-Method", "Mcp-Name", "User-Agent"}
	for _, name := range names {
		request.Header.Set(name, "a value")
	}
	request.Body = io.NopCloser(strings.NewReader(""))
	send := func() {
		response, err := under.RoundTrip(request)
		if err != nil || response.StatusCode != http.StatusOK {
			b.Fatal(err)
		}
	}
	send()
	var took []float64
	for b.Loop() {
		for range 99 {
			began := time.Now()
			for range 1000 {
				send()
			}
			took = append(took, float64(time.Since(began).Nanoseconds())/1000/1000)
		}
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2], "µs")
	b.ReportMetric(20, "µs<=")
	b.ReportMetric(testing.AllocsPerRun(1000, send), "allocs")
	b.ReportMetric(10, "allocs<=")
}

// BenchmarkTwoProcessesRefresh counts the sign-ins while two processes refresh one rotating token a
// thousand times.
func BenchmarkTwoProcessesRefresh(b *testing.B) {
	signIns := 0
	for b.Loop() {
		issuer := refreshFromProcesses(b, 2, 500)
		require.GreaterOrEqual(b, issuer.refreshes, 1000)
		signIns += issuer.signIns + issuer.reused - 1
	}
	b.ReportMetric(float64(signIns), "again")
	b.ReportMetric(0, "again<=")
}

// BenchmarkHostileServers measures how long a program waits at most for its error from a hostile
// server. The server demands more and more scopes, redirects without end, or sends megabytes.
func BenchmarkHostileServers(b *testing.B) {
	const resource, issuer = "/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-authorization-server"
	servers := map[string]func(*testEnv){
		"still demands more scopes": func(env *testEnv) {
			env.mcp = demanding(env, func(n int) string { return fmt.Sprintf("more-%d", n) })
		},
		"redirects": func(env *testEnv) {
			env.replace["/mcp"] = toItself(http.StatusTemporaryRedirect)
		},
		"which is not followed": func(env *testEnv) {
			env.replace[issuer] = toItself(http.StatusFound)
		},
		"more than 1048576 bytes": func(env *testEnv) { env.replace[resource] = megabytes },
		"more than":               func(env *testEnv) { env.replace["/token"] = megabytes },
	}
	longest := time.Duration(0)
	for b.Loop() {
		for says, set := range servers {
			env := newEnv(b)
			set(env)
			_, through := env.client(nil)
			began := time.Now()
			_, err := through.Get(env.URL + "/mcp")
			longest = max(longest, time.Since(began))
			require.ErrorContains(b, err, says)
		}
	}
	b.ReportMetric(longest.Seconds(), "s")
	b.ReportMetric(1, "s<=")
}
