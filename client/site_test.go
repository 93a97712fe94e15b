package client_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
)

// A site is an MCP server and its authorization server, and the person who signs in there. Tests
// replace what should behave otherwise. Its secrets all begin with "secret-".
type site struct {
	*httptest.Server
	t    testing.TB
	base *http.Transport

	mu       sync.Mutex
	clock    time.Time
	journal  []string // method and path of every request, and what of it a test asks about
	events   []client.Event
	issued   int             // access tokens so far
	good     map[string]bool // access tokens that are taken
	signIns  []url.Values    // what the authorization page was opened with
	granting map[string]url.Values

	// mcp answers the requests that carry a good token. Nil repeats their bodies.
	mcp http.HandlerFunc
	// challenge is the one of a 401. Empty is one with the scope "a".
	challenge string
	// iss is what the authorization server calls itself in an answer, "-" nothing. Empty is its
	// origin.
	iss string
	// refuses makes new tokens no good.
	refuses bool
	// replace answers requests to these paths.
	replace map[string]http.HandlerFunc
	// person decides about a sign-in instead of saying yes.
	person func(page url.Values) (answer url.Values, err error)
}

func newSite(t testing.TB) *site {
	s := &site{
		t:        t,
		base:     &http.Transport{},
		clock:    time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC),
		good:     map[string]bool{},
		granting: map[string]url.Values{},
		replace:  map[string]http.HandlerFunc{},
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	t.Cleanup(s.base.CloseIdleConnections)
	return s
}

// client is a Transport for the site, under an HTTP client.
func (s *site) client(edit func(*client.Config)) (*client.Transport, *http.Client) {
	config := client.Config{
		Server:  s.URL + "/mcp",
		Base:    s.base,
		Browser: s.browser,
		Now:     s.now,
		Trace: func(event client.Event) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.events = append(s.events, event)
		},
	}
	if edit != nil {
		edit(&config)
	}
	under, err := client.New(config)
	require.NoError(s.t, err)
	return under, &http.Client{Transport: under}
}

func (s *site) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock
}

func (s *site) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = s.clock.Add(d)
}

// end makes the tokens issued so far no good.
func (s *site) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.good)
}

// count is how many requests there were whose journal line begins so.
func (s *site) count(prefix string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, line := range s.journal {
		if strings.HasPrefix(line, prefix) {
			n++
		}
	}
	return n
}

func (s *site) pages() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.signIns
}

func (s *site) told() []client.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.events
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.journal = append(s.journal, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
	s.mu.Unlock()
	if replaced, found := s.replace[r.URL.Path]; found {
		replaced(w, r)
		return
	}
	switch r.URL.Path {
	case "/.well-known/oauth-protected-resource/mcp":
		s.json(w, 200, `{"resource":"ORIGIN/mcp","authorization_servers":["ORIGIN"]}`)
	case "/.well-known/oauth-authorization-server":
		s.json(w, 200, `{"issuer":"ORIGIN","authorization_endpoint":"ORIGIN/authorize","token_endpoint":"ORIGIN/token",
			"registration_endpoint":"ORIGIN/register","revocation_endpoint":"ORIGIN/revoke",
			"code_challenge_methods_supported":["S256"],"authorization_response_iss_parameter_supported":true}`)
	case "/register":
		s.json(w, 201, fmt.Sprintf(`{"client_id":"client-%d"}`, s.count("POST /register")))
	case "/token":
		s.token(w, r)
	case "/revoke":
		s.mu.Lock()
		s.journal = append(s.journal, "revoked "+r.FormValue("token"))
		s.mu.Unlock()
	default:
		s.resource(w, r)
	}
}

func (s *site) json(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, strings.ReplaceAll(text, "ORIGIN", s.URL))
}

func (s *site) token(w http.ResponseWriter, r *http.Request) {
	kind := r.FormValue("grant_type")
	scope := ""
	s.mu.Lock()
	defer s.mu.Unlock()
	if kind == "authorization_code" {
		page, found := s.granting[r.FormValue("code")]
		if !found || page.Get("redirect_uri") != r.FormValue("redirect_uri") ||
			page.Get("client_id") != r.FormValue("client_id") {
			s.json(w, 400, `{"error":"invalid_grant"}`)
			return
		}
		scope = `,"scope":"` + page.Get("scope") + `"`
	}
	s.issued++
	s.journal = append(s.journal, kind)
	s.good[fmt.Sprintf("secret-access-%d", s.issued)] = !s.refuses
	s.json(
		w,
		200,
		fmt.Sprintf(
			`{"access_token":"secret-access-%[1]d","token_type":"Bearer","expires_in":600,"refresh_token":"secret-refresh-%[1]d"%[2]s}`,
			s.issued,
			scope,
		),
	)
}

func (s *site) resource(w http.ResponseWriter, r *http.Request) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	good := s.good[token]
	s.mu.Unlock()
	switch {
	case !good:
		challenge := s.challenge
		if challenge == "" {
			challenge = `Bearer resource_metadata="` + s.URL + `/.well-known/oauth-protected-resource/mcp", scope="a"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
		w.WriteHeader(http.StatusUnauthorized)
	case s.mcp != nil:
		s.mcp(w, r)
	default:
		_, _ = io.Copy(w, r.Body)
	}
}

// browser opens the authorization page, as a person who says yes unless the test says otherwise.
func (s *site) browser(ctx context.Context, address string) error {
	page, err := url.Parse(address)
	if err != nil {
		return err
	}
	query := page.Query()
	s.mu.Lock()
	s.signIns = append(s.signIns, query)
	code := fmt.Sprintf("secret-code-%d", len(s.signIns))
	s.granting[code] = query
	s.mu.Unlock()
	answer := url.Values{"code": {code}}
	if s.person != nil {
		if answer, err = s.person(query); err != nil || answer == nil {
			return err
		}
	}
	answer.Set("state", query.Get("state"))
	switch s.iss {
	case "":
		answer.Set("iss", s.URL)
	case "-":
	default:
		answer.Set("iss", s.iss)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, query.Get("redirect_uri")+"?"+answer.Encode(), nil)
	if err != nil {
		return err
	}
	response, err := s.base.RoundTrip(request)
	if err != nil {
		return nil // the answer was taken, and the program that waited has ended
	}
	return response.Body.Close()
}

// post sends a body to the MCP endpoint and returns status and body of the answer.
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
