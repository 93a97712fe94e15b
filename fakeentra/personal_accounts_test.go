package fakeentra_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

const personalUser = "megan@outlook.com"

// withPersonalAccounts is a directory with the tenant of personal accounts, the default app open to
// them and to all organizations, and an app for them alone.
func withPersonalAccounts() directory.Directory {
	d := changed(func(t *directory.Tenant) {
		t.Apps[0].MultiTenant = true
		t.Apps[0].PersonalAccounts = true
		t.Apps[0].TokenVersion = 2
		t.Apps[0].Consented = []string{"User.Read"}
		t.Apps = append(
			t.Apps,
			directory.App{
				ID:               spaID,
				DisplayName:      "Only personal",
				PersonalAccounts: true,
				TokenVersion:     2,
				Web:              []string{callback},
				Secrets:          []string{"s"},
			},
		)
	})
	d.Tenants = append(d.Tenants, directory.Tenant{
		ID:          directory.ConsumersTenantID,
		DisplayName: "Microsoft Accounts",
		Users: []directory.User{
			{
				ID:                "00000000-0000-0000-5a1e-000000000001",
				UserPrincipalName: personalUser,
				DisplayName:       "Megan Bowen",
				Mail:              personalUser,
			},
		},
	})
	return d
}

func TestPersonalAccounts(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{Directory: withPersonalAccounts()})
	person := &visit{t: t, fake: fake}
	page := person.open(http.MethodGet, login+"/consumers/oauth2/v2.0/authorize?"+request(nil).Encode(), nil)
	assert.Contains(t, page.Body, personalUser)
	assert.NotContains(t, page.Body, directory.DefaultUser)
	code := returned(
		t,
		person.open(
			http.MethodPost,
			login+"/consumers/authorize/v2/login?"+request(nil).Encode(),
			url.Values{"account": {personalUser}},
		),
	).Get("code")
	assert.True(t, strings.HasPrefix(code, "M."), code)
	got := at(t, fake, "consumers", redemption(code, nil))
	require.Equal(t, http.StatusOK, got.Status, got.Body)
	assert.True(t, strings.HasPrefix(got.text("refresh_token"), "M."))
	header, id := claims(t, got.text("id_token"))
	assert.Equal(t, login+"/"+directory.ConsumersTenantID+"/v2.0", id["iss"])
	assert.Equal(t, directory.ConsumersTenantID, id["tid"])

	// The key of personal accounts names their issuer. The key sets for them contain it.
	for _, test := range []struct {
		segment   string
		published bool
	}{
		{"consumers", true},
		{directory.ConsumersTenantID, true},
		{"common", true},
		{directory.DefaultTenantID, false},
	} {
		var keys struct {
			Keys []struct{ Kid, Issuer string }
		}
		require.NoError(t, decode(get(t, fake, login+"/"+test.segment+"/discovery/v2.0/keys").Body, &keys))
		found := false
		for _, key := range keys.Keys {
			if key.Kid == header["kid"] {
				found = true
				assert.Equal(t, login+"/"+directory.ConsumersTenantID+"/v2.0", key.Issuer, test.segment)
			}
		}
		assert.Equal(t, test.published, found, test.segment)
	}
	// It rolls over with the others: the old one lingers, and is gone at once in an emergency.
	require.NoError(t, fake.Rotate())
	assert.Contains(t, get(t, fake, login+"/consumers/discovery/v2.0/keys").Body, header["kid"])
	next := at(t, fake, "consumers", refreshing(got.text("refresh_token"), nil))
	require.Equal(t, http.StatusOK, next.Status, next.Body)
	nextHeader, _ := claims(t, next.text("id_token"))
	assert.NotEqual(t, header["kid"], nextHeader["kid"])
	require.NoError(t, fake.EmergencyRotate())
	assert.NotContains(t, get(t, fake, login+"/common/discovery/v2.0/keys").Body, nextHeader["kid"])
}

// Which accounts an app is for decides where it may be used.
func TestAudiencesOfApps(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{Directory: withPersonalAccounts(), AutoSignIn: true})
	page := func(segment, version, client string) string {
		return get(
			t,
			fake,
			login+"/"+segment+version+"/authorize?"+request(map[string]string{"client_id": client}).Encode(),
		).Body
	}
	for _, one := range []struct{ segment, version, client, want string }{
		{"consumers", "/oauth2/v2.0", directory.DefaultAPIID, "AADSTS9002332"},
		{"consumers", "/oauth2/v2.0", "5a1e0002-0000-4000-8000-00000000dead", "AADSTS700016"},
		{"consumers", "/oauth2", directory.DefaultClientID, "AADSTS90027"},
		{directory.DefaultTenantID, "/oauth2/v2.0", spaID, "AADSTS9002331"},
		{"organizations", "/oauth2/v2.0", spaID, "AADSTS9002331"},
		{"organizations", "/oauth2/v2.0", directory.DefaultAPIID, "AADSTS50194"},
	} {
		assert.Contains(t, page(one.segment, one.version, one.client), one.want, "%s at %s", one.client, one.segment)
	}
	credentials := func(client string) url.Values {
		return url.Values{
			"grant_type":    {"client_credentials"},
			"client_id":     {client},
			"client_secret": {"s"},
			"scope":         {"https://graph.microsoft.com/.default"},
		}
	}
	assert.Equal(t, 9002331, at(t, fake, directory.DefaultTenantID, credentials(spaID)).number(t))
	assert.Equal(t, 9002332, at(t, fake, "consumers", credentials(directory.DefaultAPIID)).number(t))
	assert.Equal(t, 50059, at(t, fake, "common", credentials(directory.DefaultAPIID)).number(t))

	bare := newFake(t, fakeentra.Config{})
	assert.NotContains(
		t,
		get(t, bare, login+"/consumers/oauth2/v2.0/authorize?"+request(nil).Encode()).Body,
		directory.DefaultUser,
		"a directory without personal accounts offers none",
	)
	assert.Contains(
		t,
		get(t, bare, login+"/consumers/oauth2/v2.0/authorize?"+request(nil).Encode()).Body,
		"AADSTS9002332",
	)
}

// The error names an account of another organization or kind.
func TestAccountsOfElsewhere(t *testing.T) {
	t.Parallel()
	d := withPersonalAccounts()
	d.Tenants = append(d.Tenants, directory.Tenant{
		ID:          "5a1e0001-0000-4000-8000-000000000002",
		DisplayName: "Fabrikam",
		Domains:     []string{"fabrikam.example"},
		Users: []directory.User{
			{ID: "5a1e0004-0000-4000-8000-000000000011", UserPrincipalName: "lee@fabrikam.example", DisplayName: "Lee"},
		},
	})
	fake := newFake(t, fakeentra.Config{Directory: d})
	for _, one := range []struct{ segment, account, want string }{
		{directory.DefaultTenantID, "lee@fabrikam.example", "AADSTS50020"},
		{directory.DefaultTenantID, personalUser, "live.com"},
		{"consumers", directory.DefaultUser, "AADSTS500208"},
		{"organizations", personalUser, "AADSTS500208"},
		{"common", "missing@nowhere.example", "AADSTS50034"},
	} {
		person := &visit{t: t, fake: fake}
		page := person.open(
			http.MethodPost,
			login+"/"+one.segment+"/authorize/v2/login?"+request(nil).Encode(),
			url.Values{"account": {one.account}},
		)
		assert.Contains(t, page.Body, one.want, "%s at %s", one.account, one.segment)
		assert.Empty(t, person.cookies)
	}
}

// An app for work accounts refuses a personal account at every endpoint that shows it.
func TestPersonalAccountAtWorkApp(t *testing.T) {
	t.Parallel()
	d := withPersonalAccounts()
	d.Tenants[0].Apps[1].MultiTenant = true
	params := request(map[string]string{
		"client_id":    directory.DefaultAPIID,
		"redirect_uri": "http://localhost",
		"login_hint":   personalUser,
	})
	for _, segment := range []string{directory.DefaultTenantID, "organizations", "common"} {
		person := &visit{t: t, fake: newFake(t, fakeentra.Config{Directory: d})}
		address := login + "/" + segment + "/authorize/v2/login?" + params.Encode()
		page := person.open(http.MethodPost, address, url.Values{"account": {personalUser}})
		assert.Contains(t, page.Body, "AADSTS500200", segment)
		assert.Empty(t, person.cookies, segment)
	}
	auto := newFake(t, fakeentra.Config{Directory: d, AutoSignIn: true})
	page := get(t, auto, login+"/common/oauth2/v2.0/authorize?"+params.Encode())
	assert.Contains(t, page.Body, "AADSTS500200", "signed in without a page")
	consumers := get(t, auto, login+"/consumers/oauth2/v2.0/authorize?"+params.Encode())
	assert.Contains(t, consumers.Body, "AADSTS9002332")
}

// Only personal accounts can be created on the way.
func TestPromptCreate(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{Directory: withPersonalAccounts(), AutoSignIn: true})
	params := request(map[string]string{"prompt": "create", "login_hint": personalUser})
	got := get(t, fake, login+"/consumers/oauth2/v2.0/authorize?"+params.Encode())
	assert.NotEmpty(t, returned(t, got).Get("code"))
	assert.Contains(t, authorize(t, fake, params).Body, "AADSTS90023")
}
