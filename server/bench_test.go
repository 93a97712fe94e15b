package server_test

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

// BenchmarkFlow measures the whole flow in one process over loopback sockets: 401, metadata,
// registration, authorization, consent, sign-in at the fake, token, tool call.
func BenchmarkFlow(b *testing.B) {
	origin := startServer(b, nil)
	var took []time.Duration
	for b.Loop() {
		for range 101 {
			began := time.Now()
			text := flow(b, origin)
			took = append(took, time.Since(began))
			require.Contains(b, text, "User name is Adele Vance")
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms")
	b.ReportMetric(20, "ms<=")
}

// flow signs a new client in, calls a tool and returns the answer.
func flow(tb testing.TB, origin string) string {
	tb.Helper()
	base := &http.Transport{}
	defer base.CloseIdleConnections()
	transport, err := client.New(client.Config{
		Server:  origin + "/mcp",
		Base:    base,
		Browser: visit,
	})
	require.NoError(tb, err)
	const call = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_user_name"}}`
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, origin+"/mcp", strings.NewReader(call))
	require.NoError(tb, err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	request.Header.Set("Mcp-Protocol-Version", "2025-06-18")
	response, err := (&http.Client{Transport: transport}).Do(request)
	require.NoError(tb, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(tb, err)
	return string(text)
}
