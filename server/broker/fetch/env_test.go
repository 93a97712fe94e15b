package fetch_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mcpentra/server/broker/fetch"
)

// network is a network that causes fetches.
const network = "198.51.100.0/24"

// env has a fetcher, the internet that it sees, and a clock. Every public address leads to one
// server.
type env struct {
	*fetch.Fetcher[string]

	fetches atomic.Int64
	dialled atomic.Int64
	names   map[string][]netip.Addr // a name that is missing here has a public address

	mu      sync.Mutex
	now     time.Time
	handler http.Handler
}

func start(t *testing.T, handler http.HandlerFunc, changes ...func(*fetch.Config[string])) *env {
	t.Helper()
	e := &env{now: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), handler: handler, names: map[string][]netip.Addr{}}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.fetches.Add(1)
		w.Header().Set("Date", e.Now().Format(http.TimeFormat))
		e.mu.Lock()
		handler := e.handler
		e.mu.Unlock()
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	config := fetch.Config[string]{
		Hosts:   fetch.Hosts{Any: true},
		Parse:   parse,
		RootCAs: roots,
		Now:     e.Now,
		Lookup: func(_ context.Context, host string) ([]netip.Addr, error) {
			if addresses, isKnown := e.names[host]; isKnown {
				return addresses, nil
			}
			return []netip.Addr{netip.MustParseAddr("93.184.215.14")}, nil
		},
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			e.dialled.Add(1)
			return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
		},
	}
	for _, change := range changes {
		change(&config)
	}
	e.Fetcher = fetch.New(config)
	return e
}

// parse reads a JSON object with a member "say".
func parse(_ string, body []byte) (string, error) {
	var document struct {
		Say string `json:"say"`
	}
	if err := json.Unmarshal(body, &document); err != nil {
		return "", err
	}
	if document.Say == "" {
		return "", errors.New("want say")
	}
	return document.Say, nil
}

func (e *env) Now() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.now
}

func (e *env) advance(passed time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.now = e.now.Add(passed)
}

func (e *env) serve(handler http.HandlerFunc) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.handler = handler
}

// says serves a good document with header fields in pairs.
func says(text string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		_, _ = w.Write([]byte(`{"say":"` + text + `"}`))
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "max-age=3600")
		w.WriteHeader(code)
		_, _ = w.Write([]byte(`{"say":"hello"}`))
	}
}

func (e *env) get(t *testing.T, url string) (string, error) {
	t.Helper()
	return e.Get(t.Context(), url, network)
}

func (e *env) mustGet(t *testing.T, url, want string) {
	t.Helper()
	got, err := e.get(t, url)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// mustFail wants no document, for a reason.
func (e *env) mustFail(t *testing.T, url string, want fetch.Reason) *fetch.Error {
	t.Helper()
	_, err := e.get(t, url)
	var problem *fetch.Error
	require.ErrorAs(t, err, &problem)
	require.Equal(t, want, problem.Reason, "%v", err)
	return problem
}
