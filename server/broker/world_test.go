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
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
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

var started = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

// A world is a fake Entra ID, a broker in front of it, and one clock for both.
type world struct {
	t         *testing.T
	fake      *fakeentra.Server
	broker    *broker.Broker
	origin    string
	transport *http.Transport // of browsers and clients
	offset    atomic.Int64
	answer    atomic.Pointer[http.Response] // what Entra's token endpoint answers in place of the fake, once it is set
	withheld  atomic.Bool                   // Entra grants no User.Read
}

func (w *world) now() time.Time { return started.Add(time.Duration(w.offset.Load())) }

func (w *world) later(d time.Duration) { w.offset.Add(int64(d)) }

type options struct {
	store     store.Store
	keys      *broker.Keys
	tls       bool
	perMinute int // 0 is no bound
	tenant    func(*directory.Tenant)
	proxies   clientip.Proxies
	scopes    []broker.Scope
	log       *logText // nil is none
	records   int      // of each kind in the store; 0 is its own bound
}

// A logText is what a broker has logged.
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

func newWorld(t *testing.T, o options) *world {
	w := &world{t: t}
	server := httptest.NewUnstartedServer(
		http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.broker.ServeHTTP(rw, r) }),
	)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	w.origin = "http://localhost:" + port
	contents := directory.Default()
	if o.tls {
		w.origin = "https://127.0.0.1:" + port // which httptest's certificate is for
		contents.Tenants[0].Apps[0].Web = append(contents.Tenants[0].Apps[0].Web, w.origin+broker.CallbackPath)
	}
	if o.tenant != nil {
		o.tenant(&contents.Tenants[0])
	}
	w.fake = fakeentra.NewServer(fakeentra.Config{Directory: contents, Now: w.now})
	t.Cleanup(w.fake.Close)
	w.broker = w.start(o)
	w.transport = &http.Transport{}
	if o.tls {
		server.StartTLS()
		w.transport.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	t.Cleanup(w.transport.CloseIdleConnections)
	return w
}

// start makes a broker, another one on the same store when it is called again.
func (w *world) start(o options) *broker.Broker {
	tenant := w.fake.Tenant()
	client, err := entra.New(entra.Config{
		Authority:           w.fake.URL,
		TenantID:            tenant.ID,
		ClientID:            tenant.Apps[0].ID,
		ClientSecret:        tenant.Apps[0].Secrets[0],
		RedirectURI:         w.origin + broker.CallbackPath,
		Now:                 w.now,
		TrustPublicFakeKeys: true,
		HTTPClient:          &http.Client{Transport: w},
	})
	require.NoError(w.t, err)
	if o.store == nil {
		o.store = store.NewMemory(store.Config{Now: w.now, MaxRecords: o.records})
	}
	if o.perMinute == 0 {
		o.perMinute = -1
	}
	logger := slog.New(slog.DiscardHandler)
	if o.log != nil {
		logger = slog.New(slog.NewTextHandler(o.log, nil))
	}
	b, err := broker.New(w.t.Context(), broker.Config{
		Issuer:                 w.origin,
		Resource:               w.origin + "/mcp",
		Entra:                  client,
		Store:                  o.store,
		Keys:                   o.keys,
		Now:                    w.now,
		RegistrationsPerMinute: o.perMinute,
		TrustedProxies:         o.proxies,
		Scopes:                 o.scopes,
		Logger:                 logger,
	})
	require.NoError(w.t, err)
	return b
}

// RoundTrip carries the broker's requests to Entra.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	if answer := w.answer.Load(); answer != nil && strings.HasSuffix(r.URL.Path, "/token") {
		copied := *answer
		copied.Request = r
		copied.Body = io.NopCloser(strings.NewReader(answer.Status))
		return &copied, nil
	}
	answer, err := w.fake.Client().Transport.RoundTrip(r)
	if err != nil || !w.withheld.Load() {
		return answer, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	answer.Body = io.NopCloser(strings.NewReader(strings.ReplaceAll(string(text), "User.Read", "")))
	answer.ContentLength = -1
	answer.Header.Del("Content-Length")
	return answer, err
}

// entraAnswers lets Entra's token endpoint answer with this from now on.
func (w *world) entraAnswers(status int, body string) {
	w.answer.Store(
		&http.Response{StatusCode: status, Status: body, Header: http.Header{"Content-Type": {"application/json"}}},
	)
}

const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

const loopback = "http://127.0.0.1:5555/cb"

// A browser stops at every answer, so that a test can look at it.
type browser struct {
	t *testing.T
	c *http.Client
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(w.t, err)
	return &browser{
		w.t,
		&http.Client{
			Transport:     w.transport,
			Jar:           jar,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) location(t *testing.T) url.Values {
	u, err := url.Parse(a.header.Get("Location"))
	require.NoError(t, err)
	return u.Query()
}

func (b *browser) send(r *http.Request) answer {
	resp, err := b.c.Do(r)
	require.NoError(b.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	return answer{resp.StatusCode, resp.Header, string(body)}
}

func (b *browser) get(address string, headers ...string) answer {
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, address, nil)
	require.NoError(b.t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return b.send(r)
}

func (b *browser) post(address string, form url.Values, headers ...string) answer {
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	require.NoError(b.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return b.send(r)
}

type registered struct {
	ID           string   `json:"client_id"`
	RedirectURIs []string `json:"redirect_uris"`
	Secret       string   `json:"client_secret"`
	Scope        string   `json:"scope"`
	Error        string   `json:"error"`
}

func (w *world) register(metadata string) (registered, int) {
	r, err := http.NewRequestWithContext(
		w.t.Context(),
		http.MethodPost,
		w.origin+"/register",
		strings.NewReader(metadata),
	)
	require.NoError(w.t, err)
	r.Header.Set("Content-Type", "application/json")
	a := w.browser().send(r)
	var made registered
	require.NoError(w.t, json.Unmarshal([]byte(a.body), &made), a.body)
	assert.Contains(w.t, a.header.Get("Cache-Control"), "no-store")
	return made, a.status
}

func (w *world) public(uris ...string) registered {
	if len(uris) == 0 {
		uris = []string{loopback}
	}
	text, _ := json.Marshal(
		map[string]any{
			"redirect_uris":              uris,
			"token_endpoint_auth_method": "none",
			"client_name":                "Test <b>client</b>",
		},
	)
	made, status := w.register(string(text))
	require.Equal(w.t, http.StatusCreated, status)
	return made
}

func (w *world) request(c registered, change ...string) string {
	q := url.Values{
		"response_type":         {"code"},
		"client_id":             {c.ID},
		"redirect_uri":          {loopback},
		"state":                 {`a "b&c+d%`},
		"code_challenge":        {challenge(verifier)},
		"code_challenge_method": {"S256"},
		"scope":                 {"user.read"},
		"resource":              {w.origin + "/mcp"},
	}
	for i := 0; i < len(change); i += 2 {
		q.Set(change[i], change[i+1])
	}
	return w.origin + "/authorize?" + q.Encode()
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]+)">`)

var onward = regexp.MustCompile(`href="([^"]+)"`)

func formOf(body string) url.Values {
	form := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(body, -1) {
		form.Set(m[1], m[2])
	}
	return form
}

func unescape(s string) string {
	return strings.NewReplacer("&amp;", "&", "&#43;", "+", "&#34;", `"`).Replace(s)
}

// approve presses Approve on a consent page and returns where the browser is sent.
func (w *world) approve(b *browser, page answer) string {
	require.Equal(w.t, 200, page.status, page.body)
	form := formOf(page.body)
	require.NotEmpty(w.t, form)
	form.Set("answer", "approve")
	done := b.post(w.origin+"/authorize/consent", form, "Origin", w.origin, "Sec-Fetch-Site", "same-origin")
	require.Equal(w.t, 200, done.status, done.body)
	return unescape(onward.FindStringSubmatch(done.body)[1])
}

// signIn presses the account on the fake's page until it sends the browser back, and returns that
// address.
func (w *world) signIn(b *browser, address, user string) string {
	page := b.get(address)
	for range 6 {
		if to := page.header.Get("Location"); to != "" {
			return to
		}
		form := formOf(page.body)
		action := regexp.MustCompile(`<form[^>]*action="([^"]*)"`).FindStringSubmatch(page.body)
		require.NotNil(w.t, action, page.body)
		target, err := url.Parse(address)
		require.NoError(w.t, err)
		if action[1] != "" {
			target, err = target.Parse(unescape(action[1]))
			require.NoError(w.t, err)
		}
		for _, m := range regexp.MustCompile(`<button[^>]*name="([^"]+)"[^>]*value="([^"]+)"`).FindAllStringSubmatch(page.body, -1) {
			if m[2] == "cancel" {
				continue
			}
			if m[1] == "account" && (user == "" || strings.EqualFold(m[2], user)) ||
				m[1] != "account" && !form.Has(m[1]) {
				form.Set(m[1], m[2])
				break
			}
		}
		if strings.Contains(page.body, `name="password"`) {
			form.Set("password", w.fake.Tenant().Users[1].Password)
		}
		address = target.String()
		page = b.post(address, form, "Origin", w.fake.URL)
	}
	w.t.Fatal("no way back from the fake: " + page.body)
	return ""
}

func (w *world) code(c registered, b *browser, change ...string) url.Values {
	to := w.approve(b, b.get(w.request(c, change...), "Sec-Fetch-Site", "none"))
	back := b.get(w.signIn(b, to, ""))
	require.Equal(w.t, http.StatusFound, back.status, back.body)
	result := back.location(w.t)
	require.NotEmpty(w.t, result.Get("code"), back.header.Get("Location"))
	return result
}

type tokens struct {
	Access    string `json:"access_token"`
	Refresh   string `json:"refresh_token"`
	Scope     string `json:"scope"`
	ExpiresIn int    `json:"expires_in"`
	Error     string `json:"error"`
}

func (w *world) token(form url.Values, headers ...string) (tokens, int) {
	a := w.browser().post(w.origin+"/token", form, headers...)
	var got tokens
	require.NoError(w.t, json.Unmarshal([]byte(a.body), &got), a.body)
	assert.Contains(w.t, a.header.Get("Cache-Control"), "no-store")
	return got, a.status
}

func redemption(c registered, code string) url.Values {
	return url.Values{
		"grant_type":    {"authorization_code"},
		"client_id":     {c.ID},
		"code":          {code},
		"redirect_uri":  {loopback},
		"code_verifier": {verifier},
	}
}

func refreshing(c registered, refresh string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "client_id": {c.ID}, "refresh_token": {refresh}}
}

func (w *world) signedIn(c registered, change ...string) tokens {
	got, status := w.token(redemption(c, w.code(c, w.browser(), change...).Get("code")))
	require.Equal(w.t, 200, status, got.Error)
	return got
}

func (w *world) good(access string) bool {
	_, err := w.broker.Verify(context.Background(), access)
	return err == nil
}

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}
