package broker_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker"
)

const cursorURI = "cursor://anysphere.cursor-mcp/oauth/callback"

func TestKnownPrivateUseRedirects(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	for _, uri := range broker.KnownPrivateUse() {
		made, status := e.register(metadataOf("", uri))
		require.Equal(t, http.StatusCreated, status, uri)
		assert.Equal(t, []string{uri}, made.RedirectURIs)
		for _, other := range []string{uri + "/", uri + "?a=b", uri + "#", strings.ToUpper(uri[:1]) + uri[1:]} {
			_, status := e.register(metadataOf("", other))
			assert.Equal(t, http.StatusBadRequest, status, other)
			page := e.browser().get(e.request(made, "redirect_uri", other))
			assert.Equal(t, http.StatusBadRequest, page.status, other)
		}
	}
}

func TestPrivateUseRedirectsAreSetting(t *testing.T) {
	t.Parallel()
	const reverse = "com.example.app:/oauth/callback"
	none := newEnv(t, options{clients: broker.ClientPolicy{PrivateUse: []string{}}})
	_, status := none.register(metadataOf("", cursorURI))
	assert.Equal(t, http.StatusBadRequest, status)

	own := newEnv(t, options{clients: broker.ClientPolicy{PrivateUse: []string{reverse, "vscode://pub.ext/cb"}}})
	_, status = own.register(metadataOf("", cursorURI))
	assert.Equal(t, http.StatusBadRequest, status, "only the listed ones")
	made := own.public(reverse, "vscode://pub.ext/cb")
	assert.Len(t, made.RedirectURIs, 2)

	for _, uri := range []string{
		"https://a.example/cb", "javascript:alert(1)", "JavaScript://a/%0aalert(1)", "data:text/html,x",
		"vscode://u@pub.ext/cb", "vscode://pub.ext/cb#f", "vscode://pub.ext/cb?code=1", "com.example.app:cb", "app:",
		"vscode://pub.ext/a b", "file:///etc/passwd", "",
	} {
		_, err := own.tryStart(options{clients: broker.ClientPolicy{PrivateUse: []string{uri}}})
		require.ErrorContains(t, err, "AUTH_PRIVATE_USE_REDIRECTS", uri)
	}
}

// TestPrivateUseOpensProgram signs in with Cursor. The browser goes to the program automatically
// only after the person has approved it.
func TestPrivateUseOpensProgram(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.named("Cursor", cursorURI, "http://localhost:8787/callback")
	at := []string{"redirect_uri", cursorURI}
	b := e.browser()

	refused := b.get(e.request(c, append(at, "response_type", "token")...))
	to := offered(t, refused)
	assert.Equal(t, "unsupported_response_type", to.Get("error"))
	assert.Contains(t, refused.body, "would open the program <strong>on this computer</strong>")

	page := b.get(e.request(c, at...))
	assert.Contains(t, page.body, "opens the program <strong>on this computer</strong> that handles "+
		"<strong>cursor:</strong> links")
	assert.NotContains(t, page.body, "Warning:")
	denied := e.decide(b, page, "deny")
	assert.Equal(t, "access_denied", offered(t, denied).Get("error"))

	back := b.get(e.signIn(b, e.approve(b, b.get(e.request(c, at...), "Sec-Fetch-Site", "none")), ""))
	require.Equal(t, http.StatusOK, back.status, "a page with a link, because the browser asks first")
	assert.Contains(t, back.body, `<meta http-equiv="refresh" content="0; url=`+cursorURI+`?code=`)
	link, err := url.Parse(linkOf(t, back))
	require.NoError(t, err)
	assert.Equal(t, "cursor", link.Scheme)
	assert.NotContains(t, back.header.Get("Content-Security-Policy"), "navigate-to")
	form := redemption(c, link.Query().Get("code"))
	form.Set("redirect_uri", cursorURI)
	_, status := e.token(form)
	assert.Equal(t, http.StatusOK, status)

	again := b.get(e.request(c, at...), "Sec-Fetch-Site", "none")
	assert.Contains(t, again.body, "Approve", "any program can claim the scheme, so the page comes every time")
	silent := b.get(e.request(c, append(at, "prompt", "none")...), "Sec-Fetch-Site", "none")
	assert.Contains(t, silent.body, "http-equiv", "this person has approved the redirect URI")
}

// TestPrivateUseIsNotLoopback uses a private-use URI whose host looks like loopback.
func TestPrivateUseIsNotLoopback(t *testing.T) {
	t.Parallel()
	const uri = "app://localhost/cb"
	e := newEnv(t, options{clients: broker.ClientPolicy{PrivateUse: []string{uri}}})
	c := e.public(uri)
	offered(t, e.browser().get(e.request(c, "redirect_uri", uri, "response_type", "token")))
	other := e.browser().get(e.request(c, "redirect_uri", "app://localhost:1/cb"))
	assert.Equal(t, http.StatusBadRequest, other.status, "the port is part of it")
}

// TestPreregisteredClientHasPrivateUse checks that the operator's file may have any private-use
// scheme.
func TestPreregisteredClientHasPrivateUse(t *testing.T) {
	t.Parallel()
	const uri = "com.example.reports:/callback"
	entry := `{"client_id":"r","redirect_uris":["` + uri + `"],"token_endpoint_auth_method":"none"}`
	e := newEnv(t, options{clients: broker.ClientPolicy{File: newClientsFile(t, entry).name}})
	a := e.browser().get(e.request(registered{ID: "r"}, "redirect_uri", uri, "response_type", "token"))
	assert.Contains(t, a.body, "http-equiv", "the operator trusts the redirect URI")
}
