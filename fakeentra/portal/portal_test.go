package portal_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

const (
	adele = "5a1e0004-0000-4000-8000-000000000001"
	alex  = "5a1e0004-0000-4000-8000-000000000002"
)

func TestPeopleSignInWithoutAPage(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, fakeentra.Config{})
	page := b.get(t, "/")
	assert.Contains(t, page, "Adele Vance")
	assert.Contains(t, page, directory.DefaultAPIID)
	assert.Contains(t, page, "no person is signed in")

	page = b.post(t, "/portal/sign-in", url.Values{"user": {alex}})
	assert.Contains(t, page, "signed in as <strong>AlexW@contoso.onmicrosoft.com")

	authorize := "/" + directory.DefaultTenantID + "/oauth2/v2.0/authorize?" + url.Values{
		"client_id":     {directory.DefaultClientID},
		"redirect_uri":  {"http://localhost:8000/auth/callback"},
		"response_type": {"code"},
		"scope":         {"User.Read"},
	}.Encode()
	page = b.get(t, authorize)
	assert.Contains(t, page, "Permissions requested", "the app asks for consent at once")
	assert.Contains(t, page, "AlexW@contoso.onmicrosoft.com")

	page = b.post(t, "/portal/sessions", url.Values{"user": {alex}})
	assert.Contains(t, page, "no person is signed in", "revoked sessions end this one, too")
}

func TestBlockedPeopleStayOut(t *testing.T) {
	t.Parallel()
	d := directory.Default()
	d.Tenants[0].Users[0].Disabled = true
	b := newBrowser(t, fakeentra.Config{Directory: d})
	status, page := b.send(t, http.MethodPost, "/portal/sign-in", url.Values{"user": {adele}})
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, page, "cannot sign in")
	assert.NotContains(t, page, `aria-label="Sign in as Adele Vance"`)
	status, page = b.send(t, http.MethodPost, "/portal/sign-in", url.Values{"user": {"missing"}})
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, html.UnescapeString(page), `has no user "missing"`)
}

var (
	mintedToken = regexp.MustCompile(`<pre class="token" tabindex="0">([\w.-]+)</pre>`)
	failedCheck = regexp.MustCompile(`<span class="hidden">Failed: </span>([^<]+)`)
)

// failures lists the crossed checks of a page.
func failures(page string) []string {
	names := []string{}
	for _, found := range failedCheck.FindAllStringSubmatch(page, -1) {
		names = append(names, html.UnescapeString(found[1]))
	}
	return names
}

func TestMintedTokenIsGood(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, fakeentra.Config{})
	page := b.post(t, "/portal/tokens", url.Values{"user": {alex}, "scopes": {"tool.read"}})
	isGood := strings.Contains(page, "A resource server can accept this token")
	assert.True(t, isGood, failures(page))
	assert.Contains(t, page, "&#34;name&#34;: &#34;Alex Wilber&#34;")
	token := mintedToken.FindStringSubmatch(page)
	require.NotNil(t, token)

	pasted := "Authorization: Bearer " + token[1]
	page = b.post(t, "/portal/decode", url.Values{"token": {pasted}, "scope": {"tool.read"}})
	assert.Empty(t, failures(page))
	page = b.post(t, "/portal/decode", url.Values{"token": {token[1]}, "scope": {"tool.write"}})
	assert.Equal(t, []string{"scp or roles has tool.write"}, failures(page))
	page = b.post(t, "/portal/decode", url.Values{"token": {token[1]}, "audience": {directory.DefaultClientID}})
	assert.Equal(t, []string{"aud is your API"}, failures(page))
}

func TestOtherKindsOfToken(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, fakeentra.Config{})
	for kind, words := range map[string]string{
		"app":   "can accept this token",
		"id":    "an ID token does not open an API",
		"graph": "only Microsoft Graph can verify this token",
	} {
		page := b.post(t, "/portal/tokens", url.Values{"kind": {kind}})
		assert.True(t, strings.Contains(page, words), "%s: want %q", kind, words)
	}
	page := b.post(t, "/portal/tokens", url.Values{"version": {"1"}})
	assert.Equal(t, []string{"ver is the version of the API"}, failures(page))
}

// Each token of BadTokens has a flaw that the page shows.
func TestDecoderCrossesEveryBadToken(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, fakeentra.Config{})
	bad, err := b.BadTokens(fakeentra.Token{Scopes: []string{"tool.read"}})
	require.NoError(t, err)
	require.Greater(t, len(bad), 20)
	for _, one := range bad {
		form := url.Values{"token": {one.Token}, "audience": {directory.DefaultAPIID}, "scope": {"tool.read"}}
		status, page := b.send(t, http.MethodPost, "/portal/decode", form)
		refused := status == http.StatusBadRequest || strings.Contains(page, "has to refuse this token")
		assert.True(t, refused, "%s: %s", one.Name, one.Why)
	}
	page := b.post(t, "/portal/tokens/bad", url.Values{})
	assert.Contains(t, page, "wrong-audience")
}

func TestJournalFollows(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, fakeentra.Config{})
	assert.Contains(t, b.get(t, "/portal/journal"), "No request was received yet")
	b.get(t, "/common/v2.0/.well-known/openid-configuration")
	b.send(t, http.MethodPost, "/common/oauth2/v2.0/token", url.Values{"grant_type": {"<b>"}})
	page := b.get(t, "/portal/journal")
	assert.Contains(t, page, "openid-configuration")
	assert.Contains(t, page, "AADSTS")
	assert.NotContains(t, page, "<b>")
	assert.NotContains(t, page, "<code>GET /portal/", "the pages themselves are not in the journal")
	rows := b.get(t, "/portal/journal/rows?after=1")
	assert.NotContains(t, rows, "openid-configuration")
	assert.Contains(t, rows, "AADSTS")
	assert.NotContains(t, b.get(t, "/portal/journal/rows?endpoint=keys"), "<li")
	status, text := b.send(t, http.MethodGet, "/portal/journal?endpoint=none", nil)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, text, "unknown endpoint")
	assert.Contains(t, b.post(t, "/portal/journal", nil), "No request was received yet")
}

func TestFaultsTurnOnAndOff(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, fakeentra.Config{})
	b.post(t, "/portal/faults", url.Values{"name": {"keys away"}, "change": {"on"}})
	status, _ := b.send(t, http.MethodGet, "/common/discovery/v2.0/keys", nil)
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Contains(t, b.get(t, "/portal/faults"), "on, applied 1 times")
	b.post(t, "/portal/faults", url.Values{"name": {"keys away"}, "change": {"off"}})
	b.get(t, "/common/discovery/v2.0/keys")

	page := b.post(t, "/portal/faults", url.Values{
		"change": {"add"},
		"on":     {"token"},
		"aadsts": {"AADSTS50076"},
		"times":  {"2"},
	})
	assert.Contains(t, page, "token: AADSTS50076")
	status, page = b.send(t, http.MethodPost, "/portal/faults", url.Values{
		"change": {"add"},
		"delay":  {"soon"},
		"status": {"503"},
	})
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, html.UnescapeString(page), `delay: want a duration such as 1.5s, got "soon"`)
	assert.Contains(t, page, `value="soon"`, "a mistake loses nothing")
	assert.Contains(t, b.post(t, "/portal/faults", url.Values{"change": {"chaos"}, "share": {"10"}}), `value="10"`)
	page = b.post(t, "/portal/faults", url.Values{"change": {"clear"}})
	assert.NotContains(t, page, "Other faults")
	assert.Contains(t, page, `id="share" name="share" inputmode="decimal" value="0"`)
}

func TestClockAndKeysMove(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, fakeentra.Config{})
	page := b.post(t, "/portal/clock", url.Values{"change": {"freeze"}, "freeze": {"2026-01-31T09:00:00Z"}})
	assert.Contains(t, page, "2026-01-31 09:00:00 UTC")
	page = b.post(t, "/portal/clock", url.Values{"change": {"advance"}, "advance": {"90m"}})
	assert.Contains(t, page, "2026-01-31 10:30:00 UTC")
	status, page := b.send(t, http.MethodPost, "/portal/clock", url.Values{"change": {"advance"}, "advance": {"soon"}})
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, html.UnescapeString(page), `advance: want a duration such as 1h30m, got "soon"`)
	before := b.Keys()
	b.post(t, "/portal/keys", url.Values{"rollover": {"planned"}})
	assert.Equal(t, before[2].ID, b.Keys()[0].ID, "the next key signs")
	b.post(t, "/portal/keys", url.Values{"rollover": {"emergency"}})
	for _, key := range b.Keys() {
		assert.NotEqual(t, before[2].ID, key.ID, "the signing key is withdrawn")
	}
	b.post(t, "/portal/reset", nil)
	assert.Equal(t, before, b.Keys())
	assert.Greater(t, b.Now().Year(), 2025)
}

// Only a browser on this machine gets the pages, and only the pages' own forms change something.
func TestStrangersGetNoPages(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, fakeentra.Config{})
	for name, header := range map[string][]string{
		"another host name": {"Host", "fake.example:8400"},
		"through a proxy":   {"X-Forwarded-For", "203.0.113.7"},
		"Forwarded":         {"Forwarded", "for=203.0.113.7"},
		"an empty field":    {"X-Forwarded-For", ""},
		"a scheme alone":    {"X-Forwarded-Proto", "https"},
		"Via":               {"Via", "1.1 proxy.example"},
	} {
		status, page := b.send(t, http.MethodGet, "/", nil, header...)
		assert.Equal(t, http.StatusOK, status, name)
		assert.Contains(t, page, "Discovery documents for programs", name)
		assert.NotContains(t, page, "Adele Vance", name)
		status, _ = b.send(t, http.MethodPost, "/portal/tokens", nil, header...)
		assert.Equal(t, http.StatusNotFound, status, name)
	}
	for name, header := range map[string][]string{
		"a page elsewhere":       {"Sec-Fetch-Site", "cross-site"},
		"a page of another port": {"Sec-Fetch-Site", "same-site"},
		"an old browser":         {"Origin", "http://evil.example"},
	} {
		for _, path := range []string{"tokens", "sign-in", "faults", "clock", "keys", "reset", "journal", "sessions"} {
			status, _ := b.send(t, http.MethodPost, "/portal/"+path, url.Values{"user": {adele}}, header...)
			assert.Equal(t, http.StatusForbidden, status, "%s: %s", name, path)
		}
	}
}

func TestNoPagesByDefault(t *testing.T) {
	t.Parallel()
	server := fakeentra.NewServer(fakeentra.Config{})
	defer server.Close()
	answer, err := server.Client().Get(server.URL + "/portal/tokens")
	require.NoError(t, err)
	defer answer.Body.Close()
	assert.Equal(t, http.StatusNotFound, answer.StatusCode, "without Config.Portal there are no pages")
}
