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

	"github.com/stretchr/testify/require"

	"mcpentra/conformance"
	"mcpentra/conformance/engine"
	"mcpentra/fakeentra"
	"mcpentra/server"
)

// TestDirectModeFollowsItsKeys holds direct mode to the checks that take an issuer's keys in hand. Each starts a server of
// its own with a fake of its own, whose clock is the server's.
func TestDirectModeFollowsItsKeys(t *testing.T) {
	t.Parallel()
	first := newRig(t, nil)
	t.Cleanup(first.Close)
	target := first.Target
	target.Rig = func(context.Context) (*engine.Rig, error) { return newRig(t, nil), nil }
	conformance.Test(t, target, "server/keys")
}

// TestSessionsEnd holds the sessions of the server's own tools to an end, on the clock of a rig.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	stateful := func(config *server.Config) { config.Stateful = true }
	first := newRig(t, stateful)
	t.Cleanup(first.Close)
	target := first.Target
	target.Rig = func(context.Context) (*engine.Rig, error) { return newRig(t, stateful), nil }
	conformance.Test(t, target, "server/session/bounded")
}

func newRig(t *testing.T, change func(*server.Config)) *engine.Rig {
	fake := fakeentra.NewServer(fakeentra.Config{Directory: apiDirectory()})
	at, err := url.Parse(fake.URL)
	require.NoError(t, err)
	issuer := &heldKeys{base: fake.Client().Transport, host: at.Host}
	issuer.own = httptest.NewServer(issuer)
	origin := startServer(t, func(config *server.Config) {
		direct(fake)(config)
		config.Entra.HTTPClient = &http.Client{Transport: issuer}
		config.Now = fake.Now
		if change != nil {
			change(config)
		}
	})
	return &engine.Rig{
		Target: directTarget(t, origin, fake), Serve: issuer.serve, Fetches: issuer.fetches, Advance: fake.Advance,
		Document: func() []byte {
			answer, err := fake.Client().Get(fake.URL + "/" + fake.Tenant().ID + "/discovery/v2.0/keys")
			require.NoError(t, err)
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			require.NoError(t, err)
			return text
		},
		Close: func() {
			issuer.own.Close()
			fake.Close()
		},
	}
}

// heldKeys stands between a server and its issuer, and answers for the key set as it is told.
type heldKeys struct {
	base http.RoundTripper
	host string           // the issuer's
	own  *httptest.Server // answers for the key set in place of the issuer

	mu      sync.Mutex
	handler http.Handler
	count   int
}

func (h *heldKeys) serve(handler http.Handler) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.handler = handler
}

func (h *heldKeys) fetches() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count
}

func (h *heldKeys) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Host != h.host || !strings.HasSuffix(request.URL.Path, "/keys") {
		return h.base.RoundTrip(request)
	}
	h.mu.Lock()
	h.count++
	held := h.handler != nil
	h.mu.Unlock()
	if held {
		own, err := url.Parse(h.own.URL)
		if err != nil {
			return nil, err
		}
		request = request.Clone(request.Context())
		request.URL.Scheme, request.URL.Host, request.Host = own.Scheme, own.Host, own.Host
		return h.own.Client().Transport.RoundTrip(request)
	}
	return h.base.RoundTrip(request)
}

func (h *heldKeys) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	handler := h.handler
	h.mu.Unlock()
	handler.ServeHTTP(w, r)
}
