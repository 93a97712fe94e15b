package broker_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker"
)

// filesURL is a resource behind the same broker as the MCP endpoint.
const filesURL = "https://files.example/mcp"

// filesResource has a scope without permissions at Entra, and one whose name the MCP endpoint has
// too.
func filesResource() broker.Resource {
	return broker.Resource{
		URL:  filesURL,
		Name: "Files of Contoso",
		Scopes: []broker.Scope{
			{Name: "files.read", Description: "read your files"},
			{Name: "notes.read", Description: "read notes on files", Upstream: []string{"User.Read"}},
			{Name: "files.write", Description: "change your files"},
		},
	}
}

// newTwoResources starts an env with two resources.
func newTwoResources(t *testing.T, o options) *env {
	o.scopes = threeScopes()
	o.resources = []broker.Resource{filesResource()}
	return newEnv(t, o)
}

// audienceOf returns the claims aud and scope of an access token.
func audienceOf(t *testing.T, access string) (audience, scope string) {
	t.Helper()
	parts := strings.Split(access, ".")
	require.Len(t, parts, 3)
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	var claims struct {
		Audience string `json:"aud"`
		Scope    string `json:"scope"`
	}
	require.NoError(t, json.Unmarshal(text, &claims))
	return claims.Audience, claims.Scope
}

func TestTokenIsForTheAskedResource(t *testing.T) {
	t.Parallel()
	e := newTwoResources(t, options{})
	own := e.origin + "/mcp"
	for _, test := range []struct {
		resource, scope string
		audience, want  string
	}{
		{own, "user.read", own, "user.read"},
		{own, "", own, "user.read"},
		{"", "notes.read", own, "notes.read"},
		{filesURL, "", filesURL, "files.read"},
		{filesURL + "/", "files.write unknown", filesURL, "files.write"},
		{strings.ToUpper(filesURL[:21]) + filesURL[21:], "notes.read", filesURL, "notes.read"},
	} {
		c := e.public()
		got := e.signedIn(c, "resource", test.resource, "scope", test.scope)
		audience, scope := audienceOf(t, got.Access)
		assert.Equal(t, test.audience, audience, test.resource)
		assert.Equal(t, test.want, scope, test.resource)
		assert.Equal(t, test.want, got.Scope, test.resource)
		assert.Equal(t, test.audience == own, e.good(got.Access), "the MCP endpoint accepts its own tokens alone")

		renewed, status := e.token(refreshing(c, got.Refresh))
		require.Equal(t, http.StatusOK, status, renewed.Error)
		audience, scope = audienceOf(t, renewed.Access)
		assert.Equal(t, test.audience, audience, "a refresh keeps the resource")
		assert.Equal(t, test.want, scope)
	}
}

func TestAuthorizationRefusesResources(t *testing.T) {
	t.Parallel()
	log := &logText{}
	e := newTwoResources(t, options{log: log})
	c := e.public()
	device := e.device()
	own := e.origin + "/mcp"
	for name, test := range map[string]struct {
		resources []string
		scope     string
		want      string
	}{
		"an unknown resource":         {[]string{"https://other.example/mcp"}, "", "invalid_target"},
		"two resources":               {[]string{own, filesURL}, "", "invalid_target"},
		"an empty and a resource":     {[]string{"", filesURL}, "", "invalid_target"},
		"a resource and an unknown":   {[]string{own, "https://other.example/mcp"}, "", "invalid_target"},
		"a path below":                {[]string{filesURL + "/more"}, "", "invalid_target"},
		"a fragment":                  {[]string{filesURL + "#files.read"}, "", "invalid_target"},
		"a scope of the other":        {[]string{filesURL}, "files.read user.read", "invalid_scope"},
		"a scope without a resource":  {nil, "files.read", "invalid_scope"},
		"a scope's identifier":        {[]string{own}, filesURL + "#files.read files.read", "invalid_scope"},
		"the same resource twice":     {[]string{filesURL, filesURL + "/"}, "files.read", ""},
		"no resource":                 {nil, "user.read", ""},
		"an empty resource":           {[]string{""}, "user.read", ""},
		"an identifier and a default": {[]string{own}, filesURL + "#files.read", ""},
	} {
		address, err := url.Parse(e.request(c, "scope", test.scope))
		require.NoError(t, err)
		query := address.Query()
		query["resource"] = test.resources
		address.RawQuery = query.Encode()
		page := e.browser().get(address.String())
		told, _ := e.asksForDevice(url.Values{
			"client_id": {device.ID},
			"scope":     {test.scope},
			"resource":  test.resources,
		})
		assert.Equal(t, test.want, told.Error, name)
		if test.want == "" {
			assert.Equal(t, http.StatusOK, page.status, name)
			continue
		}
		assert.Equal(t, test.want, page.location(t).Get("error"), name)
	}
	assert.Contains(t, log.String(), "resource=https://other.example/mcp")
	assert.Contains(t, log.String(), "AUTH_RESOURCES_FILE")
}

func TestTokenRequestNamesTheApprovedResource(t *testing.T) {
	t.Parallel()
	e := newTwoResources(t, options{})
	c := e.public()
	own := e.origin + "/mcp"
	code := e.code(c, e.browser(), "resource", filesURL, "scope", "files.read").Get("code")
	redeems := func(resources ...string) (tokens, int) {
		form := redemption(c, code)
		form["resource"] = resources
		return e.token(form)
	}
	for _, resources := range [][]string{{own}, {own, filesURL}, {"https://other.example/mcp"}} {
		refused, status := redeems(resources...)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Equal(t, "invalid_target", refused.Error)
	}
	got, status := redeems(filesURL)
	require.Equal(t, http.StatusOK, status, "a refused request does not use the code up")

	form := refreshing(c, got.Refresh)
	for _, change := range [][]string{
		{"resource", own, "invalid_target"},
		{"scope", "user.read", "invalid_scope"},
		{"scope", "files.write", "invalid_scope"},
	} {
		asked := refreshing(c, got.Refresh)
		asked.Set(change[0], change[1])
		refused, status := e.token(asked)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Equal(t, change[2], refused.Error)
	}
	form.Set("resource", filesURL)
	renewed, status := e.token(form)
	require.Equal(t, http.StatusOK, status, renewed.Error)
	audience, _ := audienceOf(t, renewed.Access)
	assert.Equal(t, filesURL, audience)
}

func TestConsentIsForOneResource(t *testing.T) {
	t.Parallel()
	e := newTwoResources(t, options{})
	c := e.public(appURI)
	b := e.browser()
	own := e.request(c, "redirect_uri", appURI, "scope", "notes.read")
	files := e.request(c, "redirect_uri", appURI, "scope", "notes.read", "resource", filesURL)

	first := b.get(own, "Sec-Fetch-Site", "none")
	assert.Contains(t, first.body, `class="resource">`+strings.TrimPrefix(e.origin, "http://")+"<")
	assert.Equal(t, "notes.read", e.granted(c, appURI, e.returns(b, e.approve(b, first))))
	assert.Equal(t, http.StatusFound, b.get(own, "Sec-Fetch-Site", "none").status, "approved before")

	page := b.get(files, "Sec-Fetch-Site", "none")
	require.Equal(t, http.StatusOK, page.status, "a scope of the same name is another scope")
	assert.Contains(t, page.body, "Files of Contoso")
	assert.Contains(t, page.body, `<dd class="address">`+filesURL)
	assert.Contains(t, page.body, "<li>read notes on files</li>")
	assert.NotContains(t, page.body, "You approved this before")
	assert.Equal(t, "notes.read", e.granted(c, appURI, e.returns(b, e.approve(b, page))))
	assert.Equal(t, http.StatusFound, b.get(files, "Sec-Fetch-Site", "none").status)

	// A step-up keeps what the client has at the same resource, and nothing of the other.
	more := e.request(c, "redirect_uri", appURI, "scope", "files.write", "resource", filesURL)
	page = b.get(more, "Sec-Fetch-Site", "none")
	_, kept, hasKept := strings.Cut(page.body, "You approved this before")
	require.True(t, hasKept, page.body)
	assert.Contains(t, kept, "<li>read notes on files</li>")
	assert.NotContains(t, kept, "<li>read your notes</li>")
	assert.Equal(t, "files.write notes.read", e.granted(c, appURI, e.returns(b, e.approve(b, page))))

	shown := e.connections(b)
	assert.Contains(t, shown, ">Files of Contoso</strong>")
	assert.Contains(t, shown, "read notes on files")
	assert.Contains(t, shown, "read your notes")
	grants, err := e.broker.Grants(t.Context(), broker.GrantFilter{ClientID: c.ID}, "", 10)
	require.NoError(t, err)
	var listed []string
	for _, grant := range grants {
		listed = append(listed, grant.Resource+" "+strings.Join(grant.Scopes, " "))
	}
	assert.ElementsMatch(t, []string{
		e.origin + "/mcp notes.read", filesURL + " notes.read", filesURL + " files.write notes.read",
	}, listed)
}

func TestDeviceAsksForResource(t *testing.T) {
	t.Parallel()
	e := newTwoResources(t, options{})
	c := e.device()
	told, status := e.asksForDevice(url.Values{"client_id": {c.ID}, "resource": {filesURL}})
	require.Equal(t, http.StatusOK, status, told.Error)
	b := e.browser()
	page := e.types(b, told.User)
	assert.Contains(t, page.body, "Files of Contoso")
	assert.Contains(t, page.body, "<li>read your files</li>")
	assert.Contains(t, b.get(e.signIn(b, e.approve(b, page), "")).body, "The program has access")
	form := url.Values{"grant_type": {deviceGrant}, "client_id": {c.ID}, "device_code": {told.Device}}
	form.Set("resource", e.origin+"/mcp")
	refused, _ := e.token(form)
	assert.Equal(t, "invalid_target", refused.Error)
	form.Set("resource", filesURL)
	got, status := e.token(form)
	require.Equal(t, http.StatusOK, status, got.Error)
	audience, scope := audienceOf(t, got.Access)
	assert.Equal(t, filesURL, audience)
	assert.Equal(t, "files.read", scope)
}

// withResources gives an entry of the clients' file resources.
func withResources(entry string, urls ...string) string {
	text, err := json.Marshal(urls)
	if err != nil {
		panic(err) // strings
	}
	return strings.TrimSuffix(entry, "}") + `,"resources":` + string(text) + "}"
}

func TestResourceServerLearnsItsOwnTokensAlone(t *testing.T) {
	t.Parallel()
	plain, atOwn := resourceServer(t, "tools")
	files, atFiles := resourceServer(t, "files")
	gateway, atBoth := resourceServer(t, "gateway")
	appText, app := appEntry(t, "nightly", "files.read notes.read user.read")
	e := &env{}
	file := newClientsFile(t, plain, withResources(files, filesURL))
	e = newTwoResources(t, options{clients: broker.ClientPolicy{File: file.name}})
	own := e.origin + "/mcp"
	file.write(plain, withResources(files, filesURL+"/"), withResources(gateway, own, filesURL),
		withResources(appText, filesURL))
	e.later(2 * time.Second)
	c := e.public()
	tokenOf := map[string]string{
		own:      e.signedIn(c).Access,
		filesURL: e.signedIn(c, "resource", filesURL, "scope", "files.read").Access,
	}
	for credentials, resources := range map[string][]string{
		atOwn:   {own},
		atFiles: {filesURL},
		atBoth:  {own, filesURL},
	} {
		for resource, access := range tokenOf {
			told, status := e.introspect(access, "Authorization", credentials)
			assert.Equal(t, http.StatusOK, status)
			if !slices.Contains(resources, resource) {
				assert.Equal(t, introspected{}, told)
				continue
			}
			assert.True(t, told.Active)
			assert.Equal(t, resource, told.Audience)
		}
	}

	for _, refused := range [][]string{
		{"", "", "invalid_target"},
		{own, "", "invalid_target"},
		{filesURL, "user.read files.read", "invalid_scope"},
	} {
		got, _ := e.asApp(app, "resource", refused[0], "scope", refused[1])
		assert.Equal(t, refused[2], got.Error)
	}
	got, status := e.asApp(app, "resource", filesURL)
	require.Equal(t, http.StatusOK, status, got.Error)
	assert.Equal(t, "files.read notes.read", got.Scope)
	assert.False(t, e.good(got.Access))
	told, _ := e.introspect(got.Access, "Authorization", atFiles)
	assert.Equal(t, filesURL, told.Audience)
	told, _ = e.introspect(got.Access, "Authorization", atOwn)
	assert.False(t, told.Active)

	file.write(plain, withResources(files, filesURL), withResources(appText, own))
	e.later(2 * time.Second)
	told, _ = e.introspect(got.Access, "Authorization", atFiles)
	assert.False(t, told.Active, "the operator took the resource away")
}

func TestMetadataListsResources(t *testing.T) {
	t.Parallel()
	e := newTwoResources(t, options{})
	var document struct {
		Scopes    []string `json:"scopes_supported"`
		Resources []string `json:"protected_resources"`
	}
	text := e.browser().get(e.origin + "/.well-known/oauth-authorization-server").body
	require.NoError(t, json.Unmarshal([]byte(text), &document))
	assert.Equal(t, []string{"user.read", "notes.read", "notes.write", "files.read", "files.write"}, document.Scopes)
	assert.Equal(t, []string{e.origin + "/mcp", filesURL}, document.Resources)
}

// TestResourceComesAndGoes removes a resource and adds it again. Its grants wait, and grant nothing
// of the MCP endpoint meanwhile.
func TestResourceComesAndGoes(t *testing.T) {
	t.Parallel()
	kept := newMemory()
	keys, err := broker.NewKeys(rand.Reader)
	require.NoError(t, err)
	o := options{store: kept, keys: keys}
	e := newTwoResources(t, o)
	c := e.public()
	files := e.signedIn(c, "resource", filesURL, "scope", "notes.read")
	own := e.signedIn(c)

	o.scopes = threeScopes()
	e.broker = e.start(o)
	assert.True(t, e.good(own.Access))
	assert.False(t, e.good(files.Access))
	refused, _ := e.token(refreshing(c, files.Refresh))
	assert.Equal(t, "invalid_grant", refused.Error)
	renewed, status := e.token(refreshing(c, own.Refresh))
	require.Equal(t, http.StatusOK, status, renewed.Error)

	o.resources = []broker.Resource{filesResource()}
	e.broker = e.start(o)
	again, status := e.token(refreshing(c, files.Refresh))
	require.Equal(t, http.StatusOK, status, again.Error)
	audience, _ := audienceOf(t, again.Access)
	assert.Equal(t, filesURL, audience)
}

func TestWrongResources(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	scopes := []broker.Scope{{Name: "read"}}
	for want, resources := range map[string][]broker.Resource{
		"want an absolute URL":     {{URL: "/mcp", Scopes: scopes}},
		"want https":               {{URL: "http://files.example/mcp", Scopes: scopes}},
		"without a query":          {{URL: "https://files.example/mcp?a=b", Scopes: scopes}},
		"host in lower case":       {{URL: "https://Files.example/mcp", Scopes: scopes}},
		"same resource as":         {{URL: e.origin + "/mcp/", Scopes: scopes}},
		"resource 2 (https://a/b)": {{URL: "https://a/b", Scopes: scopes}, {URL: "https://a/b", Scopes: scopes}},
		"at least one scope":       {{URL: "https://a/b"}},
		"is there twice":           {{URL: "https://a/b", Scopes: append(scopes, scopes...)}},
		"visible ASCII":            {{URL: "https://a/b", Scopes: []broker.Scope{{Name: "a b"}}}},
	} {
		_, err := e.tryStart(options{resources: resources})
		assert.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, "AUTH_RESOURCES_FILE")
	}
	_, err := e.tryStart(options{scopes: []broker.Scope{{Name: "https://a/b#read"}}})
	assert.ErrorContains(t, err, "visible ASCII")
}
