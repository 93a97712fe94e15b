package doctor_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/doctor"
	"mcpentra/conformance/loopback/loopbacktest"
)

// walk walks to an address.
func walk(t *testing.T, config doctor.Config) *doctor.Report {
	t.Helper()
	if config.Patience == 0 {
		config.Patience = 5 * time.Second
	}
	report, err := doctor.Walk(t.Context(), config)
	require.NoError(t, err)
	return report
}

// codes returns the codes of the faults and warnings in a report.
func codes(report *doctor.Report) []string {
	var found []string
	for _, step := range report.Steps {
		for _, finding := range step.Findings {
			if finding.Kind != doctor.Fine {
				found = append(found, finding.Code)
			}
		}
	}
	return found
}

// seen returns what the first finding with a code says about the deployment.
func seen(report *doctor.Report, code string) string {
	for _, step := range report.Steps {
		for _, finding := range step.Findings {
			if finding.Code == code {
				return finding.Seen
			}
		}
	}
	return ""
}

// serve starts a server with one handler, and returns the URL of its endpoint.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL + "/mcp"
}

func TestWalkNamesUnusableAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"", "mcp.example.com", "ftp://localhost/mcp", "http://", "http://a:b@localhost/mcp",
		"http://localhost:99999/mcp", "http://localhost:0/mcp", "http://[::1/mcp", "http://local host/mcp", "%",
		"http://\x1b[2J/",
	} {
		report := walk(t, doctor.Config{URL: address})
		assert.Equal(t, []string{"address-unusable"}, codes(report), "%q", address)
		assert.Equal(t, 2, report.ExitStatus(), "%q", address)
	}
}

func TestWalkNamesClosedPorts(t *testing.T) {
	t.Parallel()
	report := walk(t, doctor.Config{URL: "http://" + closedPort(t) + "/mcp"})
	assert.Equal(t, []string{"connection-refused"}, codes(report))
	assert.Equal(t, 2, report.ExitStatus())
}

// TestWalkNamesUnusedProxy wants a walk that cannot connect to mention the proxy of the machine.
func TestWalkNamesUnusedProxy(t *testing.T) {
	t.Parallel()
	config := doctor.Config{URL: "http://" + closedPort(t) + "/mcp", ProxyVariable: "HTTP_PROXY"}
	report := walk(t, config)
	assert.Equal(t, []string{"connection-refused"}, codes(report))
	fix := report.Steps[0].Findings[0].Fixes[0]
	assert.Contains(t, fix.Text, "--client")
	assert.Contains(t, fix.Text, "HTTP_PROXY")
	config.ProxyVariable = ""
	for _, fix := range walk(t, config).Steps[0].Findings[0].Fixes {
		assert.NotContains(t, fix.Text, "--client")
	}
}

// closedPort returns a host:port that nothing listens at.
func closedPort(t *testing.T) string {
	t.Helper()
	return "127.0.0.1:" + loopbacktest.Port(t)
}

func TestWalkNamesAnswersToFirstMessage(t *testing.T) {
	t.Parallel()
	const message = `{"jsonrpc":"2.0","id":1,"result":{}}`
	for _, test := range []struct {
		name   string
		status int
		header []string // pairs
		body   string
		want   string
	}{
		{"not found", 404, nil, "", "endpoint-not-found"},
		{"only GET", 405, nil, "", "endpoint-refuses-post"},
		{"page", 200, []string{"Content-Type", "text/html"}, "<html>Welcome</html>", "endpoint-is-page"},
		{"gateway", 502, nil, "", "gateway-error"},
		{"error", 500, nil, "", "server-error"},
		{"other host", 421, nil, "", "host-refused"},
		{"other host in words", 403, nil, "Invalid Host header", "host-refused"},
		{"forbidden", 403, nil, "", "forbidden-without-challenge"},
		{"small bodies", 413, nil, "", "body-limit"},
		{"too many", 429, nil, "", "rate-limited"},
		{"bad request", 400, nil, "no session", "refused-before-authorization"},
		{"TLS", 400, nil, "Client sent an HTTP request to an HTTPS server.", "tls-expected"},
		{"open", 200, []string{"Content-Type", "application/json"}, message, "endpoint-unprotected"},
		{"no challenge", 401, nil, "", "challenge-missing"},
		{"password", 401, []string{"WWW-Authenticate", `Basic realm="x"`}, "", "challenge-not-bearer"},
		{"bare", 401, []string{"WWW-Authenticate", `Bearer`}, "", "challenge-without-metadata"},
		{
			"other host in metadata", 401,
			[]string{"WWW-Authenticate", `Bearer resource_metadata="http://internal.example/x"`}, "",
			"challenge-other-host",
		},
		{"login page", 302, []string{"Location", "https://login.example/"}, "", "endpoint-redirects-elsewhere"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			report := walk(t, doctor.Config{URL: serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/mcp" {
					http.NotFound(w, r)
					return
				}
				for i := 0; i+1 < len(test.header); i += 2 {
					w.Header().Set(test.header[i], test.header[i+1])
				}
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
			})})
			assert.Contains(t, codes(report), test.want)
			assert.Equal(t, 1, report.ExitStatus())
		})
	}
}

// TestReportIsClean wants no control characters of a deployment in the report, and no long values.
func TestReportIsClean(t *testing.T) {
	t.Parallel()
	hostile := "\x1b[2J\u202e" + strings.Repeat("x", 100_000)
	report := walk(t, doctor.Config{URL: serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer resource_metadata="http://`+r.Host+`/`+strings.Repeat("y", 5000)+`"`)
		w.Header().Set("Content-Type", "text/html\x1b[2J")
		if r.URL.Path == "/mcp" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = w.Write([]byte(`{"resource":"` + hostile + `","authorization_servers":["` + hostile + `"]}`))
	})})
	var text, document bytes.Buffer
	require.NoError(t, report.WriteText(&text, false))
	require.NoError(t, report.WriteJSON(&document))
	for _, written := range []string{text.String(), document.String()} {
		assert.NotContains(t, written, "\x1b")
		assert.NotContains(t, written, "\u202e")
		assert.Less(t, len(written), 60_000)
	}
}
