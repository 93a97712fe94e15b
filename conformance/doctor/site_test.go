package doctor_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/doctor"
)

// A site is a small MCP server with an authorization server. A test changes one thing.
type site struct {
	origin    string
	challenge string
	resource  map[string]any
	server    map[string]any
	client    map[string]any // the answer to a registration
	own       map[string]http.HandlerFunc
	config    doctor.Config
}

// The paths of a good site.
const (
	resourcePath = "/.well-known/oauth-protected-resource/mcp"
	serverPath   = "/.well-known/oauth-authorization-server"
)

// newSite starts a good site.
func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{}
	listening := httptest.NewServer(s)
	t.Cleanup(listening.Close)
	at := func(path string) string { return listening.URL + path }
	s.origin = listening.URL
	s.challenge = `Bearer resource_metadata="` + at(resourcePath) + `"`
	s.resource = map[string]any{"resource": at("/mcp"), "authorization_servers": []string{listening.URL}}
	s.server = map[string]any{
		"issuer":                                listening.URL,
		"authorization_endpoint":                at("/authorize"),
		"token_endpoint":                        at("/token"),
		"registration_endpoint":                 at("/register"),
		"response_types_supported":              []string{"code"},
		"grant_types_supported":                 []string{"authorization_code", "refresh_token"},
		"token_endpoint_auth_methods_supported": []string{"none"},
		"code_challenge_methods_supported":      []string{"S256"},
	}
	s.client = map[string]any{"client_id": "client"}
	s.own = map[string]http.HandlerFunc{}
	s.config = doctor.Config{URL: at("/mcp")}
	return s
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if own := s.own[r.URL.Path]; own != nil {
		own(w, r)
		return
	}
	w.Header().Set("Access-Control-Allow-Origin", "*")
	switch r.URL.Path {
	case "/mcp":
		w.Header().Set("WWW-Authenticate", s.challenge)
		w.WriteHeader(http.StatusUnauthorized)
	case resourcePath:
		answerJSON(w, http.StatusOK, s.resource)
	case serverPath:
		answerJSON(w, http.StatusOK, s.server)
	case "/register":
		answerJSON(w, http.StatusCreated, s.client)
	case "/authorize":
		writePage(w, `<form method="post"><input type="password" name="password"><button>Sign in</button></form>`)
	default:
		http.NotFound(w, r)
	}
}

func answerJSON(w http.ResponseWriter, status int, document any) {
	text, _ := json.Marshal(document)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

func writePage(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "text/html")
	_, _ = w.Write([]byte("<!doctype html><title>Page</title>" + body))
}

func TestWalkFindsNothingAtGoodSite(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	assert.Empty(t, codes(walk(t, s.config)))
}

// A change is one fault of a site.
type change func(s *site)

// ofResource sets a member of the resource's metadata. {origin} is the site's, nil removes it.
func ofResource(name string, value any) change {
	return func(s *site) { s.edit(s.resource, name, value) }
}

// ofServer is ofResource for the authorization server.
func ofServer(name string, value any) change { return func(s *site) { s.edit(s.server, name, value) } }

// ofClient is ofResource for the answer to a registration.
func ofClient(name string, value any) change { return func(s *site) { s.edit(s.client, name, value) } }

func (s *site) edit(document map[string]any, name string, value any) {
	if value == nil {
		delete(document, name)
		return
	}
	if text, ok := value.(string); ok {
		value = strings.ReplaceAll(text, "{origin}", s.origin)
	}
	document[name] = value
}

// status makes a path answer a status.
func status(path string, status int) change {
	return own(path, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
}

// own makes a path answer by itself.
func own(path string, answer http.HandlerFunc) change { return func(s *site) { s.own[path] = answer } }

// moved moves what a path answers to another one.
func moved(from, to string) change {
	return func(s *site) {
		s.own[to] = func(w http.ResponseWriter, r *http.Request) {
			other := *s
			other.own = maps.Clone(s.own)
			delete(other.own, from)
			r.URL.Path = from
			other.ServeHTTP(w, r)
		}
		s.own[from] = http.NotFound
	}
}

// both makes several changes.
func both(changes ...change) change {
	return func(s *site) {
		for _, one := range changes {
			one(s)
		}
	}
}

// challenged sets the challenge.
func challenged(text string) change {
	return func(s *site) { s.challenge = strings.ReplaceAll(text, "{origin}", s.origin) }
}

// given sets the client ID that the person gives.
func given(id string) change { return func(s *site) { s.config.ClientID = id } }

const (
	withError  = `Bearer resource_metadata="{origin}` + resourcePath + `", error="invalid_token"`
	otherPort  = `Bearer resource_metadata="http://127.0.0.1:1/x"`
	noURL      = `Bearer resource_metadata="/x"`
	openIDPath = "/.well-known/openid-configuration"
)

func page(w http.ResponseWriter, _ *http.Request) { writePage(w, "Welcome") }

func words(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("words")) }

func elsewhereRedirect(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/elsewhere", http.StatusFound)
}

func inCircle(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/authorize", http.StatusFound)
}

// returnWith answers an authorization request.
func returnWith(query string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.FormValue("redirect_uri")+"?"+query, http.StatusFound)
	}
}

// acceptsFalse serves every token.
func acceptsFalse(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") == "" {
		w.Header().Set("WWW-Authenticate", "Bearer")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	answerJSON(w, http.StatusOK, map[string]any{"jsonrpc": "2.0", "id": 1, "result": map[string]any{}})
}

// forGet answers GET, and refuses POST like a good site.
func forGet(answer http.HandlerFunc) change {
	return func(s *site) {
		s.own["/mcp"] = func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				answer(w, r)
				return
			}
			w.Header().Set("WWW-Authenticate", s.challenge)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}
}

func compressedStream(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Content-Encoding", "gzip")
	_, _ = w.Write([]byte("data"))
}

// refuseSome refuses registrations with a redirect URI of Cursor.
func refuseSome(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		URIs []string `json:"redirect_uris"`
	}
	_ = json.NewDecoder(r.Body).Decode(&asked)
	isCursor := func(uri string) bool { return strings.HasPrefix(uri, "cursor:") }
	if slices.ContainsFunc(asked.URIs, isCursor) {
		answerJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_redirect_uri"})
		return
	}
	answerJSON(w, http.StatusCreated, map[string]any{"client_id": "client"})
}

// toEntra sends the browser to a request at Entra ID that has these parameters beside the usual.
func toEntra(parameters string) change {
	return own("/authorize", func(w http.ResponseWriter, r *http.Request) {
		origin := "http://" + r.Host
		target := origin + "/t/oauth2/v2.0/authorize?client_id=x&scope=offline_access&redirect_uri=" +
			origin + "/callback&" + strings.NewReplacer("{challenge}", r.FormValue("code_challenge"),
			"{state}", r.FormValue("state")).Replace(parameters)
		http.Redirect(w, r, target, http.StatusFound)
	})
}

// asEntra gives the authorization server a member that only Entra ID has.
var asEntra = both(ofServer("cloud_instance_name", "x"), ofServer("registration_endpoint", nil))

// TestWalkNamesFaultOfSite changes one thing of a good site.
func TestWalkNamesFaultOfSite(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		want   string
		change change
	}{
		{"false-token-accepted", own("/mcp", acceptsFalse)},
		{"challenge-has-error", challenged(withError)},
		{"challenge-other-port", challenged(otherPort)},
		{"challenge-address-malformed", challenged(noURL)},
		{"get-answers-page", forGet(page)},
		{"stream-fails", forGet(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) })},
		{"stream-compressed", forGet(compressedStream)},

		{"resource-missing", ofResource("resource", nil)},
		{"resource-other-host", ofResource("resource", "http://other.example/mcp")},
		{"resource-other-scheme", ofResource("resource", "https://127.0.0.1/mcp")},
		{"resource-other-port", ofResource("resource", "http://127.0.0.1:1/mcp")},
		{"resource-other-path", ofResource("resource", "{origin}/other")},
		{"resource-other-slash", ofResource("resource", "{origin}/mcp/")},
		{"resource-malformed", ofResource("resource", "mcp")},
		{"resource-is-parent", ofResource("resource", "{origin}")},
		{"authorization-servers-missing", ofResource("authorization_servers", nil)},
		{"authorization-server-address", ofResource("authorization_servers", []string{"http://as.example.com"})},
		{"resource-metadata-misplaced", moved(resourcePath, "/mcp/.well-known/oauth-protected-resource")},
		{"resource-metadata-not-at-well-known", both(moved(resourcePath, "/x"),
			challenged(`Bearer resource_metadata="{origin}/x"`))},
		{"resource-metadata-old-revision", both(status(resourcePath, 404), challenged("Bearer"))},
		{"resource-metadata-redirects", own(resourcePath, elsewhereRedirect)},
		{"resource-metadata-refused", status(resourcePath, 406)},
		{"resource-metadata-malformed", own(resourcePath, words)},
		{"resource-metadata-without-cors", func(s *site) {
			s.own[resourcePath] = func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, 200, s.resource) }
		}},

		{"server-metadata-missing", status(serverPath, 404)},
		{"server-metadata-is-page", own(serverPath, page)},
		{"server-metadata-protected", status(serverPath, 401)},
		{"server-metadata-unreachable", status(serverPath, 503)},
		{"server-metadata-malformed", own(serverPath, words)},
		{"server-metadata-openid-only", moved(serverPath, openIDPath)},
		{"server-metadata-no-clean-404", both(moved(serverPath, openIDPath), status(serverPath, 500))},
		{"server-metadata-without-cors", func(s *site) {
			s.own[serverPath] = func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, 200, s.server) }
		}},
		{"issuer-mismatch", ofServer("issuer", "{origin}/")},
		{"endpoints-missing", ofServer("token_endpoint", nil)},
		{"endpoint-address", ofServer("token_endpoint", "/token")},
		{"pkce-not-advertised", ofServer("code_challenge_methods_supported", nil)},
		{"pkce-without-s256", ofServer("code_challenge_methods_supported", []string{"plain"})},
		{"code-flow-missing", ofServer("response_types_supported", []string{"token"})},
		{"refresh-not-offered", ofServer("grant_types_supported", []string{"authorization_code"})},
		{"public-clients-refused", ofServer("token_endpoint_auth_methods_supported",
			[]string{"client_secret_basic"})},
		{"registration-not-offered", ofServer("registration_endpoint", nil)},
		{"registration-endpoint-malformed", ofServer("registration_endpoint", 7)},
		{"client-id-needed", both(ofServer("registration_endpoint", nil), given("client"))},

		{"registration-not-found", status("/register", 404)},
		{"registration-needs-token", status("/register", 401)},
		{"registration-unreachable", status("/register", 500)},
		{"registration-refused", status("/register", 400)},
		{"registration-redirect-refused", own("/register", refuseSome)},
		{"registration-changes-redirect", ofClient("redirect_uris", []string{"http://localhost/other"})},
		{"registration-forces-secret", ofClient("client_secret", "secret-of-a-client")},

		{"authorization-unreachable", ofServer("authorization_endpoint", "http://127.0.0.1:1/authorize")},
		{"authorization-loop", own("/authorize", inCircle)},
		{"authorization-refused", own("/authorize", returnWith("error=invalid_request"))},
		{"authorization-refused", status("/authorize", 400)},
		{"code-without-sign-in", own("/authorize", returnWith("code=x"))},
		{"consent-page-missing", toEntra("")},
		{"upstream-forwards-challenge", toEntra("code_challenge={challenge}")},
		{"upstream-forwards-state", toEntra("state={state}")},
		{"upstream-without-pkce", toEntra("")},
		{"entra-client-unknown", asEntra},
		{"entra-client-guessed", both(asEntra, ofResource("scopes_supported",
			[]string{"api://5a1e0003-0000-4000-8000-000000000001/read"}))},
	} {
		t.Run(test.want, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			test.change(s)
			assert.Contains(t, codes(walk(t, s.config)), test.want)
		})
	}
}

// TestWalkDeletesClient wants the registered client deleted with its own token, and the token in no
// report.
func TestWalkDeletesClient(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	deleted := make(chan string, 10)
	s.client["registration_client_uri"] = s.origin + "/register/client"
	s.client["registration_access_token"] = "token-of-the-registration"
	s.own["/register/client"] = func(w http.ResponseWriter, r *http.Request) {
		deleted <- r.Method + " " + r.Header.Get("Authorization")
		w.WriteHeader(http.StatusNoContent)
	}
	report := walk(t, s.config)
	require.Len(t, deleted, 1)
	assert.Equal(t, "DELETE Bearer token-of-the-registration", <-deleted)
	text, err := json.Marshal(report)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "token-of-the-registration")
}

// TestWalkRegistersOnlyIfAllowed wants no registration with NoRegistration.
func TestWalkRegistersOnlyIfAllowed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	asked := false
	s.own["/register"] = func(http.ResponseWriter, *http.Request) { asked = true }
	s.config.NoRegistration = true
	walk(t, s.config)
	assert.False(t, asked)
}

// untried are codes whose fault needs a name server, or a certificate that no authority makes.
var untried = []string{"name-not-found", "certificate-invalid"}

// TestEveryCodeIsTried wants each code of the tables in a test, or in a snapshot.
func TestEveryCodeIsTried(t *testing.T) {
	t.Parallel()
	read := func(pattern string, isTest bool) string {
		names, err := filepath.Glob(pattern)
		require.NoError(t, err)
		var all strings.Builder
		for _, name := range names {
			if strings.HasSuffix(name, ".go") && strings.HasSuffix(name, "_test.go") != isTest {
				continue
			}
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			all.Write(text)
		}
		return all.String()
	}
	tried := read("*.go", true) + read("../../testdata/snapshots/doctor-*.txt", true)
	row := regexp.MustCompile(`(?:code: +|challengeAddress\(|resourceDiffers\()"([a-z0-9-]+)"`)
	found := row.FindAllStringSubmatch(read("*.go", false), -1)
	require.NotEmpty(t, found)
	for _, match := range found {
		isTried := regexp.MustCompile(`[" ]` + match[1] + `[" \n]`).MatchString(tried)
		assert.True(t, isTried || slices.Contains(untried, match[1]), "no test tries %s", match[1])
	}
}
