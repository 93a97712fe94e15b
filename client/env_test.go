package client_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
	"mcpentra/client/signin"
	"mcpentra/client/tokenrequest"
	"mcpentra/client/tokenstore"
	"mcpentra/conformance/loopback/loopbacktest"
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/useragent"
	"mcpentra/server"
	"mcpentra/server/entra"
)

// The environment of the tests:
//
//   - testEnv is an MCP server, its authorization server and a person. Most tests use it. client
//     makes a Transport; count, pages and told look at what happened; end, pass and metadata
//     change the servers.
//   - demanding, newRedirecting, slowToken, atPage, forms and megabytes change one answer of it.
//   - protectedServer is this repository's server in front of a fake of Entra ID.
//   - network (address_policy_test.go) has servers at addresses of the test's choice.
//   - boundEnv (dpop_test.go) binds its tokens to keys.
//   - rotating (processes_test.go) rotates refresh tokens.
//
// post, send and refused send requests.

// A testEnv is an MCP server and its authorization server, and the person who signs in there. A
// test replaces the parts that should behave otherwise. Its secrets all begin with "secret-".
type testEnv struct {
	*httptest.Server
	t    testing.TB
	base *http.Transport

	mu       sync.Mutex
	clock    time.Time
	journal  []string // method, path and Authorization of each request; grant types; revoked tokens
	events   []client.Event
	issued   int                   // access tokens so far
	good     map[string]bool       // access tokens that the server accepts
	signIns  []url.Values          // parameters of the opened authorization pages
	granting map[string]url.Values // the same by code

	// mcp answers the requests with a good token. Nil repeats their bodies.
	mcp http.HandlerFunc
	// challenge is the header of a 401. Empty means a challenge with the scope "a".
	challenge string
	// iss is the parameter iss of an answer; "-" leaves it out. Empty means the origin.
	iss string
	// refuses makes the server refuse new tokens.
	refuses bool
	// replace answers the requests to its paths.
	replace map[string]http.HandlerFunc
	// person decides about a sign-in. Nil approves.
	person func(page url.Values) (answer url.Values, err error)
}

func newEnv(t testing.TB) *testEnv {
	env := &testEnv{
		t:        t,
		base:     &http.Transport{},
		clock:    time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC),
		good:     map[string]bool{},
		granting: map[string]url.Values{},
		replace:  map[string]http.HandlerFunc{},
	}
	env.Server = httptest.NewServer(env)
	t.Cleanup(env.Close)
	t.Cleanup(env.base.CloseIdleConnections)
	return env
}

// client returns a Transport for the MCP server, and an HTTP client on it.
func (env *testEnv) client(edit func(*client.Config)) (*client.Transport, *http.Client) {
	config := client.Config{
		Server:  env.URL + "/mcp",
		Base:    env.base,
		Browser: env.browser,
		Now:     env.now,
		Trace: func(event client.Event) {
			env.mu.Lock()
			defer env.mu.Unlock()
			env.events = append(env.events, event)
		},
	}
	if edit != nil {
		edit(&config)
	}
	under, err := client.New(config)
	require.NoError(env.t, err)
	return under, &http.Client{Transport: under}
}

// keptRedirectURI returns a redirect URI for a test whose client has to keep its registration. Its
// port stays free between two sign-ins. If another program took the port, the client would register
// again.
func keptRedirectURI(t testing.TB) string {
	return "http://localhost:" + loopbacktest.Port(t) + "/callback"
}

func (env *testEnv) now() time.Time {
	env.mu.Lock()
	defer env.mu.Unlock()
	return env.clock
}

// pass moves the clock.
func (env *testEnv) pass(d time.Duration) {
	env.mu.Lock()
	defer env.mu.Unlock()
	env.clock = env.clock.Add(d)
}

// end makes the server refuse all tokens issued so far.
func (env *testEnv) end() {
	env.mu.Lock()
	defer env.mu.Unlock()
	clear(env.good)
}

// count returns how many lines of the journal begin with a prefix.
func (env *testEnv) count(prefix string) int {
	env.mu.Lock()
	defer env.mu.Unlock()
	n := 0
	for _, line := range env.journal {
		if strings.HasPrefix(line, prefix) {
			n++
		}
	}
	return n
}

// pages returns the parameters of the opened authorization pages.
func (env *testEnv) pages() []url.Values {
	env.mu.Lock()
	defer env.mu.Unlock()
	return env.signIns
}

// told returns the events so far.
func (env *testEnv) told() []client.Event {
	env.mu.Lock()
	defer env.mu.Unlock()
	return env.events
}

func (env *testEnv) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	env.mu.Lock()
	env.journal = append(env.journal, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
	env.mu.Unlock()
	if replaced, found := env.replace[r.URL.Path]; found {
		replaced(w, r)
		return
	}
	switch r.URL.Path {
	case "/.well-known/oauth-protected-resource/mcp":
		env.json(w, 200, `{"resource":"ORIGIN/mcp","authorization_servers":["ORIGIN"]}`)
	case "/.well-known/oauth-authorization-server":
		env.json(w, 200, `{"issuer":"ORIGIN","authorization_endpoint":"ORIGIN/authorize",
			"token_endpoint":"ORIGIN/token","registration_endpoint":"ORIGIN/register",
			"revocation_endpoint":"ORIGIN/revoke",
			"code_challenge_methods_supported":["S256"],"authorization_response_iss_parameter_supported":true}`)
	case "/register":
		env.json(w, 201, fmt.Sprintf(`{"client_id":"client-%d"}`, env.count("POST /register")))
	case "/token":
		env.token(w, r)
	case "/revoke":
		env.mu.Lock()
		env.journal = append(env.journal, "revoked "+r.FormValue("token"))
		env.mu.Unlock()
	default:
		env.resource(w, r)
	}
}

// json answers with a JSON text, in which ORIGIN is replaced by the servers' origin.
func (env *testEnv) json(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, strings.ReplaceAll(text, "ORIGIN", env.URL))
}

// token is the token endpoint.
func (env *testEnv) token(w http.ResponseWriter, r *http.Request) {
	kind := r.FormValue("grant_type")
	scope := ""
	env.mu.Lock()
	defer env.mu.Unlock()
	if kind == "authorization_code" {
		page, found := env.granting[r.FormValue("code")]
		sameURI := page.Get("redirect_uri") == r.FormValue("redirect_uri")
		sameClient := page.Get("client_id") == r.FormValue("client_id")
		if !found || !sameURI || !sameClient {
			env.json(w, 400, `{"error":"invalid_grant"}`)
			return
		}
		scope = `,"scope":"` + page.Get("scope") + `"`
	}
	env.issued++
	env.journal = append(env.journal, kind)
	env.good[fmt.Sprintf("secret-access-%d", env.issued)] = !env.refuses
	env.json(w, 200, fmt.Sprintf(`{"access_token":"secret-access-%[1]d","token_type":"Bearer","expires_in":600,
		"refresh_token":"secret-refresh-%[1]d"%[2]s}`, env.issued, scope))
}

// resource is the MCP server.
func (env *testEnv) resource(w http.ResponseWriter, r *http.Request) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	env.mu.Lock()
	good := env.good[token]
	env.mu.Unlock()
	switch {
	case !good:
		challenge := env.challenge
		if challenge == "" {
			challenge = `Bearer resource_metadata="` + env.URL + `/.well-known/oauth-protected-resource/mcp", scope="a"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
		w.WriteHeader(http.StatusUnauthorized)
	case env.mcp != nil:
		env.mcp(w, r)
	default:
		_, _ = io.Copy(w, r.Body)
	}
}

// browser opens the authorization page and sends the person's answer to the redirect URI.
func (env *testEnv) browser(ctx context.Context, address string) error {
	page, err := url.Parse(address)
	if err != nil {
		return err
	}
	query := page.Query()
	env.mu.Lock()
	env.signIns = append(env.signIns, query)
	code := fmt.Sprintf("secret-code-%d", len(env.signIns))
	env.granting[code] = query
	env.mu.Unlock()
	answer := url.Values{"code": {code}}
	if env.person != nil {
		answer, err = env.person(query)
		if err != nil || answer == nil {
			return err
		}
	}
	answer.Set("state", query.Get("state"))
	switch env.iss {
	case "":
		answer.Set("iss", env.URL)
	case "-":
	default:
		answer.Set("iss", env.iss)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, query.Get("redirect_uri")+"?"+answer.Encode(), nil)
	if err != nil {
		return err
	}
	response, err := env.base.RoundTrip(request)
	if err != nil {
		return nil // the program has ended after the answer
	}
	return response.Body.Close()
}

// metadata adds members to the authorization server's metadata, which does not mention PKCE without
// them.
func (env *testEnv) metadata(more string) {
	env.replace["/.well-known/oauth-authorization-server"] = func(w http.ResponseWriter, _ *http.Request) {
		env.json(w, 200, `{"issuer":"ORIGIN","authorization_endpoint":"ORIGIN/authorize",
			"token_endpoint":"ORIGIN/token","registration_endpoint":"ORIGIN/register",
			"revocation_endpoint":"ORIGIN/revoke"`+more+`}`)
	}
}

// s256 is the member that advertises PKCE.
const s256 = `,"code_challenge_methods_supported":["S256"]`

// withToken returns the journal lines of requests with a token to other paths than the MCP
// endpoint's.
func (env *testEnv) withToken() []string {
	env.mu.Lock()
	defer env.mu.Unlock()
	var all []string
	for _, line := range env.journal {
		if strings.Contains(line, "Bearer secret-") && !strings.Contains(line, " /mcp ") {
			all = append(all, line)
		}
	}
	return all
}

// newRedirecting redirects the requests to the MCP endpoint, and answers other paths with an empty
// 200.
func newRedirecting(t *testing.T, status int, location string) *testEnv {
	env := newEnv(t)
	env.mcp = func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "/mcp" {
			w.Header().Set("Location", location)
			w.WriteHeader(status)
		}
	}
	return env
}

// demanding demands scopes until the latest token has them all. The scopes depend on the number of
// sign-ins. A token has the scopes of its authorization page.
func demanding(env *testEnv, scopes func(signIns int) string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		pages := env.pages()
		demand := scopes(len(pages))
		have := strings.Fields(pages[len(pages)-1].Get("scope"))
		for _, scope := range strings.Fields(demand) {
			if !slices.Contains(have, scope) {
				w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="`+demand+`"`)
				w.WriteHeader(http.StatusForbidden)
				return
			}
		}
		_, _ = w.Write([]byte("done"))
	}
}

// slowToken makes the token endpoint wait until answer is called. The channel gets a value for each
// request.
func slowToken(env *testEnv, grant string) (asked chan struct{}, answer func()) {
	asked = make(chan struct{}, 10)
	answered := make(chan struct{})
	env.replace["/token"] = func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("grant_type") == grant {
			asked <- struct{}{}
			<-answered
		}
		env.token(w, r)
	}
	answer = sync.OnceFunc(func() { close(answered) })
	env.t.Cleanup(answer)
	return asked, answer
}

// atPage makes the person wait at the page until answer is called. The channel gets a value for
// each page.
func atPage(env *testEnv) (opened chan struct{}, answer func()) {
	opened = make(chan struct{}, 10)
	answered := make(chan struct{})
	env.person = func(url.Values) (url.Values, error) {
		opened <- struct{}{}
		<-answered
		return url.Values{"code": {"secret-code-1"}}, nil
	}
	answer = sync.OnceFunc(func() { close(answered) })
	env.t.Cleanup(answer)
	return opened, answer
}

// forms records the requests to the token endpoint. The value "basic" holds HTTP Basic credentials.
func forms(env *testEnv) func() []url.Values {
	var mu sync.Mutex
	var all []url.Values
	env.replace["/token"] = func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		form := url.Values{}
		for name, values := range r.PostForm {
			form[name] = values
		}
		if id, secret, basic := r.BasicAuth(); basic {
			form.Set("basic", id+":"+secret)
			r.Form.Set("client_id", id)
		}
		mu.Lock()
		all = append(all, form)
		mu.Unlock()
		env.token(w, r)
	}
	return func() []url.Values {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

// megabytes sends JSON without an end.
func megabytes(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	for _, err := fmt.Fprint(w, `{"x":"`); err == nil && r.Context().Err() == nil; {
		_, err = fmt.Fprint(w, strings.Repeat("x", 64<<10))
	}
}

// post posts a body, and returns status and body of the answer.
func post(t *testing.T, through *http.Client, address, body string) (int, string) {
	response, err := through.Post(address, "application/json", strings.NewReader(body))
	require.NoError(t, err)
	return status(t, response)
}

func status(t *testing.T, response *http.Response) (int, string) {
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

// refused sends a request that ends in a *client.SignInError.
func refused(t *testing.T, through *http.Client, address string) *client.SignInError {
	response, err := through.Get(address)
	if err == nil {
		_ = response.Body.Close()
	}
	var failed *client.SignInError
	require.ErrorAs(t, err, &failed)
	assert.NotContains(t, err.Error(), "secret-")
	return failed
}

// send sends a request. Its caller gives up when the context ends.
func send(ctx context.Context, through *http.Client, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader("{}"))
	if err != nil {
		return err
	}
	response, err := through.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// newKey returns a client key.
func newKey(t *testing.T) *tokenrequest.Key {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	key, err := tokenrequest.ReadKey(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), "", "")
	require.NoError(t, err)
	return key
}

// constant returns a function that returns a text.
func constant(text string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return text, nil }
}

// openTokens opens a token store without a keychain.
func openTokens(tb testing.TB, folder string) *tokenstore.File {
	tokens, err := tokenstore.OpenFile(folder, nil)
	require.NoError(tb, err)
	return tokens
}

// protectedServer starts this repository's server in front of a fake of Entra ID. The person
// approves.
func protectedServer() (serverURL string, person signin.Browser, stop func()) {
	fake := fakeentra.NewServer(fakeentra.Config{})
	var protected http.Handler
	listening := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protected.ServeHTTP(w, r)
	}))
	_, port, _ := strings.Cut(listening.Listener.Addr().String(), ":")
	tenant := fake.Tenant()
	var err error
	protected, err = server.New(context.Background(), server.Config{
		PublicURL: "http://localhost:" + port,
		Entra: entra.Config{
			Authority:           fake.URL,
			TenantID:            tenant.ID,
			ClientID:            tenant.Apps[0].ID,
			ClientSecret:        tenant.Apps[0].Secrets[0],
			HTTPClient:          fake.Client(),
			TrustPublicFakeKeys: true,
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	listening.Start()
	return "http://localhost:" + port + "/mcp", approving, func() {
		listening.Close()
		fake.Close()
	}
}

// approving is a person with a browser who approves everything.
func approving(ctx context.Context, address string) error {
	browser := useragent.Browser{}
	page, err := browser.Visit(ctx, address)
	if err != nil {
		return err
	}
	if page.Status != http.StatusOK {
		return fmt.Errorf("the browser ended at a page with status %d: %s", page.Status, page.Text)
	}
	return nil
}
