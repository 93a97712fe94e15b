package server_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mcpentra/conformance/servers"
	"mcpentra/fakeentra"
	"mcpentra/server"
)

// TestDirectModeFollowsIssuerKeys runs the checks that change an issuer's keys against direct mode.
// Each check starts a server and a fake of its own, which share a clock.
func TestDirectModeFollowsIssuerKeys(t *testing.T) {
	t.Parallel()
	first := newFixture(t, nil)
	t.Cleanup(first.Close)
	tested := first.Target
	tested.Fixture = func(context.Context) (*servers.Fixture, error) { return newFixture(t, nil), nil }
	servers.Test(t, tested, "server/keys")
}

// TestSessionsAreBounded checks on the clock of a fixture that sessions of the server's own tools
// end.
func TestSessionsAreBounded(t *testing.T) {
	t.Parallel()
	stateful := func(config *server.Config) { config.Stateful = true }
	first := newFixture(t, stateful)
	t.Cleanup(first.Close)
	tested := first.Target
	tested.Fixture = func(context.Context) (*servers.Fixture, error) { return newFixture(t, stateful), nil }
	servers.Test(t, tested, "server/session/bounded")
}

// newFixture starts a fake and a server in direct mode, and lets a check control both.
func newFixture(t *testing.T, change func(*server.Config)) *servers.Fixture {
	fake := fakeentra.NewServer(fakeentra.Config{Directory: apiDirectory()})
	at, err := url.Parse(fake.URL)
	require.NoError(t, err)
	issuer := &interceptor{base: fake.Client().Transport, host: at.Host}
	issuer.own = httptest.NewServer(issuer)
	origin := startServer(t, func(config *server.Config) {
		direct(fake)(config)
		// shorter than the server's own timeout, so that the checks lose no time
		config.Entra.HTTPClient = &http.Client{Transport: issuer, Timeout: 3 * time.Second}
		config.Now = fake.Now
		if change != nil {
			change(config)
		}
	})
	published := func(path string) func() []byte {
		return func() []byte {
			answer, err := fake.Client().Get(fake.URL + "/" + fake.Tenant().ID + path)
			require.NoError(t, err)
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			require.NoError(t, err)
			return text
		}
	}
	return &servers.Fixture{
		Target:         directTarget(t, origin+"/mcp", fake),
		ServeKeySet:    issuer.serve(keySet),
		KeySetFetches:  issuer.fetches,
		Advance:        fake.Advance,
		KeySet:         published("/discovery/v2.0/keys"),
		Discovery:      published("/v2.0/.well-known/openid-configuration"),
		ServeDiscovery: issuer.serve(document),
		ServeOthers:    issuer.serve(elsewhere),
		Close: func() {
			issuer.own.Close()
			fake.Close()
		},
	}
}

// A target is a kind of request of the server that a fixture can answer.
type target int

const (
	other     target = iota // other requests to the issuer
	keySet                  // the issuer's keys
	document                // the issuer's discovery document
	elsewhere               // requests to other hosts
)

// interceptor is the transport of a server's requests. It passes them on, or lets a handler of a
// check answer them.
type interceptor struct {
	base http.RoundTripper
	host string           // the issuer's host
	own  *httptest.Server // serves the handlers

	mu       sync.Mutex
	handlers [elsewhere + 1]http.Handler
	count    int
}

func (h *interceptor) serve(kind target) func(http.Handler) {
	return func(handler http.Handler) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.handlers[kind] = handler
	}
}

func (h *interceptor) fetches() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count
}

// handler returns the handler for an address, or nil if the request passes on.
func (h *interceptor) handler(address *url.URL) http.Handler {
	h.mu.Lock()
	defer h.mu.Unlock()
	kind := other
	switch {
	case address.Host != h.host:
		kind = elsewhere
	case strings.HasSuffix(address.Path, "/keys"):
		kind = keySet
	case strings.HasSuffix(address.Path, "/.well-known/openid-configuration"):
		kind = document
	}
	return h.handlers[kind]
}

// addressHeader tells the handler the address of the request.
const addressHeader = "X-Asked"

func (h *interceptor) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Host == h.host && strings.HasSuffix(request.URL.Path, "/keys") {
		h.mu.Lock()
		h.count++
		h.mu.Unlock()
	}
	if h.handler(request.URL) == nil {
		return h.base.RoundTrip(request)
	}
	own, err := url.Parse(h.own.URL)
	if err != nil {
		return nil, err
	}
	sent := request.Clone(request.Context())
	sent.Header.Set(addressHeader, request.URL.String())
	sent.URL.Scheme = own.Scheme
	sent.URL.Host = own.Host
	sent.Host = own.Host
	response, err := h.own.Client().Transport.RoundTrip(sent)
	if err == nil {
		response.Request = request
	}
	return response, err
}

func (h *interceptor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	address, err := url.Parse(r.Header.Get(addressHeader))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.Header.Del(addressHeader)
	r.URL = address
	h.handler(address).ServeHTTP(w, r)
}
