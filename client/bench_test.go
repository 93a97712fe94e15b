package client_test

import (
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

// BenchmarkTokenInHand measures what a Transport adds to a request with a token in hand: time, and allocations.
func BenchmarkTokenInHand(b *testing.B) {
	base := &at{http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}}
	under, err := client.New(client.Config{Server: "https://mcp.example.com/mcp", Base: base, Token: constant("secret-token")})
	require.NoError(b, err)
	request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "https://mcp.example.com/mcp", strings.NewReader(`{"jsonrpc":"2.0"}`))
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

// BenchmarkTwoProcessesRefresh has two processes refresh one rotating token a thousand times, and counts the sign-ins that it takes.
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
