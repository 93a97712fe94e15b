package fakeentra_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// A code and a refresh token belong to one client and, if this has a single tenant, to its tenant.
func TestGrantOfAnotherClientOrPlace(t *testing.T) {
	t.Parallel()
	d := changed(func(t *directory.Tenant) { t.Apps[1].Web = []string{callback} })
	fake := newFake(t, fakeentra.Config{Directory: d, AutoSignIn: true})
	code := signIn(t, fake, nil)
	other := map[string]string{
		"client_id":     directory.DefaultAPIID,
		"client_secret": directory.DefaultAPISecret,
	}
	foreign := token(t, fake, redemption(code, other))
	assert.Equal(t, 700007, foreign.number(t))
	assert.Equal(t, http.StatusBadRequest, foreign.Status)
	assert.Contains(t, foreign.text("error_description"), "The grant was issued for a different client id.")
	for _, segment := range []string{"common", "organizations"} {
		assert.Equal(t, 50194, at(t, fake, segment, redemption(code, nil)).number(t), segment)
	}
	got := token(t, fake, redemption(code, nil))
	require.Equal(t, http.StatusOK, got.Status, got.Body)
	refresh := got.text("refresh_token")
	assert.Equal(t, 700007, token(t, fake, refreshing(refresh, other)).number(t))
	assert.Equal(t, 50194, at(t, fake, "common", refreshing(refresh, nil)).number(t))
	assert.Equal(t, 50059, at(t, fake, "common", appOnly(graphDefault)).number(t), "no person implies a tenant")
	assert.Equal(t, http.StatusOK, token(t, fake, refreshing(refresh, nil)).Status, "the failures keep it valid")
}

// Without a scope an app gets no token for itself. With the full name of its scope it does.
func TestRefreshForItselfNamesTheScope(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	own := map[string]string{
		"client_id":     directory.DefaultAPIID,
		"redirect_uri":  "http://localhost",
		"client_secret": "",
	}
	params := with(request(own), map[string]string{"scope": apiScope + " offline_access"})
	code := returned(t, authorize(t, fake, params)).Get("code")
	got := token(t, fake, redemption(code, own))
	require.Equal(t, http.StatusOK, got.Status, got.Body)
	refresh := func(scope, resource string) answer {
		form := refreshing(got.text("refresh_token"), own)
		return token(t, fake, with(form, map[string]string{"scope": scope, "resource": resource}))
	}
	assert.Equal(t, 90009, refresh("", "").number(t))
	assert.Equal(t, 90009, refresh("", apiURI).number(t), "the parameter resource does not help")
	for _, scope := range []string{apiScope, directory.DefaultAPIID + "/tool.read"} {
		assert.Equal(t, http.StatusOK, refresh(scope, "").Status, scope)
	}
	assert.Equal(t, http.StatusOK, refresh(apiScope, apiURI).Status)
	assert.Equal(t, 9010010, refresh("tool.read", apiURI).number(t), "a bare name belongs to Graph")
	assert.Equal(t, 70011, refresh("tool.read", "").number(t))
}

// The names in scope are looked up after the sign-in if they have no resource, and never if the
// parameter resource does not fit.
func TestUnknownBareScope(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	params := request(map[string]string{"scope": "access_as_user"})
	page := authorize(t, fake, params)
	assert.Equal(t, http.StatusOK, page.Status)
	assert.Contains(t, page.Body, "Pick an account")
	person := &visit{t: t, fake: fake}
	back := returned(t, person.post("login", params, url.Values{"account": {directory.DefaultUser}}))
	assert.Equal(t, "invalid_client", back.Get("error"))
	assert.Contains(t, back.Get("error_description"), "AADSTS650053")
	silent := with(request(map[string]string{"scope": "access_as_user"}), map[string]string{"prompt": "none"})
	assert.Contains(t, returned(t, authorize(t, fake, silent)).Get("error_description"), "AADSTS50058")
	silent.Set("resource", apiURI)
	at := returned(t, authorize(t, fake, silent))
	assert.Equal(t, "invalid_target", at.Get("error"), "before the sign-in")
	assert.Contains(t, at.Get("error_description"), "AADSTS9010010")
}

// MSAL asks for an app-only token in a tenant that does not have the app yet.
func TestMSALInASecondTenant(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{Directory: twoTenants(nil)})
	credential, err := confidential.NewCredFromSecret(directory.DefaultClientSecret)
	require.NoError(t, err)
	client, err := confidential.New(fabrikamURL, directory.DefaultClientID, credential,
		confidential.WithHTTPClient(fake.Client()))
	require.NoError(t, err)
	_, err = client.AcquireTokenByCredential(t.Context(), []string{graphDefault})
	require.ErrorContains(t, err, "AADSTS7000229")
	require.NotEmpty(t, consentAt(t, fake, request(nil), "accept").Get("code"))
	_, err = client.AcquireTokenByCredential(t.Context(), []string{graphDefault})
	require.NoError(t, err)
	_, err = client.AcquireTokenByCredential(t.Context(), []string{foreignAPI + "/.default"})
	assert.ErrorContains(t, err, "AADSTS500011")
}
