package fakeentra_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

func withPolicy(policy directory.Policy) directory.Directory {
	return changed(func(t *directory.Tenant) { t.Policies = []directory.Policy{policy} })
}

func TestSecondFactor(t *testing.T) {
	t.Parallel()
	d := withPolicy(
		directory.Policy{
			Name:    "MFA for the API",
			Apps:    []string{directory.DefaultAPIID},
			Require: directory.RequireMFA,
		},
	)
	d.Tenants[0].Apps[0].Consented = []string{"User.Read", apiScope}
	person := &visit{t: t, fake: newFake(t, fakeentra.Config{Directory: d})}
	plain := request(map[string]string{"scope": "openid offline_access User.Read"})
	code := returned(t, person.post("login", plain, url.Values{"account": {directory.DefaultUser}})).Get("code")
	require.NotEmpty(t, code, "Graph needs no second factor")
	refresh := token(t, person.fake, redemption(code, nil)).text("refresh_token")
	got := token(t, person.fake, refreshing(refresh, map[string]string{"scope": apiScope}))
	assert.Equal(t, 50076, got.number(t))
	assert.Equal(t, "invalid_grant", got.text("error"))
	assert.Equal(t, "basic_action", got.text("suberror"))
	assert.Contains(t, got.text("claims"), `"capolids"`)
	assert.Equal(
		t,
		[]string{
			"error",
			"error_description",
			"error_codes",
			"timestamp",
			"trace_id",
			"correlation_id",
			"error_uri",
			"suberror",
			"claims",
		},
		members(t, got.Body),
	)

	// The client goes back with the claims of the challenge, and the person confirms.
	stepUp := request(map[string]string{"scope": "openid offline_access " + apiScope, "claims": got.text("claims")})
	page := person.open(http.MethodGet, tenantURL+"/oauth2/v2.0/authorize?"+stepUp.Encode(), nil)
	assert.Contains(t, page.Body, "Approve sign in request")
	silent := person.open(
		http.MethodGet,
		tenantURL+"/oauth2/v2.0/authorize?"+with(stepUp, map[string]string{"prompt": "none"}).Encode(),
		nil,
	)
	assert.Equal(t, "interaction_required", returned(t, silent).Get("error"))
	stepUp.Del("prompt")
	code = returned(t, person.post("secondfactor", stepUp, url.Values{"answer": {"approve"}})).Get("code")
	strong := token(t, person.fake, redemption(code, nil))
	require.Equal(t, http.StatusOK, strong.Status, strong.Body)
	assert.Equal(
		t,
		http.StatusOK,
		token(t, person.fake, refreshing(strong.text("refresh_token"), map[string]string{"scope": apiScope})).Status,
	)
	declined := returned(t, person.post("secondfactor", stepUp, url.Values{"answer": {"cancel"}}))
	assert.Equal(t, "access_denied", declined.Get("error"))
}

func TestBlockingPolicies(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		requirement directory.Requirement
		number      int
	}{
		{directory.RequireNothingWorks, 53003},
		{directory.RequireCompliantDevice, 53000},
	} {
		t.Run(string(test.requirement), func(t *testing.T) {
			d := withPolicy(directory.Policy{
				Name:    "No",
				Users:   []string{directory.DefaultUserID},
				Apps:    []string{directory.DefaultAPIID},
				Require: test.requirement,
			})
			fake := newFake(t, fakeentra.Config{Directory: d, AutoSignIn: true})
			page := authorize(t, fake, request(map[string]string{"scope": apiScope}))
			assert.Contains(t, page.Body, fmt.Sprintf("AADSTS%d", test.number))
			refresh := token(t, fake, redemption(signIn(t, fake, nil), nil)).text("refresh_token")
			got := token(t, fake, refreshing(refresh, map[string]string{"scope": apiScope}))
			assert.Equal(t, test.number, got.number(t))
			assert.Equal(t, "message_only", got.text("suberror"))
			other := map[string]string{"scope": apiScope, "login_hint": otherUser}
			assert.NotEmpty(t, signIn(t, fake, other), "the policy is for one user")
		})
	}
}

func TestAuthenticationContext(t *testing.T) {
	t.Parallel()
	d := changed(func(t *directory.Tenant) { t.Apps[1].OptionalClaims.AccessToken = []string{"xms_cc"} })
	fake := newFake(t, fakeentra.Config{AutoSignIn: true, Directory: d})
	code := signIn(
		t,
		fake,
		map[string]string{
			"scope":  apiScope,
			"claims": `{"access_token":{"acrs":{"essential":true,"value":"c1"},"xms_cc":{"values":["cp1"]}}}`,
		},
	)
	_, payload := claims(t, token(t, fake, redemption(code, nil)).text("access_token"))
	assert.Equal(t, []any{"c1"}, payload["acrs"])
	assert.Equal(t, []any{"cp1"}, payload["xms_cc"])
	assert.Equal(
		t,
		"invalid_request",
		returned(t, authorize(t, fake, request(map[string]string{"claims": "{"}))).Get("error"),
	)
}

func TestUsersWhoCannotSignIn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text   string
		change func(*directory.User)
	}{
		{"AADSTS50057", func(u *directory.User) { u.Disabled = true }},
		{"AADSTS50053", func(u *directory.User) { u.Locked = true }},
		{"AADSTS50055", func(u *directory.User) { u.PasswordExpired = true }},
	} {
		d := changed(func(t *directory.Tenant) { test.change(&t.Users[0]) })
		person := &visit{t: t, fake: newFake(t, fakeentra.Config{Directory: d})}
		page := person.post("login", request(nil), url.Values{"account": {directory.DefaultUser}})
		assert.Contains(t, page.Body, test.text)
		assert.Empty(t, person.cookies)
	}
}

func TestConsentOfAdministrators(t *testing.T) {
	t.Parallel()
	d := changed(func(t *directory.Tenant) {
		t.Apps[1].Scopes[1].AdminOnly = true
		t.Users = append(
			t.Users,
			directory.User{
				ID:                "5a1e0004-0000-4000-8000-0000000000ad",
				UserPrincipalName: "admin@contoso.onmicrosoft.com",
				DisplayName:       "Admin",
				Admin:             true,
			},
		)
	})
	fake := newFake(t, fakeentra.Config{Directory: d})
	write := request(map[string]string{"scope": "api://" + directory.DefaultAPIID + "/tool.write"})
	person := &visit{t: t, fake: fake}
	assert.Contains(t, person.post("login", write, url.Values{"account": {directory.DefaultUser}}).Body, "AADSTS90094")
	assert.Contains(
		t,
		person.post("consent", write, url.Values{"answer": {"accept"}}).Body,
		"AADSTS90094",
		"not by sending the form, either",
	)

	// An administrator grants it for all users at the endpoint for admin consent.
	admin := &visit{t: t, fake: fake}
	params := url.Values{
		"client_id":    {directory.DefaultClientID},
		"redirect_uri": {callback},
		"state":        {"s"},
		"scope":        {"api://" + directory.DefaultAPIID + "/tool.write"},
	}
	start := tenantURL + "/v2.0/adminconsent?" + params.Encode()
	assert.Contains(t, admin.open(http.MethodGet, start, nil).Body, "Pick an account")
	send := func(who *visit, step string, form url.Values) answer {
		return who.open(http.MethodPost, tenantURL+"/adminconsent/v2/"+step+"?"+params.Encode(), form)
	}
	assert.Contains(t, send(person, "login", url.Values{"account": {directory.DefaultUser}}).Body, "AADSTS90094")
	assert.Contains(t, send(person, "consent", url.Values{"answer": {"accept"}}).Body, "AADSTS90094")
	assert.Contains(
		t,
		send(admin, "login", url.Values{"account": {"admin@contoso.onmicrosoft.com"}}).Body,
		"Permissions requested for your organization",
	)
	back := returned(t, send(admin, "consent", url.Values{"answer": {"accept"}}))
	assert.Equal(
		t,
		url.Values{
			"admin_consent": {"True"},
			"tenant":        {directory.DefaultTenantID},
			"scope":         {params.Get("scope")},
			"state":         {"s"},
		},
		back,
	)

	now := person.post("login", write, url.Values{"account": {directory.DefaultUser}})
	assert.NotEmpty(t, returned(t, now).Get("code"), "no user is asked any more")
}

func TestPreAuthorizedClientsNeedNoConsent(t *testing.T) {
	t.Parallel()
	d := changed(func(t *directory.Tenant) { t.Apps[1].PreAuthorized = []string{directory.DefaultClientID} })
	person := &visit{t: t, fake: newFake(t, fakeentra.Config{Directory: d})}
	got := person.post(
		"login",
		request(map[string]string{"scope": apiScope}),
		url.Values{"account": {directory.DefaultUser}},
	)
	assert.NotEmpty(t, returned(t, got).Get("code"))
}

func TestTenantWithoutUserConsent(t *testing.T) {
	t.Parallel()
	d := changed(func(t *directory.Tenant) { t.NoUserConsent = true })
	person := &visit{t: t, fake: newFake(t, fakeentra.Config{Directory: d})}
	assert.Contains(
		t,
		person.post("login", request(nil), url.Values{"account": {directory.DefaultUser}}).Body,
		"AADSTS90094",
	)
}
