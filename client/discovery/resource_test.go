package discovery_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/discovery"
)

const (
	resourceAt = "/.well-known/oauth-protected-resource"
	mcpJSON    = `{"resource":"ORIGIN/mcp","authorization_servers":["ORIGIN"]}`
	originJSON = `{"resource":"ORIGIN","authorization_servers":["ORIGIN"]}`
)

// resourceJSON is the metadata of a resource.
func resourceJSON(resource string) string {
	return `{"resource":"` + resource + `","authorization_servers":["ORIGIN"]}`
}

func TestFindResourceTriesLocationsInOrder(t *testing.T) {
	t.Parallel()
	page := document{contentType: "text/html", body: "<p>A single-page application"}
	for _, c := range []struct {
		name       string
		documents  map[string]document
		challenged string
		requested  []string
	}{
		{
			name:       "address of the challenge alone",
			documents:  map[string]document{"/elsewhere": {body: mcpJSON}, resourceAt + "/mcp": {body: mcpJSON}},
			challenged: "/elsewhere",
			requested:  []string{"/elsewhere"},
		},
		{
			name:      "well-known address with the path",
			documents: map[string]document{resourceAt + "/mcp": {body: mcpJSON}, resourceAt: {body: originJSON}},
			requested: []string{resourceAt + "/mcp"},
		},
		{
			name:      "root, about the origin",
			documents: map[string]document{resourceAt: {body: originJSON}},
			requested: []string{resourceAt + "/mcp", resourceAt},
		},
		{
			name:      "root, about the server",
			documents: map[string]document{resourceAt: {body: mcpJSON}},
			requested: []string{resourceAt + "/mcp", resourceAt},
		},
		{
			name:      "root after a page",
			documents: map[string]document{resourceAt + "/mcp": page, resourceAt: {body: mcpJSON}},
			requested: []string{resourceAt + "/mcp", resourceAt},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, c.documents)
			if c.challenged != "" {
				c.challenged = s.URL + c.challenged
			}
			found, err := s.fetcher().FindResource(t.Context(), s.mcpURL(t), c.challenged)
			assert.Equal(t, c.requested, s.paths())
			require.NoError(t, err)
			assert.Equal(t, s.URL+c.requested[len(c.requested)-1], found.Location)
			assert.Equal(t, []string{s.URL}, found.AuthorizationServers)
		})
	}
}

func TestFindResourceReportsNoMetadata(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	_, err := s.fetcher().FindResource(t.Context(), s.mcpURL(t), "")
	require.ErrorIs(t, err, discovery.ErrNoMetadata)
	assert.Equal(t, []string{resourceAt + "/mcp", resourceAt}, s.paths())
}

func TestFindResourceRefusesDocument(t *testing.T) {
	t.Parallel()
	manyServers := strings.Repeat(`"https://as.example.com",`, 20) + `"https://x.example"`
	for _, c := range []struct {
		name     string
		document document
		text     string
	}{
		{"another resource", document{body: resourceJSON("https://other.example.com/mcp")}, "describes another"},
		{"path below", document{body: resourceJSON("ORIGIN/mcp/more")}, "describes another"},
		{"origin at the path's address", document{body: originJSON}, "describes another"},
		{"query", document{body: resourceJSON("ORIGIN/mcp?x=1")}, "describes another"},
		{"user information", document{body: resourceJSON("http://u@HOST/mcp")}, "describes another"},
		{"control characters", document{body: resourceJSON(`\u001b[2Jhttp://x\u202e`)}, "describes another"},
		{"no resource", document{body: `{"authorization_servers":["ORIGIN"]}`}, "want the member resource"},
		{"no authorization server", document{body: `{"resource":"ORIGIN/mcp"}`}, "got 0"},
		{
			"21 authorization servers",
			document{body: `{"resource":"ORIGIN/mcp","authorization_servers":[` + manyServers + `]}`},
			"got 21",
		},
		{
			"repeated member",
			document{body: `{"resource":"ORIGIN/mcp","resource":"ORIGIN/mcp","authorization_servers":["ORIGIN"]}`},
			"want a JSON object",
		},
		{"text after the object", document{body: mcpJSON + `{}`}, "want a JSON object"},
		{"list", document{body: `[` + mcpJSON + `]`}, "want a JSON object"},
		{
			"wrong types",
			document{body: `{"resource":["ORIGIN/mcp"],"authorization_servers":"ORIGIN"}`},
			"want a JSON object",
		},
		{"invalid UTF-8", document{body: "{\"resource\":\"\xff\"}"}, "want a JSON object"},
		{"more than a mebibyte", document{body: `{"padding":"` + strings.Repeat("x", 1<<20) + `"}`}, "more than"},
		{"broken server", document{status: 503}, "status 503"},
		{"busy server", document{status: 429}, "status 429"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, map[string]document{resourceAt + "/mcp": c.document, resourceAt: {body: mcpJSON}})
			_, err := s.fetcher().FindResource(t.Context(), s.mcpURL(t), "")
			require.ErrorContains(t, err, c.text)
			assert.NotErrorIs(t, err, discovery.ErrNoMetadata, "a wrong document is present")
			assert.NotContains(t, err.Error(), "\x1b")
			assert.NotContains(t, err.Error(), "\u202e")
			assert.Less(t, len(err.Error()), 600)
		})
	}
}

func TestFindResourceFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	reached := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer other.Close()
	s := serve(t, map[string]document{"/about": {status: http.StatusFound, location: other.URL}})
	_, err := s.fetcher().FindResource(t.Context(), s.mcpURL(t), s.URL+"/about")
	require.ErrorContains(t, err, "redirects, which is not followed")
	assert.False(t, reached)
}

// TestFindResourceIgnoresRelativeAddress uses the well-known address, which is the server's own, if
// the challenge holds no absolute URL.
func TestFindResourceIgnoresRelativeAddress(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"/about", "about", "?x", "//elsewhere.test/about", "elsewhere.test/about", "elsewhere.test:8000/about",
		"127.0.0.1:8000/about", "[::1]:8000/about", " http://localhost/about", "http:/localhost/about",
		"http://[localhost/about", "javascript:alert(1)", "https:", "http:///about",
	} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			s := serve(t, map[string]document{resourceAt + "/mcp": {body: mcpJSON}})
			found, err := s.fetcher().FindResource(t.Context(), s.mcpURL(t), address)
			require.NoError(t, err)
			assert.Equal(t, s.URL+"/mcp", found.Resource)
			assert.Equal(t, []string{resourceAt + "/mcp"}, s.paths())
		})
	}
}

func TestFindResourceRefusesAddressOfChallenge(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	for _, address := range []string{
		"http://example.com/about", "ftp://localhost/x", "https://u:p@example.com/", "http://10.0.0.1/about",
	} {
		_, err := s.fetcher().FindResource(t.Context(), s.mcpURL(t), address)
		require.ErrorContains(t, err, "resource_metadata in the challenge")
	}
	assert.Empty(t, s.paths(), "there was no request")
}

func TestFindResourceMatchesServer(t *testing.T) {
	t.Parallel()
	const atPath = "ORIGIN/.well-known/oauth-protected-resource/a/mcp"
	for _, c := range []struct {
		name, server, resource, challenged string
		isServer                           bool
		isAbove                            bool // Relax.ResourceAbove accepts it
	}{
		{"server with a query", "/a/mcp?key=1", "ORIGIN/a/mcp", "", true, false},
		{"same query", "/a/mcp?key=1", "ORIGIN/a/mcp?key=1", "", true, false},
		{"another query", "/a/mcp?key=1", "ORIGIN/a/mcp?key=2", "", false, false},
		{"query of the resource alone", "/a/mcp", "ORIGIN/a/mcp?key=2", "", false, false},
		{"origin", "/a/mcp", "ORIGIN", "", false, true},
		{"origin with a slash", "/a/mcp", "ORIGIN/", "", false, true},
		{"path above", "/a/mcp", "ORIGIN/a", "", false, true},
		{"path above, in a challenge", "/a/mcp", "ORIGIN/a", atPath, false, true},
		{"path with the same beginning", "/a/mcp", "ORIGIN/a/m", "", false, false},
		{"path below", "/a/mcp", "ORIGIN/a/mcp/b", "", false, false},
		{"sibling", "/a/mcp", "ORIGIN/b", "", false, false},
		{"another origin", "/a/mcp", "https://mcp.example.com", "", false, false},
		{"relative address in the challenge", "/a/mcp", "ORIGIN/a/mcp", "/elsewhere", true, false},
		{"address without a scheme in the challenge", "/a/mcp", "ORIGIN/a/mcp", "mcp.example.com/about", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, map[string]document{resourceAt + "/a/mcp": {body: resourceJSON(c.resource)}})
			server, err := url.Parse(s.URL + c.server)
			require.NoError(t, err)
			challenged := s.resolve(c.challenged)
			_, err = s.fetcher().FindResource(t.Context(), server, challenged)
			assert.Equal(t, c.isServer, err == nil, "%v", err)
			hasHint := err != nil && strings.Contains(err.Error(), "--resource-above")
			assert.Equal(t, c.isAbove, hasHint, "%v", err)

			relaxed := discovery.Fetcher{ResourceAbove: true, HTTPClient: s.Client()}
			found, err := relaxed.FindResource(t.Context(), server, challenged)
			require.Equal(t, c.isServer || c.isAbove, err == nil, "%v", err)
			if err == nil {
				assert.Equal(t, s.resolve(c.resource), found.Resource, "the token is for this resource")
			}
		})
	}
}
