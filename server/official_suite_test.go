package server_test

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/servers/signin"
	"mcpentra/fakeentra"
	"mcpentra/server"
	"mcpentra/testdata/interop/official"
	"mcpentra/testdata/interop/official-server/fixture"
)

// A signedInProxy passes requests on to a handler, and adds a token to requests to /mcp. The
// official suite cannot send a token. The proxy's address is the server's public URL, so the guard
// accepts the suite's Host.
type signedInProxy struct {
	origin  string
	handler http.Handler
	token   atomic.Pointer[string]
}

func newSignedInProxy(t *testing.T) *signedInProxy {
	t.Helper()
	p := &signedInProxy{}
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.handler.ServeHTTP(w, r)
	}))
	t.Cleanup(behind.Close)
	target, err := url.Parse(behind.URL)
	require.NoError(t, err)
	front := httptest.NewServer(&httputil.ReverseProxy{
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			// The proxy gives a request up if its answer begins before the body has been read.
			body, err := io.ReadAll(r.In.Body)
			if err != nil {
				return // a body that ended early stays cut off
			}
			r.Out.Body = io.NopCloser(bytes.NewReader(body))
			r.Out.Host = r.In.Host
			if token := p.token.Load(); token != nil && r.In.URL.Path == "/mcp" {
				r.Out.Header.Set("Authorization", "Bearer "+*token)
			}
		},
	})
	t.Cleanup(front.Close)
	p.origin = localhostOf(front)
	return p
}

// guarded puts a backend behind a server in broker mode, signs a person in, and returns the
// endpoint.
func guarded(t *testing.T, behind func(*server.Config)) string {
	t.Helper()
	p := newSignedInProxy(t)
	p.serve(t, configFor(t, p.origin), behind)
	signIn := signin.SignIn{URL: p.origin + "/mcp", Open: visit}
	token, err := signIn.Token(t.Context())
	require.NoError(t, err)
	p.token.Store(&token)
	return p.origin + "/mcp"
}

// guardedDirectly does the same in direct mode, with a token of Entra.
func guardedDirectly(t *testing.T, behind func(*server.Config)) string {
	t.Helper()
	p := newSignedInProxy(t)
	fake := fakeentra.NewServer(fakeentra.Config{Directory: apiDirectory()})
	t.Cleanup(fake.Close)
	config := configFor(t, p.origin)
	direct(fake)(&config)
	p.serve(t, config, behind)
	token, err := fake.Mint(fakeentra.Token{})
	require.NoError(t, err)
	p.token.Store(&token)
	return p.origin + "/mcp"
}

// serve puts a server behind the proxy.
func (p *signedInProxy) serve(t *testing.T, config server.Config, behind func(*server.Config)) {
	t.Helper()
	behind(&config)
	made, err := server.New(t.Context(), config)
	require.NoError(t, err)
	p.handler = made
}

// TestInteropOfficialServer runs the official suite without and with the guard, in both modes,
// around a handler and in front of an upstream. The verdicts have to be the same, and everything
// that a revision requires has to pass.
func TestInteropOfficialServer(t *testing.T) {
	t.Parallel()
	for revision, most := range map[string]int{"2025-11-25": 30, "2026-07-28": 37} {
		t.Run(revision, func(t *testing.T) {
			t.Parallel()
			required := official.Required(t, revision).Server
			require.Len(t, required, most, "the suite's own list")
			open := httptest.NewServer(fixture.Handler())
			defer open.Close()

			without := official.Suite(t, "server", "--url", open.URL+"/mcp", "--requirements", revision)
			assert.Len(
				t,
				without.Passed(required, official.Failure),
				most,
				"%s",
				without.Against(required, official.Failure),
			)
			assert.Zero(t, without.Exit)
			for mode, guarded := range map[string]func(*testing.T, func(*server.Config)) string{
				"broker": guarded,
				"direct": guardedDirectly,
			} {
				for backend, behind := range map[string]func(*server.Config){
					"handler":  func(config *server.Config) { config.MCP = fixture.Handler() },
					"upstream": func(config *server.Config) { config.Upstream = open.URL + "/mcp" },
				} {
					name := mode + " mode, " + backend
					with := official.Suite(t, "server", "--url", guarded(t, behind), "--requirements", revision)
					assert.Len(
						t,
						with.Passed(required, official.Failure),
						most,
						"%s: %s",
						name,
						with.Against(required, official.Failure),
					)
					assert.Zero(t, with.Exit, name)
					assert.Equal(t, without.Verdicts(), with.Verdicts(), name)
				}
			}
		})
	}
}
