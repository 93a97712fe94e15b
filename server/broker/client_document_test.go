package broker_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker"
)

const documentURL = "https://client.example.com/client.json"

// A documentSite serves client documents on all hosts below example.com.
type documentSite struct {
	policy broker.DocumentPolicy

	mu      sync.Mutex
	status  int
	control string // Cache-Control
	members map[string]any
	fetches int
}

func newDocumentSite(t *testing.T) *documentSite {
	site := &documentSite{status: 200}
	site.members = map[string]any{
		"client_name":   "Notes",
		"redirect_uris": []string{appURI, loopback},
		"grant_types":   []string{"authorization_code", "refresh_token"},
	}
	server := httptest.NewTLSServer(site)
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	site.policy = broker.DocumentPolicy{
		RootCAs: roots,
		Lookup: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("93.184.215.14")}, nil
		},
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
		},
	}
	return site
}

func (s *documentSite) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fetches++
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", s.control)
	w.Header()["Date"] = nil // the broker's clock is another one
	w.WriteHeader(s.status)
	document := map[string]any{"client_id": "https://" + r.Host + r.URL.Path}
	for name, value := range s.members {
		document[name] = value
	}
	_ = json.NewEncoder(w).Encode(document)
}

func (s *documentSite) answers(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
}

func (s *documentSite) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fetches
}

func (s *documentSite) set(name string, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.members[name] = value
}

func (s *documentSite) lives(control string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.control = control
}

// newDocumentEnv starts a broker that knows a site with documents.
func newDocumentEnv(t *testing.T, o options) (*env, *documentSite, registered) {
	site := newDocumentSite(t)
	o.clients.Documents = site.policy
	return newEnv(t, o), site, registered{ID: documentURL}
}

func TestClientWithDocument(t *testing.T) {
	t.Parallel()
	e, site, c := newDocumentEnv(t, options{})
	page := e.browser().get(e.request(c))
	assert.Equal(t, 200, page.status)
	assert.Contains(t, page.body, "The site <strong>client.example.com</strong> describes this program.")
	assert.Contains(t, page.body, "Any program on this computer can say that it is this one.")
	page = e.browser().get(e.request(c, "redirect_uri", appURI))
	assert.NotContains(t, page.body, "Any program on this computer")
	got := e.signedIn(c)
	got, status := e.token(refreshing(c, got.Refresh))
	assert.Equal(t, 200, status)
	assert.True(t, e.good(got.Access))
	assert.Equal(t, 1, site.requests(), "one within a minute")
	assert.Equal(t, 400, e.browser().get(e.request(c, "redirect_uri", "https://evil.example/cb")).status)
}

// TestDocumentHostIsShown has hosts of documents that people should look at.
func TestDocumentHostIsShown(t *testing.T) {
	t.Parallel()
	e, site, _ := newDocumentEnv(t, options{})
	site.set("client_id", "https://CLIENT.example.com:8443/c?x=1")
	page := e.browser().get(e.request(registered{ID: "https://CLIENT.example.com:8443/c?x=1"}))
	assert.Contains(t, page.body, "<dt>Described by</dt><dd>client.example.com:8443</dd>")
}

func TestRefusedDocumentIDs(t *testing.T) {
	t.Parallel()
	e, site, _ := newDocumentEnv(t, options{})
	for _, id := range []string{
		"http://client.example.com/client.json", "https://client.example.com", "https://client.example.com/x#part",
		"https://u@client.example.com/x", "https://client.example.com/../x", "https://client.example.com/%2e%2e/x",
		"https://client.example.com/x/.", "https://client.example.com./x", "https://clïent.example.com/x",
		"https://client.example.com/a b", "https://client.example.com/" + strings.Repeat("x", 1024),
		"https://10.0.0.1/x", "https://localhost/x", "https://127.0.0.1:8443/x",
		strings.Replace(e.origin, "http:", "https:", 1) + "/x",
	} {
		site.set("client_id", id)
		assert.Equal(t, 400, e.browser().get(e.request(registered{ID: id})).status, id)
	}
	assert.Zero(t, site.requests())
	site.set("client_id", "https://client.example.com/")
	assert.Equal(t, 200, e.browser().get(e.request(registered{ID: "https://client.example.com/"})).status)
}

func TestUnusableDocuments(t *testing.T) {
	t.Parallel()
	for _, tried := range []struct {
		member string
		value  any
		want   string
	}{
		{"client_id", documentURL + "/", "its client_id is not its URL"},
		{"client_secret", "secret", "it has a client_secret"},
		{"client_secret_expires_at", 0, "it has a client_secret"},
		{"token_endpoint_auth_method", "client_secret_basic", "want token_endpoint_auth_method none"},
		{"client_name", "", "client_name is missing"},
		{"redirect_uris", []string{}, "redirect_uris is missing or empty"},
		{"redirect_uris", []string{"http://site.example/cb"}, "neither https nor http on a loopback address"},
		{"redirect_uris", "no list", "a member has another type"},
		{"grant_types", []string{"password"}, "grant_types has neither"},
		{"padding", strings.Repeat("x", 10<<10), "want at most 10240 bytes"},
	} {
		e, site, c := newDocumentEnv(t, options{})
		site.set(tried.member, tried.value)
		page := e.browser().get(e.request(c))
		assert.Equal(t, 400, page.status)
		assert.Contains(t, page.body, "metadata document at client.example.com cannot be used", tried.member)
		assert.Contains(t, page.body, tried.want)
		_, status := e.token(redemption(c, "code"))
		assert.Equal(t, 401, status)
	}
}

// TestDocumentChanges removes a redirect URI between the code and its redemption.
func TestDocumentChanges(t *testing.T) {
	t.Parallel()
	e, site, c := newDocumentEnv(t, options{})
	site.lives("no-store")
	code := e.code(c, e.browser(), "redirect_uri", appURI).Get("code")
	site.set("redirect_uris", []string{loopback})
	assert.Equal(t, 400, e.browser().get(e.request(c, "redirect_uri", appURI)).status)
	got, status := e.redeemedAt(c, appURI, code)
	assert.Equal(t, 400, status)
	assert.Equal(t, "invalid_grant", got.Error)
	site.set("redirect_uris", []string{appURI})
	_, status = e.redeemedAt(c, appURI, code)
	assert.Equal(t, 200, status, "the code was not spent")
}

// TestConsentDoesNotExtendToNewRedirectURI adds a redirect URI to a document after the person has
// approved another one.
func TestConsentDoesNotExtendToNewRedirectURI(t *testing.T) {
	t.Parallel()
	e, site, c := newDocumentEnv(t, options{})
	site.lives("no-store")
	b := e.browser()
	e.code(c, b, "redirect_uri", appURI)
	assert.True(t, e.skips(b, c))
	site.set("redirect_uris", []string{appURI, "https://new.example/cb"})
	assert.True(t, e.skips(b, c))
	assert.False(t, e.skips(b, c, "redirect_uri", "https://new.example/cb"))
	assert.False(t, e.skips(b, registered{ID: "https://client.example.com/other.json"}), "another document of the host")
}

// TestDocumentCannotBeFetched ends the host of a document. The client may refresh by the last good
// document for a day, and loses nothing afterwards.
func TestDocumentCannotBeFetched(t *testing.T) {
	t.Parallel()
	e, site, c := newDocumentEnv(t, options{})
	site.lives("max-age=30")
	got := e.signedIn(c)
	code := e.code(c, e.browser()).Get("code")
	site.answers(http.StatusBadGateway)
	e.later(40 * time.Second)
	page := e.browser().get(e.request(c))
	assert.Equal(t, 503, page.status)
	assert.Equal(t, "5", page.header.Get("Retry-After"))
	_, status := e.token(redemption(c, code))
	assert.Equal(t, 503, status, "a code would grant something new")
	for _, path := range []string{"/device_authorization", "/introspect"} {
		form := refreshing(c, got.Refresh)
		form.Set("token", got.Access)
		assert.Equal(t, 503, e.browser().post(e.origin+path, form).status, path)
	}
	got, status = e.token(refreshing(c, got.Refresh))
	require.Equal(t, 200, status)
	e.later(25 * time.Hour)
	answer, status := e.token(refreshing(c, got.Refresh))
	assert.Equal(t, 503, status)
	assert.Equal(t, "temporarily_unavailable", answer.Error)
	site.answers(http.StatusOK)
	e.later(6 * time.Second)
	_, status = e.token(refreshing(c, got.Refresh))
	assert.Equal(t, 200, status, "the token is still good")
}

func TestWithdrawnDocument(t *testing.T) {
	t.Parallel()
	e, site, c := newDocumentEnv(t, options{})
	got := e.signedIn(c)
	site.answers(http.StatusGone)
	e.later(2 * time.Minute)
	answer, status := e.token(refreshing(c, got.Refresh))
	assert.Equal(t, 401, status)
	assert.Equal(t, "invalid_client", answer.Error)
	page := e.browser().get(e.request(c))
	assert.Equal(t, 400, page.status)
	assert.Contains(t, page.body, "is gone")
}

func TestListedDocuments(t *testing.T) {
	t.Parallel()
	site := newDocumentSite(t)
	log := &logText{}
	for name, change := range map[string]func(*broker.DocumentPolicy){
		"off":     func(p *broker.DocumentPolicy) { p.Off = true },
		"another": func(p *broker.DocumentPolicy) { p.Hosts = []string{"other.example.com"} },
	} {
		policy := site.policy
		change(&policy)
		e := newEnv(t, options{clients: broker.ClientPolicy{Documents: policy}, log: log})
		page := e.browser().get(e.request(registered{ID: documentURL}))
		assert.Equal(t, 400, page.status, name)
		assert.Contains(t, page.body, "does not accept the client&#39;s metadata document at client.example.com")
		assert.Contains(t, log.String(), "setting=AUTH_CLIENT_DOCUMENTS")
		assert.Contains(t, log.String(), "client="+documentURL)
		announced := e.browser().get(e.origin + "/.well-known/oauth-authorization-server").body
		assert.Contains(t, announced, fmt.Sprintf(`"client_id_metadata_document_supported":%t`, name != "off"))
	}
	assert.Zero(t, site.requests())
	policy := site.policy
	policy.Hosts = []string{"client.example.com"}
	e := newEnv(t, options{clients: broker.ClientPolicy{Documents: policy}})
	assert.Equal(t, 200, e.browser().get(e.request(registered{ID: documentURL})).status)
}

// TestManyDocuments asks for the documents of many sites from one network. Another network still
// gets answers.
func TestManyDocuments(t *testing.T) {
	t.Parallel()
	e, site, c := newDocumentEnv(t, options{perMinute: 50})
	refused := 0
	for i := range 500 {
		id := fmt.Sprintf("https://c%d.example.com/client.json", i)
		if e.beginsFrom(registered{ID: id}, "198.51.100.7:1234") == http.StatusTooManyRequests {
			refused++
		}
	}
	assert.Equal(t, 450, refused)
	assert.Equal(t, 50, site.requests())
	assert.Equal(t, 200, e.beginsFrom(c, "203.0.113.9:1234"))
}
