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

// TestTokensHaveAttributes reads the same claims from an ID token and from an API's access token.
func TestTokensHaveAttributes(t *testing.T) {
	t.Parallel()
	const (
		home    = "https://sts.windows.net/" + directory.DefaultTenantID + "/"
		foreign = "https://sts.windows.net/" + secondTenant + "/"
		group   = "5a1e0006-0000-4000-8000-000000000001"
	)
	leftOut := func(name string) map[string]any { return map[string]any{name: "src1"} }
	member := identity.Attributes{Kind: identity.User, KindStated: true}
	guest := identity.Attributes{Kind: identity.Guest, KindStated: true}
	unstated := identity.Attributes{Kind: identity.User}
	incomplete := identity.Attributes{Kind: identity.User, GroupsIncomplete: true}
	for name, test := range map[string]struct {
		claims map[string]any
		want   identity.Attributes
	}{
		"no claim":                     {map[string]any{}, unstated},
		"member":                       {map[string]any{"acct": 0}, member},
		"guest":                        {map[string]any{"acct": 1}, guest},
		"guest as text":                {map[string]any{"acct": "1"}, guest},
		"unknown acct":                 {map[string]any{"acct": 2}, unstated},
		"acct without a number":        {map[string]any{"acct": true, "idp": home}, unstated},
		"idp is the tenant":            {map[string]any{"idp": home}, member},
		"idp is another tenant":        {map[string]any{"idp": foreign}, guest},
		"personal account":             {map[string]any{"idp": "live.com"}, guest},
		"guest with the tenant as idp": {map[string]any{"acct": 1, "idp": home}, guest},
		"member with a foreign idp":    {map[string]any{"acct": 0, "idp": foreign}, guest},
		"roles": {map[string]any{"roles": []string{"Admin", "Reader"}},
			identity.Attributes{Kind: identity.User, Roles: []string{"Admin", "Reader"}}},
		"groups": {map[string]any{"groups": []string{group}},
			identity.Attributes{Kind: identity.User, Groups: []string{group}}},
		"groups and hasgroups": {map[string]any{"groups": []string{group}, "hasgroups": true},
			identity.Attributes{Kind: identity.User, Groups: []string{group}, GroupsIncomplete: true}},
		"groups left out":        {map[string]any{"_claim_names": leftOut("groups")}, incomplete},
		"another claim left out": {map[string]any{"_claim_names": leftOut("photo")}, unstated},
		"hasgroups":              {map[string]any{"hasgroups": true}, incomplete},
		"hasgroups as text":      {map[string]any{"hasgroups": "true"}, incomplete},
		"hasgroups is false":     {map[string]any{"hasgroups": false}, unstated},
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

// TestTenantByDomainKnowsItsProvider signs in a member whose token names the tenant as idp.
func TestTenantByDomainKnowsItsProvider(t *testing.T) {
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
