package discovery_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"mcpentra/client/discovery"
)

// The environment of this package's tests: a server with documents.
//
//	metadataServer  serves documents by path, and keeps the requested paths
//	document        one of its responses
//	parseLines      parses WWW-Authenticate headers

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// A metadataServer serves documents. It replaces ORIGIN in them by its own origin.
type metadataServer struct {
	*httptest.Server
	mu        sync.Mutex
	requested []string
}

// A document is the response at one path.
type document struct {
	status      int    // 200 if zero
	contentType string // application/json if empty
	location    string // of a redirect
	body        string
}

func serve(t *testing.T, documents map[string]document) *metadataServer {
	t.Helper()
	s := &metadataServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requested = append(s.requested, r.URL.Path)
		s.mu.Unlock()
		d, found := documents[r.URL.Path]
		if !found {
			http.NotFound(w, r)
			return
		}
		if d.contentType == "" {
			d.contentType = "application/json"
		}
		w.Header().Set("Content-Type", d.contentType)
		if d.location != "" {
			w.Header().Set("Location", s.resolve(d.location))
		}
		if d.status != 0 {
			w.WriteHeader(d.status)
		}
		_, _ = w.Write([]byte(s.resolve(d.body)))
	}))
	t.Cleanup(s.Close)
	return s
}

// resolve replaces ORIGIN by the server's origin.
func (s *metadataServer) resolve(text string) string {
	return strings.ReplaceAll(text, "ORIGIN", s.URL)
}

// mcpURL returns the URL of an MCP server at this origin.
func (s *metadataServer) mcpURL(t *testing.T) *url.URL {
	t.Helper()
	address, err := url.Parse(s.URL + "/mcp")
	require.NoError(t, err)
	return address
}

// paths returns the requested paths in order.
func (s *metadataServer) paths() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requested
}

func (s *metadataServer) fetcher() *discovery.Fetcher {
	return &discovery.Fetcher{HTTPClient: s.Client()}
}

func parseLines(lines ...string) ([]discovery.Challenge, error) {
	return discovery.ParseChallenges(http.Header{"Www-Authenticate": lines})
}
