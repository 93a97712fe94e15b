package entra_test

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/server/entra"
	"mcpentra/server/identity"
)

// TestWhatATokenSaysBesideWhoSomebodyIs reads the same claims from an ID token and from an access
// token of an API.
func TestWhatATokenSaysBesideWhoSomebodyIs(t *testing.T) {
	t.Parallel()
	const (
		home    = "https://sts.windows.net/" + directory.DefaultTenantID + "/"
		foreign = "https://sts.windows.net/" + secondTenant + "/"
		group   = "5a1e0006-0000-4000-8000-000000000001"
	)
	elsewhere := func(name string) map[string]any { return map[string]any{name: "src1"} }
	member := identity.Attributes{Kind: identity.User, KindStated: true}
	guest := identity.Attributes{Kind: identity.Guest, KindStated: true}
	unstated := identity.Attributes{Kind: identity.User}
	incomplete := identity.Attributes{Kind: identity.User, GroupsIncomplete: true}
	for name, test := range map[string]struct {
		claims map[string]any
		want   identity.Attributes
	}{
		"nothing":                       {map[string]any{}, unstated},
		"a member":                      {map[string]any{"acct": 0}, member},
		"a guest":                       {map[string]any{"acct": 1}, guest},
		"a guest in text":               {map[string]any{"acct": "1"}, guest},
		"an account of no known kind":   {map[string]any{"acct": 2}, unstated},
		"an account that is no number":  {map[string]any{"acct": true, "idp": home}, unstated},
		"the tenant as provider":        {map[string]any{"idp": home}, member},
		"another tenant as provider":    {map[string]any{"idp": foreign}, guest},
		"a personal account":            {map[string]any{"idp": "live.com"}, guest},
		"a guest with an account here":  {map[string]any{"acct": 1, "idp": home}, guest},
		"a member with an account away": {map[string]any{"acct": 0, "idp": foreign}, guest},
		"roles": {map[string]any{"roles": []string{"Admin", "Reader"}},
			identity.Attributes{Kind: identity.User, Roles: []string{"Admin", "Reader"}}},
		"groups": {map[string]any{"groups": []string{group}},
			identity.Attributes{Kind: identity.User, Groups: []string{group}}},
		"groups and a mark": {map[string]any{"groups": []string{group}, "hasgroups": true},
			identity.Attributes{Kind: identity.User, Groups: []string{group}, GroupsIncomplete: true}},
		"groups elsewhere":        {map[string]any{"_claim_names": elsewhere("groups")}, incomplete},
		"another claim elsewhere": {map[string]any{"_claim_names": elsewhere("photo")}, unstated},
		"a mark":                  {map[string]any{"hasgroups": true}, incomplete},
		"a mark in text":          {map[string]any{"hasgroups": "true"}, incomplete},
		"a mark of none":          {map[string]any{"hasgroups": false}, unstated},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			issuer := newIssuer(t)
			claims := map[string]any{}
			for key, value := range test.claims {
				if key == "idp" && value == home {
					value = issuer.URL + "/" + directory.DefaultTenantID + "/v2.0"
				}
				claims[key] = value
			}
			tokens, err := redeemWith(t, issuer, issuer.idToken(t, claims))
			require.NoError(t, err)
			assert.Equal(t, test.want, tokens.User.Attributes, "of an ID token")

			fake := newAPIFake(t, 2)
			raw := mint(t, fake, fakeentra.Token{Edit: func(all map[string]any) { maps.Copy(all, test.claims) }})
			caller, err := newAPI(t, apiConfig(fake), entra.APIConfig{}).Verify(t.Context(), raw)
			require.NoError(t, err)
			assert.Equal(t, test.want, caller.Attributes, "of an access token")
		})
	}
}

// TestATenantByItsDomainKnowsItsOwn signs a member in whose token names the tenant as the provider.
func TestATenantByItsDomainKnowsItsOwn(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t)
	for _, tenant := range []string{directory.DefaultTenantID, directory.DefaultDomain} {
		raw := issuer.idToken(t, map[string]any{"idp": "https://sts.windows.net/" + directory.DefaultTenantID + "/"})
		cfg := issuer.config()
		cfg.TenantID = tenant
		tokens, err := redeemAs(t, issuer, cfg, raw)
		require.NoError(t, err)
		assert.Equal(t, identity.User, tokens.User.Kind, tenant)
	}
}
