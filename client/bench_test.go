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

// at is a base without a network, so that what is measured is the Transport alone.
type at struct{ response http.Response }

func (a *at) RoundTrip(*http.Request) (*http.Response, error) { return &a.response, nil }

// BenchmarkTokenInHand measures what a Transport adds to a request with a token in hand: time, and
// allocations.
func BenchmarkTokenInHand(b *testing.B) {
	base := &at{http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}}
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
	for _, name := range []string{"Content-Type", "Accept", "Mcp-Protocol-Version", "Mcp-Method", "Mcp-Name", "User-Agent"} {
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

// BenchmarkTwoProcessesRefresh has two processes refresh one rotating token a thousand times, and
// counts the sign-ins that it takes.
func BenchmarkTwoProcessesRefresh(b *testing.B) {
	signIns := 0
	for b.Loop() {
		issuer := refreshFromProcesses(b, 2, 500)
		require.GreaterOrEqual(b, issuer.refreshs, 1000)
		signIns += issuer.signIns + issuer.reused - 1
	}
	b.ReportMetric(float64(signIns), "again")
	b.ReportMetric(0, "again<=")
}

// BenchmarkHostileServers measures the longest that a program hangs on a server that asks for ever
// more scopes, redirects for ever, or sends megabytes, before it gets its error.
func BenchmarkHostileServers(b *testing.B) {
	const resource, issuer = "/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-authorization-server"
	servers := map[string]func(*site){
		"still demands more scopes": func(s *site) {
			s.mcp = demanding(s, func(n int) string { return fmt.Sprintf("more-%d", n) })
		},
		"redirects": func(s *site) {
			s.replace["/mcp"] = func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
			}
		},
		"which is not followed": func(s *site) {
			s.replace[issuer] = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }
		},
		"more than 1048576 bytes": func(s *site) { s.replace[resource] = megabytes },
		"more than":               func(s *site) { s.replace["/token"] = megabytes },
	}
	longest := time.Duration(0)
	for b.Loop() {
		for says, set := range servers {
			s := newSite(b)
			set(s)
			_, through := s.client(nil)
			began := time.Now()
			_, err := through.Get(s.URL + "/mcp")
			longest = max(longest, time.Since(began))
			require.ErrorContains(b, err, says)
		}
	}
	b.ReportMetric(longest.Seconds(), "s")
	b.ReportMetric(1, "s<=")
}
