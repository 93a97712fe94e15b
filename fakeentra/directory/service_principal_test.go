package directory_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/directory"
)

const twoTenants = `tenants:
- displayName: Contoso
  domains: [contoso.example]
  apps:
  - displayName: Partner
    multiTenant: true
  - displayName: Single
  - displayName: API
    tokenVersion: 2
    identifierUris: ["https://api.partner.example/mcp"]
    assignments:
    - principal: Single
- displayName: Fabrikam
  domains: [fabrikam.example]
  apps:
  - displayName: Files
    assignments:
    - principal: Partner
  servicePrincipals:
  - app: Partner
`

func TestServicePrincipalsByName(t *testing.T) {
	t.Parallel()
	file, err := directory.Parse("d.yaml", []byte(twoTenants))
	require.NoError(t, err)
	contoso := &file.Tenants[0]
	fabrikam := &file.Tenants[1]
	partner := &contoso.Apps[0]
	assert.Equal(t, partner.ID, fabrikam.ServicePrincipals[0].App)

	_, atHome := contoso.ServicePrincipal(partner)
	_, elsewhere := fabrikam.ServicePrincipal(partner)
	_, single := fabrikam.ServicePrincipal(&contoso.Apps[1])
	assert.True(t, atHome)
	assert.True(t, elsewhere)
	assert.False(t, single)

	// An assignment names an app, and means its service principal in the tenant.
	assert.NotEqual(t, contoso.PrincipalID(partner), fabrikam.PrincipalID(partner))
	assert.Equal(t, fabrikam.PrincipalID(partner), fabrikam.Apps[0].Assignments[0].Principal)
	assert.Equal(t, contoso.PrincipalID(&contoso.Apps[1]), contoso.Apps[2].Assignments[0].Principal)

	require.Len(t, file.Warnings(), 1)
	assert.EqualError(t, file.Warnings()[0], `d.yaml:10: app "API": identifier URI "https://api.partner.example/mcp" `+
		"names no domain of the tenant; reports disagree whether Entra ID accepts it")
}

func TestServicePrincipalMistakes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		entry string
		want  string
	}{
		{"app: Single", `want the name or ID of a multi-tenant app of another tenant, got "Single"`},
		{"app: Files", "want the name or ID of a multi-tenant app of another tenant, got "},
		{"app: Missing", `want the name or ID of a multi-tenant app of another tenant, got "Missing"`},
		{"app: Partner", "appears twice"},
		{"consented: [Nonsense.Read]", `Microsoft Graph has no delegated permission "Nonsense.Read"; correct its name`},
		{"objectId: x", `want a GUID as object ID, got "x"`},
	} {
		text := strings.TrimSpace(twoTenants) + "\n  - " + test.entry + "\n"
		_, err := directory.Parse("d.yaml", []byte(text))
		assert.ErrorContains(t, err, test.want, test.entry)
		assert.ErrorContains(t, err, "d.yaml:21: service principal: ", test.entry)
	}
	unassigned := strings.Replace(twoTenants, "  servicePrincipals:\n  - app: Partner\n", "", 1)
	_, err := directory.Parse("d.yaml", []byte(unassigned))
	assert.ErrorContains(t, err, "want the name or object ID of a user, group or app",
		"an app without a service principal has no assignment")
}
