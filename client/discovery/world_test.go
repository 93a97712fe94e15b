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

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// A host serves documents. ORIGIN in them stands for its own origin.
type host struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
}

// A reply is a document, or whatever else stands in its place.
type reply struct {
	status   int    // 200 if zero
	kind     string // application/json if empty
	location string
	body     string
}

func newHost(t *testing.T, replies map[string]reply) *host {
	h := &host{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.asked = append(h.asked, r.URL.Path)
		h.mu.Unlock()
		got, found := replies[r.URL.Path]
		if !found {
			http.NotFound(w, r)
			return
		}
		if got.kind == "" {
			got.kind = "application/json"
		}
		w.Header().Set("Content-Type", got.kind)
		if got.location != "" {
			w.Header().Set("Location", strings.ReplaceAll(got.location, "ORIGIN", h.URL))
		}
		if got.status != 0 {
			w.WriteHeader(got.status)
		}
		_, _ = w.Write([]byte(strings.ReplaceAll(got.body, "ORIGIN", h.URL)))
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *host) mcp(t *testing.T) *url.URL {
	server, err := url.Parse(h.URL + "/mcp")
	require.NoError(t, err)
	return server
}

func (h *host) paths() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked
}

func (h *host) fetcher() *discovery.Fetcher { return &discovery.Fetcher{HTTPClient: h.Client()} }
