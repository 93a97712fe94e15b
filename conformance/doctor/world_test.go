package doctor_test

import (
	"context"
	"crypto/x509"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"mcpentra/conformance/loopback"
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/server"
	"mcpentra/server/broker"
	"mcpentra/server/entra"
)

// A world is a deployment: a fake Entra ID, a server whose people sign in there, and perhaps a
// proxy in front. Its addresses stay the same when start starts its parts again after a change.
type world struct {
	t       *testing.T
	fake    *fakeentra.Server
	server  string     // the origin of the server's own listener
	public  string     // the origin that clients use
	host    string     // of a proxy that was renamed, or empty
	proxy   *proxy     // nil without a proxy
	trusted *authority // that clients trust; nil without TLS
	serves  atomic.Pointer[http.Handler]

	// These describe the deployment. start reads them.

	env      map[string]string         // settings of mcp-entra-server
	site     string                    // lines of the proxy
	foreign  *foreignSite              // in place of mcp-entra-server
	registry []func(*directory.Tenant) // changes of the tenant, in their order
	clientID string                    // that the person gives to doctor
	hasToken bool                      // whether the person gives doctor a token
}

// newWorld makes a healthy deployment of our server in broker mode. proxy is nginx, caddy or empty.
func newWorld(t *testing.T, kind string, config fakeentra.Config) *world {
	t.Helper()
	w := &world{t: t, env: map[string]string{}}
	listening := httptest.NewUnstartedServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		(*w.serves.Load()).ServeHTTP(out, r)
	}))
	t.Cleanup(listening.Close)
	w.server = "http://" + strings.Replace(listening.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
	w.public = w.server
	if kind != "" {
		w.proxy = newProxy(t, strings.TrimSuffix(kind, " with TLS"))
		if strings.HasSuffix(kind, " with TLS") {
			w.trusted = newAuthority(t)
			w.certify(forLocalhost, true)
		}
		w.public = w.proxy.origin()
		w.site = goodSites[w.proxy.kind]
	}
	w.fake = fakeentra.NewServer(config)
	t.Cleanup(w.fake.Close)
	w.env["AUTH_TENANT_ID"] = directory.DefaultTenantID
	w.env["AUTH_CLIENT_ID"] = directory.DefaultClientID
	w.env["AUTH_CLIENT_SECRET"] = directory.DefaultClientSecret
	w.env["MCP_PUBLIC_URL"] = w.public
	w.register(func(tenant *directory.Tenant) { tenant.Apps[0].Web = []string{w.public + broker.CallbackPath} })
	nothing := http.NotFoundHandler()
	w.serves.Store(&nothing)
	listening.Start()
	return w
}

// direct turns the server into a healthy one in direct mode. The URL of its endpoint is an
// identifier URI of the API, and the person has the ID of a client.
func (w *world) direct() {
	w.set("AUTH_MODE", "direct")
	w.set("AUTH_CLIENT_ID", directory.DefaultAPIID)
	w.set("AUTH_CLIENT_SECRET", directory.DefaultAPISecret)
	w.set("AUTH_SCOPES", "tool.read")
	w.set("AUTH_AUDIENCE", w.public+"/mcp")
	w.register(func(tenant *directory.Tenant) {
		api := &tenant.Apps[1]
		api.IdentifierURIs = append(api.IdentifierURIs, w.public+"/mcp")
	})
	w.clientID = directory.DefaultAPIID
}

// rename gives the proxy another host, with a certificate for it.
func (w *world) rename(host string) {
	w.host = host
	w.public = "https://" + host + ":" + w.proxy.port
	w.set("MCP_PUBLIC_URL", w.public)
	w.certify(func(template *x509.Certificate) { template.DNSNames = []string{host} }, true)
}

// dial connects to the proxy by its host.
func (w *world) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if host, port, err := net.SplitHostPort(address); err == nil && host == w.host {
		address = net.JoinHostPort("127.0.0.1", port)
	}
	return loopback.Dial(ctx, network, address)
}

// session is direct for a person who has a token, and a server that keeps sessions.
func (w *world) session() {
	w.direct()
	w.set("MCP_STATEFUL", "true")
	w.hasToken = true
}

// set changes a setting of the server.
func (w *world) set(key, value string) { w.env[key] = value }

// register changes the tenant.
func (w *world) register(change func(*directory.Tenant)) { w.registry = append(w.registry, change) }

// endpoint returns the URL that people enter into their clients.
func (w *world) endpoint() string {
	path := w.env["MCP_PATH"]
	switch path {
	case "":
		path = "/mcp"
	case "/":
		path = ""
	}
	return w.public + path
}

// start starts the parts, or starts them again.
func (w *world) start() {
	w.t.Helper()
	all := directory.Default()
	for _, change := range w.registry {
		change(&all.Tenants[0])
	}
	require.NoError(w.t, w.fake.SetDirectory(all))
	var handler http.Handler
	if w.foreign != nil {
		handler = w.foreign.handler(w)
	} else {
		made, err := server.New(w.t.Context(), w.serverConfig())
		require.NoError(w.t, err)
		handler = made
	}
	w.serves.Store(&handler)
	if w.proxy != nil {
		w.proxy.start(strings.NewReplacer(
			"UPSTREAM", strings.TrimPrefix(strings.Replace(w.server, "localhost", "127.0.0.1", 1), "http://"),
			"FOLDER", w.proxy.folder,
		).Replace(w.site))
	}
}

// serverConfig makes the configuration that the program mcp-entra-server makes of the settings.
func (w *world) serverConfig() server.Config {
	known := maps.Clone(w.env)
	take := func(key string) string {
		value := known[key]
		delete(known, key)
		return value
	}
	config := server.Config{
		PublicURL: take("MCP_PUBLIC_URL"),
		Path:      take("MCP_PATH"),
		Entra: entra.Config{
			Authority:           w.fake.URL,
			TenantID:            take("AUTH_TENANT_ID"),
			ClientID:            take("AUTH_CLIENT_ID"),
			ClientSecret:        take("AUTH_CLIENT_SECRET"),
			HTTPClient:          w.fake.Client(),
			TrustPublicFakeKeys: true,
		},
	}
	config.Stateful = take("MCP_STATEFUL") == "true"
	if take("AUTH_MODE") == "direct" {
		config.Direct = &server.Direct{IdentifierURI: take("AUTH_AUDIENCE")}
		for name := range strings.FieldsSeq(strings.ReplaceAll(take("AUTH_SCOPES"), ",", " ")) {
			config.Scopes = append(config.Scopes, broker.Scope{Name: name, Upstream: []string{"User.Read"}})
		}
	}
	require.Empty(w.t, known, "settings that this test does not know")
	return config
}
