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
	wellKnown  = "/.well-known/oauth-protected-resource"
	ofMCP      = `{"resource":"ORIGIN/mcp","authorization_servers":["ORIGIN"]}`
	ofTheRoot  = `{"resource":"ORIGIN","authorization_servers":["ORIGIN"]}`
	ofAnother  = `{"resource":"https://other.example.com/mcp","authorization_servers":["ORIGIN"]}`
	manyIssuer = `"https://as.example.com",`
)

func TestResourceMetadataIsLookedForInOrder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		replies   map[string]reply
		challenge string
		asked     []string
		absent    bool
	}{
		"where the challenge says, and nowhere else": {
			replies:   map[string]reply{"/elsewhere": {body: ofMCP}, wellKnown + "/mcp": {body: ofMCP}},
			challenge: "/elsewhere",
			asked:     []string{"/elsewhere"},
		},
		"with the server's path": {
			replies: map[string]reply{wellKnown + "/mcp": {body: ofMCP}, wellKnown: {body: ofTheRoot}},
			asked:   []string{wellKnown + "/mcp"},
		},
		"at the root": {
			replies: map[string]reply{wellKnown: {body: ofTheRoot}},
			asked:   []string{wellKnown + "/mcp", wellKnown},
		},
		"at the root, about the server": {
			replies: map[string]reply{wellKnown: {body: ofMCP}},
			asked:   []string{wellKnown + "/mcp", wellKnown},
		},
		"after a page that is no JSON": {
			replies: map[string]reply{wellKnown + "/mcp": {kind: "text/html", body: "<p>An application of one page"}, wellKnown: {body: ofMCP}},
			asked:   []string{wellKnown + "/mcp", wellKnown},
		},
		"nowhere": {asked: []string{wellKnown + "/mcp", wellKnown}, absent: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, c.replies)
			if c.challenge != "" {
				c.challenge = h.URL + c.challenge
			}
			found, err := h.fetcher().FindResource(t.Context(), h.mcp(t), c.challenge)
			assert.Equal(t, c.asked, h.paths())
			if c.absent {
				assert.ErrorIs(t, err, discovery.ErrNoMetadata)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, h.URL+c.asked[len(c.asked)-1], found.Location)
			assert.Equal(t, []string{h.URL}, found.AuthorizationServers)
		})
	}
}

func TestResourceMetadataThatIsNotUsed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reply reply
		says  string
	}{
		"of another resource":              {reply{body: ofAnother}, "describes"},
		"of a path below":                  {reply{body: `{"resource":"ORIGIN/mcp/more","authorization_servers":["ORIGIN"]}`}, "describes"},
		"of the root, at the path's place": {reply{body: ofTheRoot}, "describes"},
		"of no resource":                   {reply{body: `{"authorization_servers":["ORIGIN"]}`}, "does not say which resource"},
		"with a query":                     {reply{body: `{"resource":"ORIGIN/mcp?x=1","authorization_servers":["ORIGIN"]}`}, "describes"},
		"with user information":            {reply{body: `{"resource":"http://u@HOST/mcp","authorization_servers":["ORIGIN"]}`}, "describes"},
		"without authorization servers":    {reply{body: `{"resource":"ORIGIN/mcp"}`}, "0 authorization servers"},
		"with too many": {
			reply{body: `{"resource":"ORIGIN/mcp","authorization_servers":[` + strings.Repeat(manyIssuer, 20) + `"https://x.example"]}`},
			"21 authorization servers",
		},
		"with a key twice": {
			reply{body: `{"resource":"ORIGIN/mcp","resource":"ORIGIN/mcp","authorization_servers":["ORIGIN"]}`}, "not the JSON",
		},
		"with text behind it":   {reply{body: ofMCP + `{}`}, "not the JSON"},
		"a list":                {reply{body: `[` + ofMCP + `]`}, "not the JSON"},
		"of the wrong types":    {reply{body: `{"resource":["ORIGIN/mcp"],"authorization_servers":"ORIGIN"}`}, "not the JSON"},
		"that is no UTF-8":      {reply{body: "{\"resource\":\"\xff\"}"}, "not the JSON"},
		"of more than a MiB":    {reply{body: `{"resource":"ORIGIN/mcp","padding":"` + strings.Repeat("x", 1<<20) + `"}`}, "more than"},
		"from a broken server":  {reply{status: 503}, "status 503"},
		"from a busy server":    {reply{status: 429}, "status 429"},
		"with an odd character": {reply{body: `{"resource":"\u001b[2Jhttp://x\u202e","authorization_servers":["ORIGIN"]}`}, "describes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, map[string]reply{wellKnown + "/mcp": c.reply, wellKnown: {body: ofMCP}})
			_, err := h.fetcher().FindResource(t.Context(), h.mcp(t), "")
			require.ErrorContains(t, err, c.says)
			assert.NotErrorIs(
				t,
				err,
				discovery.ErrNoMetadata,
				"a document that is there and wrong is not as if there were none",
			)
			assert.NotContains(t, err.Error(), "\x1b")
			assert.NotContains(t, err.Error(), "\u202e")
			assert.Less(t, len(err.Error()), 600)
		})
	}
}

func TestMetadataRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	reached := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer other.Close()
	h := newHost(t, map[string]reply{"/about": {status: http.StatusFound, location: other.URL}})
	_, err := h.fetcher().FindResource(t.Context(), h.mcp(t), h.URL+"/about")
	require.ErrorContains(t, err, "redirects")
	assert.False(t, reached)
}

func TestAddressesThatAreNotUsed(t *testing.T) {
	t.Parallel()
	remote := &url.URL{Scheme: "https", Host: "mcp.example.com", Path: "/mcp"}
	private := &url.URL{Scheme: "https", Host: "10.0.0.5", Path: "/mcp"}
	local := &url.URL{Scheme: "http", Host: "localhost:8000", Path: "/mcp"}
	for name, c := range map[string]struct {
		address string
		server  *url.URL
		fine    bool
	}{
		"https":                               {"https://as.example.com/a", remote, true},
		"https from a server here":            {"https://as.example.com/a", local, true},
		"http on loopback from a server here": {"http://127.0.0.1:9000/a", local, true},
		"http on the other loopback":          {"http://[::1]:9000/a", local, true},
		"http elsewhere":                      {"http://as.example.com/a", remote, false},
		"http elsewhere from a server here":   {"http://as.example.com/a", local, false},
		"loopback from a server elsewhere":    {"http://localhost:9000/a", remote, false},
		"https on loopback from elsewhere":    {"https://127.0.0.1/a", remote, false},
		"mapped loopback from elsewhere":      {"https://[::ffff:127.0.0.1]/a", remote, false},
		"a cloud's metadata service":          {"https://169.254.169.254/latest", remote, false},
		"a private network":                   {"https://10.0.0.1/a", remote, false},
		"a private network of IPv6":           {"https://[fd00::1]/a", remote, false},
		"no address at all":                   {"https://0.0.0.0/a", remote, false},
		"a carrier's network":                 {"https://100.64.0.1/a", remote, false},
		"a private network, by a translator":  {"https://[64:ff9b::a00:1]/a", remote, false},
		"a private network, by a tunnel":      {"https://[2002:a00:1::1]/a", remote, false},
		"an address as one number":            {"https://2852039166/a", remote, false},
		"an address in hexadecimal":           {"https://0xa9fea9fe/a", remote, false},
		"an address of fewer parts":           {"https://10.1/a", remote, false},
		"an address with a dot at its end":    {"https://10.0.0.1./a", remote, false},
		"a name with a number in it":          {"https://as1.7.example.com/a", remote, true},
		"a public address":                    {"https://93.184.215.15/a", remote, true},
		"a private network from there":        {"https://10.0.0.1/a", private, true},
		"the server itself":                   {"https://10.0.0.5/a", private, true},
		"loopback from a private network":     {"https://127.0.0.1/a", private, false},
		"a cloud's metadata from there":       {"https://169.254.169.254/latest", private, false},
		"a cloud's metadata from loopback":    {"https://169.254.169.254/latest", local, false},
		"a name below localhost":              {"https://as.localhost/a", remote, false},
		"localhost with a dot at its end":     {"https://localhost./a", remote, false},
		"a translator, with a zone":           {"https://[64:ff9b::a00:1%25eth0]/a", remote, false},
		"a name that begins like loopback":    {"http://localhost.example.com/a", local, false},
		"an address that looks like loopback": {"http://127.0.0.1.example.com/a", local, false},
		"user information":                    {"https://user@as.example.com/a", remote, false},
		"a fragment":                          {"https://as.example.com/a#b", remote, false},
		"another scheme":                      {"file:///etc/passwd", local, false},
		"digits in circles":                   {"https://①②⑦.⓪.⓪.①/", remote, false},
		"dots that are no full stops":         {"https://127。0。0。1/", remote, false},
		"a number without digits":             {"https://127.0.0.0x/", remote, false},
		"javascript":                          {"javascript:alert(1)", local, false},
		"a path":                              {"/a", local, false},
		"nothing":                             {"", local, false},
		"a line break":                        {"https://as.example.com/\r\nX: y", remote, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := discovery.CheckURL(c.address, c.server)
			assert.Equal(t, c.fine, err == nil, "%v", err)
		})
	}
}

// TestAddressThatIsNoURL falls back to the well-known address, which is the server's own.
func TestAddressThatIsNoURL(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"/about", "about", "?x", "//elsewhere.test/about", "elsewhere.test/about", "elsewhere.test:8000/about",
		"127.0.0.1:8000/about", "[::1]:8000/about", " http://localhost/about", "http:/localhost/about",
		"http://[localhost/about", "javascript:alert(1)", "https:", "http:///about",
	} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, map[string]reply{wellKnown + "/mcp": {body: ofMCP}})
			found, err := h.fetcher().FindResource(t.Context(), h.mcp(t), address)
			require.NoError(t, err)
			assert.Equal(t, h.URL+"/mcp", found.Resource)
			assert.Equal(t, []string{wellKnown + "/mcp"}, h.paths())
		})
	}
}

func TestChallengeCannotPointElsewhere(t *testing.T) {
	t.Parallel()
	h := newHost(t, nil)
	for _, address := range []string{
		"http://example.com/about", "ftp://localhost/x", "https://u:p@example.com/", "http://10.0.0.1/about",
	} {
		_, err := h.fetcher().FindResource(t.Context(), h.mcp(t), address)
		require.ErrorContains(t, err, "resource_metadata in the challenge")
	}
	assert.Empty(t, h.paths(), "nothing was asked")
}
