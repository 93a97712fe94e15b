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

// TestDirectModeFollowsItsKeys holds direct mode to the checks that take an issuer's keys in hand.
// Each starts a server of its own with a fake of its own, whose clock is the server's.
func TestDirectModeFollowsItsKeys(t *testing.T) {
	t.Parallel()
	first := newFixture(t, nil)
	t.Cleanup(first.Close)
	target := first.Target
	target.Fixture = func(context.Context) (*servers.Fixture, error) { return newFixture(t, nil), nil }
	servers.Test(t, target, "server/keys")
}

// TestSessionsEnd holds the sessions of the server's own tools to an end, on the clock of a
// fixture.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	stateful := func(config *server.Config) { config.Stateful = true }
	first := newFixture(t, stateful)
	t.Cleanup(first.Close)
	target := first.Target
	target.Fixture = func(context.Context) (*servers.Fixture, error) { return newFixture(t, stateful), nil }
	servers.Test(t, target, "server/session/bounded")
}

func newFixture(t *testing.T, change func(*server.Config)) *servers.Fixture {
	fake := fakeentra.NewServer(fakeentra.Config{Directory: apiDirectory()})
	at, err := url.Parse(fake.URL)
	require.NoError(t, err)
	issuer := &heldIssuer{base: fake.Client().Transport, host: at.Host}
	issuer.own = httptest.NewServer(issuer)
	origin := startServer(t, func(config *server.Config) {
		direct(fake)(config)
		// less than the server's own patience, to lose no time
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

// An asked is what a server asks for that a fixture can answer.
type asked int

const (
	other     asked = iota // the issuer's affair
	keySet                 // the issuer's keys
	document               // the issuer's discovery document
	elsewhere              // whatever others have
)

// heldIssuer stands between a server and everybody else, and answers as it is told.
type heldIssuer struct {
	base http.RoundTripper
	host string           // the issuer's
	own  *httptest.Server // answers in place of whoever was asked

	mu       sync.Mutex
	handlers [elsewhere + 1]http.Handler
	count    int
}

func (h *heldIssuer) serve(what asked) func(http.Handler) {
	return func(handler http.Handler) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.handlers[what] = handler
	}
}

func (h *heldIssuer) fetches() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count
}

// held is who answers for an address, or nil where it is not held.
func (h *heldIssuer) held(address *url.URL) http.Handler {
	h.mu.Lock()
	defer h.mu.Unlock()
	what := other
	switch {
	case address.Host != h.host:
		what = elsewhere
	case strings.HasSuffix(address.Path, "/keys"):
		what = keySet
	case strings.HasSuffix(address.Path, "/.well-known/openid-configuration"):
		what = document
	}
	return h.handlers[what]
}

// addressHeader carries the address that was asked to who answers in its place.
const addressHeader = "X-Asked"

func (h *heldIssuer) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Host == h.host && strings.HasSuffix(request.URL.Path, "/keys") {
		h.mu.Lock()
		h.count++
		h.mu.Unlock()
	}
	if h.held(request.URL) == nil {
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

func (h *heldIssuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	address, err := url.Parse(r.Header.Get(addressHeader))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.Header.Del(addressHeader)
	r.URL = address
	h.held(address).ServeHTTP(w, r)
}
