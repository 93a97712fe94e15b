package broker_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/server/broker"
	"mcpentra/server/clientip"
	"mcpentra/server/entra"
	"mcpentra/server/store"
)

// The test environment of the package. env_browser_test.go has its browsers, and env_store_test.go
// its stores.

var started = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

// An env is a fake Entra ID, a broker in front of it, and one clock for both.
type env struct {
	t         *testing.T
	fake      *fakeentra.Server
	broker    *broker.Broker
	origin    string
	transport *http.Transport // of browsers and clients
	offset    atomic.Int64
	answer    atomic.Pointer[http.Response] // replaces the answers of Entra's token endpoint, once it is set
	withheld  atomic.Bool                   // Entra grants no User.Read
}

func (e *env) now() time.Time { return started.Add(time.Duration(e.offset.Load())) }

// later sets the clock forward.
func (e *env) later(d time.Duration) { e.offset.Add(int64(d)) }

type options struct {
	store     store.Store
	keys      *broker.Keys
	tls       bool
	perMinute int // 0 means no bound
	limits    broker.Limits
	tenant    func(*directory.Tenant)
	proxies   clientip.Proxies
	scopes    []broker.Scope
	resources []broker.Resource
	log       *logText // nil discards
	records   int      // of each kind in the store; 0 means the store's own bound
	clients   broker.ClientPolicy
}

// A logText collects the log of a broker.
type logText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logText) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newEnv starts an env. It ends with the test.
func newEnv(t *testing.T, o options) *env {
	e := &env{t: t}
	server := httptest.NewUnstartedServer(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.broker.ServeHTTP(w, r) }),
	)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	e.origin = "http://localhost:" + port
	contents := directory.Default()
	if o.tls {
		e.origin = "https://127.0.0.1:" + port // httptest's certificate is for this address
		contents.Tenants[0].Apps[0].Web = append(contents.Tenants[0].Apps[0].Web, e.origin+broker.CallbackPath)
	}
	if o.tenant != nil {
		o.tenant(&contents.Tenants[0])
	}
	e.fake = fakeentra.NewServer(fakeentra.Config{Directory: contents, Now: e.now})
	t.Cleanup(e.fake.Close)
	e.broker = e.start(o)
	e.transport = &http.Transport{}
	if o.tls {
		server.StartTLS()
		e.transport.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	t.Cleanup(e.transport.CloseIdleConnections)
	return e
}

// entraClient returns the broker's client of the fake.
func (e *env) entraClient() *entra.Client {
	tenant := e.fake.Tenant()
	client, err := entra.New(entra.Config{
		Authority:           e.fake.URL,
		TenantID:            tenant.ID,
		ClientID:            tenant.Apps[0].ID,
		ClientSecret:        tenant.Apps[0].Secrets[0],
		RedirectURI:         e.origin + broker.CallbackPath,
		Now:                 e.now,
		TrustPublicFakeKeys: true,
		HTTPClient:          &http.Client{Transport: e},
	})
	require.NoError(e.t, err)
	return client
}

// start makes a broker. A second call makes another broker on the store of the options.
func (e *env) start(o options) *broker.Broker {
	b, err := e.tryStart(o)
	require.NoError(e.t, err)
	return b
}

// tryStart is start for options that may be wrong.
func (e *env) tryStart(o options) (*broker.Broker, error) {
	if o.store == nil {
		o.store = store.NewMemory(store.Config{Now: e.now, MaxRecords: o.records})
	}
	if o.perMinute == 0 {
		o.perMinute = -1
	}
	if o.limits.ClientPerMinute == 0 {
		o.limits.ClientPerMinute = -1
	}
	logger := slog.New(slog.DiscardHandler)
	if o.log != nil {
		logger = slog.New(slog.NewTextHandler(o.log, nil))
	}
	return broker.New(e.t.Context(), broker.Config{
		Issuer:                 e.origin,
		Resource:               e.origin + "/mcp",
		Entra:                  e.entraClient(),
		Store:                  o.store,
		Keys:                   o.keys,
		Now:                    e.now,
		RegistrationsPerMinute: o.perMinute,
		Limits:                 o.limits,
		Clients:                o.clients,
		TrustedProxies:         o.proxies,
		Scopes:                 o.scopes,
		Resources:              o.resources,
		Logger:                 logger,
	})
}

// RoundTrip carries the broker's requests to Entra.
func (e *env) RoundTrip(r *http.Request) (*http.Response, error) {
	if answer := e.answer.Load(); answer != nil && strings.HasSuffix(r.URL.Path, "/token") {
		copied := *answer
		copied.Request = r
		copied.Body = io.NopCloser(strings.NewReader(answer.Status))
		return &copied, nil
	}
	answer, err := e.fake.Client().Transport.RoundTrip(r)
	if err != nil || !e.withheld.Load() {
		return answer, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	answer.Body = io.NopCloser(strings.NewReader(strings.ReplaceAll(string(text), "User.Read", "")))
	answer.ContentLength = -1
	answer.Header.Del("Content-Length")
	return answer, err
}

// entraAnswers replaces all further answers of Entra's token endpoint.
func (e *env) entraAnswers(status int, body string) {
	e.answer.Store(&http.Response{
		StatusCode: status,
		Status:     body,
		Header:     http.Header{"Content-Type": {"application/json"}},
	})
}

const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Redirect URIs of test clients.
const (
	loopback = "http://127.0.0.1:5555/cb"
	appURI   = "https://app.example/cb"
)

type registered struct {
	ID           string   `json:"client_id"`
	RedirectURIs []string `json:"redirect_uris"`
	Secret       string   `json:"client_secret"`
	Scope        string   `json:"scope"`
	Error        string   `json:"error"`
}

// register sends metadata to the registration endpoint, and returns the answer and its status.
func (e *env) register(metadata string) (registered, int) {
	r, err := http.NewRequestWithContext(
		e.t.Context(),
		http.MethodPost,
		e.origin+"/register",
		strings.NewReader(metadata),
	)
	require.NoError(e.t, err)
	r.Header.Set("Content-Type", "application/json")
	a := e.browser().send(r)
	var made registered
	require.NoError(e.t, json.Unmarshal([]byte(a.body), &made), a.body)
	assert.Contains(e.t, a.header.Get("Cache-Control"), "no-store")
	return made, a.status
}

// metadataOf returns the metadata of a client without a secret.
func metadataOf(name string, uris ...string) string {
	text, err := json.Marshal(map[string]any{
		"redirect_uris":              uris,
		"token_endpoint_auth_method": "none",
		"client_name":                name,
	})
	if err != nil {
		panic(err) // strings
	}
	return string(text)
}

// public registers a client without a secret, at loopback if no redirect URI is given.
func (e *env) public(uris ...string) registered {
	if len(uris) == 0 {
		uris = []string{loopback}
	}
	return e.named("Test <b>client</b>", uris...)
}

// named registers a client of a name without a secret.
func (e *env) named(name string, uris ...string) registered {
	made, status := e.register(metadataOf(name, uris...))
	require.Equal(e.t, http.StatusCreated, status, uris)
	return made
}

// request returns the URL of an authorization request. Change lists names and values of parameters.
func (e *env) request(c registered, change ...string) string {
	q := url.Values{
		"response_type":         {"code"},
		"client_id":             {c.ID},
		"redirect_uri":          {loopback},
		"state":                 {`a "b&c+d%`},
		"code_challenge":        {challenge(verifier)},
		"code_challenge_method": {"S256"},
		"scope":                 {"user.read"},
		"resource":              {e.origin + "/mcp"},
	}
	for i := 0; i < len(change); i += 2 {
		q.Set(change[i], change[i+1])
	}
	return e.origin + "/authorize?" + q.Encode()
}

// code signs in and returns the parameters of the authorization response.
func (e *env) code(c registered, b *browser, change ...string) url.Values {
	to := e.approve(b, b.get(e.request(c, change...), "Sec-Fetch-Site", "none"))
	back := b.get(e.signIn(b, to, ""))
	require.Equal(e.t, http.StatusFound, back.status, back.body)
	result := back.location(e.t)
	require.NotEmpty(e.t, result.Get("code"), back.header.Get("Location"))
	return result
}

type tokens struct {
	Access    string `json:"access_token"`
	Refresh   string `json:"refresh_token"`
	Scope     string `json:"scope"`
	ExpiresIn int    `json:"expires_in"`
	Error     string `json:"error"`
}

// token sends a form to the token endpoint, and returns the answer and its status.
func (e *env) token(form url.Values, headers ...string) (tokens, int) {
	a := e.browser().post(e.origin+"/token", form, headers...)
	var got tokens
	require.NoError(e.t, json.Unmarshal([]byte(a.body), &got), a.body)
	assert.Contains(e.t, a.header.Get("Cache-Control"), "no-store")
	return got, a.status
}

// redemption returns the form that redeems a code for loopback.
func redemption(c registered, code string) url.Values {
	return url.Values{
		"grant_type":    {"authorization_code"},
		"client_id":     {c.ID},
		"code":          {code},
		"redirect_uri":  {loopback},
		"code_verifier": {verifier},
	}
}

// redeemedAt redeems a code for the redirect URI of a site.
func (e *env) redeemedAt(c registered, uri, code string) (tokens, int) {
	form := redemption(c, code)
	form.Set("redirect_uri", uri)
	return e.token(form)
}

// refreshing returns the form that redeems a refresh token.
func refreshing(c registered, refresh string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "client_id": {c.ID}, "refresh_token": {refresh}}
}

// signedIn signs in with a new browser and redeems the code.
func (e *env) signedIn(c registered, change ...string) tokens {
	got, status := e.token(redemption(c, e.code(c, e.browser(), change...).Get("code")))
	require.Equal(e.t, 200, status, got.Error)
	return got
}

// good reports whether the broker accepts an access token.
func (e *env) good(access string) bool {
	_, err := e.broker.Verify(context.Background(), access)
	return err == nil
}

func basic(id, secret string) string {
	return "Basic " + b64(url.QueryEscape(id)+":"+url.QueryEscape(secret))
}

// b64sha256 returns the hash of a text in base64url.
func b64sha256(text string) string { return challenge(text) }

func b64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// arrives sends a request to the broker from an address, and returns the status.
func (e *env) arrives(r *http.Request, address string, headers ...string) int {
	r.RemoteAddr = address
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	e.broker.ServeHTTP(answer, r)
	return answer.Code
}

const registrationBody = `{"redirect_uris":["` + loopback + `"],"token_endpoint_auth_method":"none"}`

// registersFrom registers a client from an address, and returns the status.
func (e *env) registersFrom(address string, headers ...string) int {
	r := httptest.NewRequest(http.MethodPost, "/register", strings.NewReader(registrationBody))
	r.Header.Set("Content-Type", "application/json")
	return e.arrives(r, address, headers...)
}

// beginsFrom begins a sign-in from an address, and returns the status.
func (e *env) beginsFrom(c registered, address string, headers ...string) int {
	return e.arrives(httptest.NewRequest(http.MethodGet, e.request(c), nil), address, headers...)
}

// fetched returns headers of Fetch Metadata.
func fetched(site, mode, destination string) []string {
	return []string{"Sec-Fetch-Site", site, "Sec-Fetch-Mode", mode, "Sec-Fetch-Dest", destination}
}

// threeScopes has more scopes than the reference server. The first is the default.
func threeScopes() []broker.Scope {
	upstream := []string{"User.Read"}
	return []broker.Scope{
		{Name: "user.read", Description: "read your name", Upstream: upstream},
		{Name: "notes.read", Description: "read your notes", Upstream: upstream},
		{Name: "notes.write", Description: "change your notes", Upstream: upstream},
	}
}
