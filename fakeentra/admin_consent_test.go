package fakeentra_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// The refusal of an administrator carries admin_consent=True, too.
func TestDeclinedAdminConsent(t *testing.T) {
	t.Parallel()
	d := changed(func(t *directory.Tenant) { t.Users[0].Admin = true })
	params := url.Values{
		"client_id":    {directory.DefaultClientID},
		"redirect_uri": {callback},
		"scope":        {"https://graph.microsoft.com/User.Read"},
		"state":        {"s"},
	}
	decline := func(version string) url.Values {
		admin := &visit{t: t, fake: newFake(t, fakeentra.Config{Directory: d})}
		form := tenantURL + "/adminconsent/" + version + "/"
		account := url.Values{"account": {directory.DefaultUser}}
		page := admin.open(http.MethodPost, form+"login?"+params.Encode(), account)
		require.Contains(t, page.Body, "Permissions requested for your organization")
		refusal := url.Values{"answer": {"cancel"}}
		return returned(t, admin.open(http.MethodPost, form+"consent?"+params.Encode(), refusal))
	}
	got := decline("v2")
	assert.Contains(t, got.Get("error_description"), "AADSTS65004: User declined to consent")
	got.Del("error_description")
	assert.Equal(t, url.Values{
		"admin_consent": {"True"},
		"tenant":        {directory.DefaultTenantID},
		"error":         {"consent_required"},
		"state":         {"s"},
	}, got)
	assert.Equal(t, url.Values{
		"error":             {"permission_denied"},
		"error_description": {"The admin canceled the request"},
		"state":             {"s"},
	}, decline("v1"))
}
