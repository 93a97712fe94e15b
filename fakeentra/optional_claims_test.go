package fakeentra_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// optionalTokens are the claims of a person's access token for the default API.
func optionalTokens(
	t *testing.T,
	optional []string,
	properties map[string][]string,
	change func(*directory.Tenant, *directory.App),
) map[string]any {
	t.Helper()
	d := changed(func(t *directory.Tenant) {
		t.Apps[1].OptionalClaims.AccessToken = optional
		t.Apps[1].OptionalClaims.AdditionalProperties = properties
		if change != nil {
			change(t, &t.Apps[1])
		}
	})
	_, payload := claims(t, tokensOf(t, d, apiScope).text("access_token"))
	return payload
}

func TestAudienceIsTheGUIDIfAsked(t *testing.T) {
	t.Parallel()
	isV1 := func(_ *directory.Tenant, app *directory.App) { app.TokenVersion = 1 }
	useGUID := map[string][]string{"aud": {"use_guid"}}
	assert.Equal(t, apiURI, optionalTokens(t, nil, nil, isV1)["aud"])
	assert.Equal(t, directory.DefaultAPIID, optionalTokens(t, []string{"aud"}, useGUID, isV1)["aud"])
}

func TestKindOfTokenInUserTokens(t *testing.T) {
	t.Parallel()
	include := map[string][]string{"idtyp": {"include_user_token"}}
	assert.NotContains(t, optionalTokens(t, []string{"idtyp"}, nil, nil), "idtyp", "only in tokens of apps")
	assert.Equal(t, "user", optionalTokens(t, []string{"idtyp"}, include, nil)["idtyp"])
	d := changed(func(t *directory.Tenant) { t.Apps[1].OptionalClaims.AccessToken = []string{"idtyp"} })
	got := appTokenAt(t, newFake(t, fakeentra.Config{Directory: d}), "/oauth2/v2.0/token")
	_, payload := claims(t, got.text("access_token"))
	assert.Equal(t, "app", payload["idtyp"])
}

// xms_edov tells whether the owner of the mail domain is verified. It has no meaning without email.
func TestVerifiedMailDomain(t *testing.T) {
	t.Parallel()
	both := []string{"xms_edov", "email"}
	mail := func(address string) func(*directory.Tenant, *directory.App) {
		return func(t *directory.Tenant, _ *directory.App) { t.Users[0].Mail = address }
	}
	assert.Equal(t, true, optionalTokens(t, both, nil, nil)["xms_edov"])
	assert.Equal(t, false, optionalTokens(t, both, nil, mail("adele@elsewhere.example"))["xms_edov"])
	assert.NotContains(t, optionalTokens(t, both, nil, mail("")), "xms_edov", "no mail address")
	assert.NotContains(t, optionalTokens(t, []string{"xms_edov"}, nil, nil), "xms_edov")
	personal := optionalTokens(t, both, nil, func(t *directory.Tenant, _ *directory.App) {
		t.Users[0].Mail = "megan@outlook.com"
		t.Users[0].HomeTenant = directory.ConsumersTenantID
	})
	assert.Equal(t, true, personal["xms_edov"])
	guest := optionalTokens(t, both, nil, func(t *directory.Tenant, _ *directory.App) {
		t.Users[0].HomeTenant = fabrikamID
	})
	assert.Equal(t, false, guest["xms_edov"], "the home of the guest is unknown")
}

func TestVerifiedMailAddresses(t *testing.T) {
	t.Parallel()
	optional := []string{"verified_primary_email", "verified_secondary_email"}
	payload := optionalTokens(t, optional, nil, func(t *directory.Tenant, _ *directory.App) {
		t.Users[0].PrimaryAuthoritativeEmail = []string{"adele@contoso.example"}
	})
	assert.Equal(t, []any{"adele@contoso.example"}, payload["verified_primary_email"])
	assert.NotContains(t, payload, "verified_secondary_email", "absent, not empty")
}

// Properties of the claim groups choose the name of a group, and the claim.
func TestNamesOfGroups(t *testing.T) {
	t.Parallel()
	const synced, cloud = "5a1e0005-0000-4000-8000-000000000001", "5a1e0005-0000-4000-8000-000000000002"
	setUp := func(t *directory.Tenant, app *directory.App) {
		app.GroupMembershipClaims = "ApplicationGroup"
		app.Roles = []directory.Role{{Value: "operator"}}
		app.Assignments = []directory.Assignment{
			{Principal: synced, Role: "operator"},
			{Principal: cloud},
		}
		t.Groups = []directory.Group{
			{
				ID:                       synced,
				DisplayName:              "Synced",
				Members:                  []string{directory.DefaultUserID},
				OnPremisesSamAccountName: "sync",
				OnPremisesDomainName:     "contoso.example",
				OnPremisesNetBiosName:    "CONTOSO",
			},
			{ID: cloud, DisplayName: "Cloud", Members: []string{directory.DefaultUserID}},
		}
	}
	for _, test := range []struct {
		name       string
		properties []string
		groups     any
		roles      any
	}{
		{"none", nil, []any{synced, cloud}, []any{"operator"}},
		{"sam", []string{"sam_account_name"}, []any{"sync", cloud}, []any{"operator"}},
		{
			"the first property counts",
			[]string{"dns_domain_and_sam_account_name", "sam_account_name"},
			[]any{`contoso.example\sync`, cloud},
			[]any{"operator"},
		},
		{
			"NetBIOS, and names of cloud groups",
			[]string{"netbios_domain_and_sam_account_name", "cloud_displayname"},
			[]any{`CONTOSO\sync`, "Cloud"},
			[]any{"operator"},
		},
		{"as roles", []string{"sam_account_name", "emit_as_roles"}, nil, []any{"sync", cloud}},
	} {
		payload := optionalTokens(t, []string{"groups"}, map[string][]string{"groups": test.properties}, setUp)
		assert.Equal(t, test.groups, payload["groups"], test.name)
		assert.Equal(t, test.roles, payload["roles"], test.name)
	}
	without := optionalTokens(
		t,
		[]string{"groups"},
		map[string][]string{"groups": {"emit_as_roles"}},
		func(t *directory.Tenant, app *directory.App) {
			setUp(t, app)
			t.Groups[0].Members = nil
			t.Groups[1].Members = nil
			app.Assignments = []directory.Assignment{{Principal: directory.DefaultUserID, Role: "operator"}}
		},
	)
	assert.NotContains(t, without, "roles", "app roles are not in roles, even without a group")
}
