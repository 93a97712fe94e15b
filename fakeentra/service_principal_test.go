package fakeentra_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

const (
	fabrikam     = "5a1e0001-0000-4000-8000-000000000002"
	fabrikamURL  = login + "/" + fabrikam
	fabrikamUser = "megan@fabrikam.example"
	foreignAPI   = "https://files.contoso.onmicrosoft.com/mcp"
)

// twoTenants is the default directory with a second tenant. Its people may use the web app and the
// API of the first tenant, which is multi-tenant. Neither has a service principal there.
func twoTenants(change func(home, other *directory.Tenant)) directory.Directory {
	d := changed(func(t *directory.Tenant) {
		t.Apps[0].MultiTenant = true
		t.Apps[1].MultiTenant = true
		t.Apps[1].IdentifierURIs = append(t.Apps[1].IdentifierURIs, foreignAPI)
	})
	d.Tenants = append(d.Tenants, directory.Tenant{
		ID:          fabrikam,
		DisplayName: "Fabrikam",
		Domains:     []string{"fabrikam.example"},
		Users: []directory.User{{
			ID:                "5a1e0004-0000-4000-8000-000000000011",
			UserPrincipalName: fabrikamUser,
			DisplayName:       "Megan",
		}},
	})
	if change != nil {
		change(&d.Tenants[0], &d.Tenants[1])
	}
	return d
}

// appOnly is a request for an app-only token for a scope.
func appOnly(scope string) url.Values {
	return url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {directory.DefaultClientID},
		"client_secret": {directory.DefaultClientSecret},
		"scope":         {scope},
	}
}

const graphDefault = "https://graph.microsoft.com/.default"

// consentAt signs a person of Fabrikam in and answers the consent page.
func consentAt(t *testing.T, fake *fakeentra.Fake, params url.Values, answered string) url.Values {
	t.Helper()
	person := &visit{t: t, fake: fake}
	page := person.open(http.MethodPost, fabrikamURL+"/authorize/v2/login?"+params.Encode(),
		url.Values{"account": {fabrikamUser}})
	require.Contains(t, page.Body, "Permissions requested")
	return returned(t, person.open(http.MethodPost, fabrikamURL+"/authorize/v2/consent?"+params.Encode(),
		url.Values{"answer": {answered}}))
}

func TestClientWithoutServicePrincipal(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{Directory: twoTenants(nil)})
	assert.Equal(t, http.StatusOK, token(t, fake, appOnly(graphDefault)).Status, "at home it has one")
	refused := at(t, fake, fabrikam, appOnly(graphDefault))
	assert.Equal(t, 7000229, refused.number(t))
	assert.Equal(t, http.StatusUnauthorized, refused.Status)
	assert.Equal(t, "invalid_client", refused.text("error"))
	assert.Contains(t, refused.text("error_uri"), "7000229")
	wrong := appOnly(graphDefault)
	wrong.Set("client_secret", "guess")
	assert.Equal(t, 7000215, at(t, fake, fabrikam, wrong).number(t))

	// Consent makes the service principal, a refusal does not.
	assert.Contains(t, consentAt(t, fake, request(nil), "decline").Get("error_description"), "AADSTS65004")
	assert.Equal(t, 7000229, at(t, fake, fabrikam, appOnly(graphDefault)).number(t))
	assert.NotEmpty(t, consentAt(t, fake, request(nil), "accept").Get("code"))
	granted := at(t, fake, fabrikam, appOnly(graphDefault))
	require.Equal(t, http.StatusOK, granted.Status, granted.Body)
	_, payload := claims(t, granted.text("access_token"))
	assert.Equal(t, fabrikam, payload["tid"])
	assert.NotEqual(t, "5a1e0002-0000-4000-8000-0000000000ff", payload["oid"], "another object than at home")
	made := byConsent(fake)
	require.Len(t, made, 1)
	assert.Equal(t, fabrikam, made[0].TenantID)
	assert.Equal(t, payload["oid"], made[0].ObjectID)
}

// byConsent lists the service principals that consent made.
func byConsent(fake *fakeentra.Fake) []fakeentra.ServicePrincipal {
	var made []fakeentra.ServicePrincipal
	for _, principal := range fake.ServicePrincipals() {
		if principal.ByConsent {
			made = append(made, principal)
		}
	}
	return made
}

func TestServicePrincipalsOfTheDirectory(t *testing.T) {
	t.Parallel()
	const objectID = "5a1e0002-0000-4000-8000-0000000000fd"
	fake := newFake(t, fakeentra.Config{Directory: twoTenants(func(home, other *directory.Tenant) {
		home.Apps[1].NoServicePrincipal = true
		other.ServicePrincipals = []directory.ServicePrincipal{
			{App: directory.DefaultClientID, ObjectID: objectID, Consented: []string{"User.Read"}},
		}
	})})
	got := at(t, fake, fabrikam, appOnly(graphDefault))
	require.Equal(t, http.StatusOK, got.Status, got.Body)
	_, payload := claims(t, got.text("access_token"))
	assert.Equal(t, objectID, payload["oid"])
	assert.Equal(t, objectID, payload["sub"])
	person := &visit{t: t, fake: fake}
	page := person.open(http.MethodPost, fabrikamURL+"/authorize/v2/login?"+request(nil).Encode(),
		url.Values{"account": {fabrikamUser}})
	assert.NotEmpty(t, returned(t, page).Get("code"), "an administrator of Fabrikam gave consent")

	// A registration made without a service principal has none at home.
	bare := appOnly(graphDefault)
	bare.Set("client_id", directory.DefaultAPIID)
	bare.Set("client_secret", directory.DefaultAPISecret)
	assert.Equal(t, 7000229, token(t, fake, bare).number(t))
	assert.Equal(t, 500011, token(t, fake, appOnly(apiURI+"/.default")).number(t))
}

// An API of another tenant is unknown without a service principal, like an API that does not exist.
func TestForeignAPIWithoutServicePrincipal(t *testing.T) {
	t.Parallel()
	d := twoTenants(func(_, other *directory.Tenant) {
		other.ServicePrincipals = []directory.ServicePrincipal{{App: directory.DefaultClientID}}
	})
	fake := newFake(t, fakeentra.Config{Directory: d})
	for _, scope := range []string{foreignAPI + "/.default", "https://none.example/mcp/.default"} {
		got := at(t, fake, fabrikam, appOnly(scope))
		assert.Equal(t, 500011, got.number(t), scope)
		assert.Equal(t, http.StatusBadRequest, got.Status, scope)
		assert.Equal(t, "invalid_resource", got.text("error"), scope)
	}
	params := request(map[string]string{"scope": foreignAPI + "/tool.read", "resource": foreignAPI})
	back := returned(t, get(t, fake, fabrikamURL+"/oauth2/v2.0/authorize?"+params.Encode()))
	assert.Equal(t, "invalid_resource", back.Get("error"))
	assert.Contains(t, back.Get("error_description"), "AADSTS500011")

	// Consent to the API as a client makes its service principal. Then both find it.
	itself := request(map[string]string{
		"client_id":    directory.DefaultAPIID,
		"redirect_uri": "http://localhost",
		"scope":        foreignAPI + "/tool.read",
	})
	assert.NotEmpty(t, consentAt(t, fake, itself, "accept").Get("code"))
	assert.Equal(t, http.StatusOK, at(t, fake, fabrikam, appOnly(foreignAPI+"/.default")).Status)
	assert.NotEmpty(t, consentAt(t, fake, params, "accept").Get("code"))
}

// A client that lists permissions to an API without a service principal cannot be used by anyone in
// the tenant.
func TestListedAPIWithoutServicePrincipal(t *testing.T) {
	t.Parallel()
	d := twoTenants(func(home, _ *directory.Tenant) {
		home.Apps[0].Permissions = []string{"User.Read", foreignAPI + "/tool.read"}
	})
	fake := newFake(t, fakeentra.Config{Directory: d})
	for _, test := range []struct {
		path  string
		scope string
	}{
		{"/oauth2/v2.0/authorize", foreignAPI + "/tool.read"},
		{"/oauth2/v2.0/authorize", graphDefault},
		{"/oauth2/authorize", ""},
		{"/adminconsent", ""},
	} {
		params := request(map[string]string{"scope": test.scope})
		person := &visit{t: t, fake: fake}
		page := person.open(http.MethodGet, fabrikamURL+test.path+"?"+params.Encode(), nil)
		require.Contains(t, page.Body, "Pick an account", "%s: the tenant of the person decides", test.path)
		form := regexp.MustCompile(`action="([^"]+)"`).FindStringSubmatch(page.Body)
		address := login + html.UnescapeString(form[1])
		back := returned(t, person.open(http.MethodPost, address, url.Values{"account": {fabrikamUser}}))
		assert.Equal(t, "invalid_client", back.Get("error"), test.path)
		assert.Contains(t, back.Get("error_description"), "AADSTS650052: The app is trying to access a service '"+
			directory.DefaultAPIID+"'(MCP tools API) that your organization '"+fabrikam+"' lacks", test.path)
	}
	assert.NotEmpty(t, consentAt(t, fake, request(nil), "accept").Get("code"), "other scopes do not need the API")
	home := newFake(t, fakeentra.Config{Directory: d, AutoSignIn: true})
	assert.NotEmpty(t, signIn(t, home, map[string]string{"scope": graphDefault}), "at home the API is there")
}

// A single-tenant app of another tenant stays unknown, whatever its secret or consent.
func TestSingleTenantAppOfAnotherTenant(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{Directory: twoTenants(func(home, _ *directory.Tenant) {
		home.Apps[0].MultiTenant = false
	})})
	assert.Equal(t, 700016, at(t, fake, fabrikam, appOnly(graphDefault)).number(t))
	page := get(t, fake, fabrikamURL+"/oauth2/v2.0/authorize?"+request(nil).Encode())
	assert.Contains(t, page.Body, "AADSTS700016")
}

func TestServicePrincipalsOutliveTheDirectory(t *testing.T) {
	t.Parallel()
	d := twoTenants(nil)
	fake := newFake(t, fakeentra.Config{Directory: d, AutoSignIn: true})
	status := func() int { return at(t, fake, fabrikam, appOnly(graphDefault)).Status }
	signInAt := func() string {
		address := fabrikamURL + "/oauth2/v2.0/authorize?" + request(nil).Encode()
		return returned(t, get(t, fake, address)).Get("code")
	}
	require.NotEmpty(t, signInAt())
	assert.Equal(t, http.StatusOK, status(), "a sign-in without a page gives consent, too")
	require.NoError(t, fake.SetDirectory(twoTenants(func(_, other *directory.Tenant) { other.DisplayName = "New" })))
	assert.Equal(t, http.StatusOK, status(), "the new directory has the tenant and the app")
	require.NoError(t, fake.SetDirectory(directory.Default()))
	require.NoError(t, fake.SetDirectory(d))
	assert.Equal(t, http.StatusUnauthorized, status(), "it went with its tenant")
	require.NotEmpty(t, signInAt())
	fake.Reset()
	assert.Equal(t, http.StatusUnauthorized, status())
	assert.Empty(t, byConsent(fake))
}

func appElsewhere(t *testing.T) answer {
	t.Helper()
	return at(t, newFake(t, fakeentra.Config{Directory: twoTenants(nil)}), fabrikam, appOnly(graphDefault))
}

func listedAPIElsewhere(t *testing.T) answer {
	t.Helper()
	d := twoTenants(func(home, _ *directory.Tenant) {
		home.Apps[0].Permissions = []string{foreignAPI + "/tool.read"}
	})
	fake := newFake(t, fakeentra.Config{AutoSignIn: true, Directory: d})
	params := request(map[string]string{"scope": foreignAPI + "/tool.read"})
	return get(t, fake, fabrikamURL+"/oauth2/v2.0/authorize?"+params.Encode())
}

func redeemOfAnother(t *testing.T) answer {
	t.Helper()
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	return token(t, fake, redemption(signIn(t, fake, nil), map[string]string{
		"client_id":     directory.DefaultAPIID,
		"client_secret": directory.DefaultAPISecret,
	}))
}
