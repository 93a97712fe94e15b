package claims

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/rules"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func testMaker() (*Maker, *rules.Delegation) {
	d := directory.Default()
	tenant := &d.Tenants[0]
	maker := &Maker{
		Rules: &rules.Rules{
			Directory: &d,
			Authority: "https://login.example",
			STS:       "https://sts.example",
			GraphURL:  "https://graph.example",
		},
		Now:    func() time.Time { return now },
		Random: func(n int) []byte { return make([]byte, n) },
	}
	return maker, &rules.Delegation{
		Version:  rules.V2,
		Tenant:   tenant,
		Client:   tenant.App(directory.DefaultClientID),
		User:     &tenant.Users[0],
		Asked:    &rules.Permissions{OIDC: []string{"openid", "profile", "email"}},
		SID:      "sid",
		Strength: "1",
	}
}

// names are the claims of a token, without those that every token has.
func names(claims map[string]any) string {
	all := slices.Sorted(maps.Keys(claims))
	common := []string{"aio", "aud", "exp", "iat", "iss", "nbf", "rh", "sub", "tid", "uti", "ver"}
	return strings.Join(slices.DeleteFunc(all, func(name string) bool { return slices.Contains(common, name) }), " ")
}

func TestClaimsOfEachToken(t *testing.T) {
	t.Parallel()
	maker, d := testMaker()
	v1 := *d.Tenant.App(directory.DefaultAPIID)
	v2 := *d.Tenant.App(directory.DefaultAPIID)
	v1.TokenVersion = 1
	v2.TokenVersion = 2
	user := func(api *directory.App) map[string]any {
		return maker.User(d, rules.PermissionGroup{App: api}, []string{"tool.read", "offline_access"}, time.Hour)
	}
	app := func(api *directory.App) map[string]any {
		return maker.App(d.Tenant, d.Client, "1", rules.PermissionGroup{App: api}, time.Hour)
	}
	old := *d
	old.Version = rules.V1
	for _, test := range []struct {
		name    string
		claims  map[string]any
		version string
		want    string
	}{
		{"a person's v2 token", user(&v2), "2.0", "azp azpacr name oid preferred_username scp sid xms_ftd"},
		{"a person's v1 token", user(&v1), "1.0",
			"acr amr appid appidacr family_name given_name ipaddr name oid scp sid unique_name upn xms_ftd"},
		{"an app's v2 token", app(&v2), "2.0", "azp azpacr oid xms_ftd"},
		{"an app's v1 token", app(&v1), "1.0", "appid appidacr idp oid xms_ftd"},
		{"an app's token for Graph", app(&rules.GraphApp), "1.0",
			"app_displayname appid appidacr idp idtyp oid xms_ftd"},
		{"a v2 ID token", maker.ID(d, "", ""), "2.0", "email name oid preferred_username sid"},
		{"a v1 ID token", maker.ID(&old, "", ""), "1.0",
			"amr family_name given_name ipaddr name oid sid unique_name upn"},
		{"an ID token with a code and a token", maker.ID(d, "code", "token"), "2.0",
			"at_hash c_hash email name oid preferred_username sid"},
	} {
		assert.Equal(t, test.want, names(test.claims), test.name)
		assert.Equal(t, test.version, test.claims["ver"], test.name)
		assert.Equal(t, now.Add(time.Hour).Unix(), test.claims["exp"], test.name)
		assert.Equal(t, now.Add(-Backdate).Unix(), test.claims["nbf"], test.name)
	}
	assert.Equal(t, "tool.read", user(&v2)["scp"], "offline_access is in no token")
	assert.NotEqual(t, user(&v2)["sub"], maker.ID(d, "", "")["sub"], "sub is pairwise")
}

func TestClaimsOfGraphTokens(t *testing.T) {
	t.Parallel()
	maker, d := testMaker()
	d.SecondFactor = true
	d.Contexts = []string{"c1"}
	d.Capabilities = []string{"CP1"}
	got := maker.User(d, rules.PermissionGroup{App: &rules.GraphApp}, []string{"User.Read"}, time.Hour)
	assert.Equal(t, "https://graph.example", got["aud"])
	assert.Equal(t, []string{"pwd", "mfa"}, got["amr"])
	assert.Equal(t, []string{"c1"}, got["acrs"])
	assert.Equal(t, []string{"CP1"}, got["xms_cc"])
	assert.Equal(t, map[string]string{"sub": pairwise(d.User, d.Client)}, got["xms_st"])
	assert.Contains(t, got, "puid")
}
