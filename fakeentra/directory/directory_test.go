package directory_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/directory"
)

func TestDefaultIsInOrder(t *testing.T) {
	t.Parallel()
	d := directory.Default()
	require.NoError(t, d.Check())
	tenant := d.Tenant("CONTOSO.onmicrosoft.com")
	require.NotNil(t, tenant)
	assert.Same(t, tenant, d.Tenant(directory.DefaultTenantID))
	assert.Nil(t, d.Tenant("fabrikam.onmicrosoft.com"))
	assert.Equal(t, directory.DefaultUserID, tenant.User("adelev@CONTOSO.onmicrosoft.com").ID)
	assert.Equal(t, "MCP server", tenant.App(directory.DefaultClientID).DisplayName)
	assert.Equal(t, "tool.read", tenant.App(directory.DefaultAPIID).ScopeNamed("Tool.Read").Name)
	assert.Nil(t, tenant.App(directory.DefaultAPIID).ScopeNamed("tool.delete"))
}

func TestIdentifierURIsAreComparedByCharacter(t *testing.T) {
	t.Parallel()
	d := directory.Default()
	const uri = "api://" + directory.DefaultAPIID
	assert.NotNil(t, d.Tenants[0].Resource(uri))
	assert.NotNil(t, d.Tenants[0].Resource(directory.DefaultAPIID))
	assert.Nil(t, d.Tenants[0].Resource(uri+"/"))
	assert.Nil(t, d.Tenants[0].Resource("API://"+directory.DefaultAPIID))
}

func TestCheckFindsWhatEntraWouldNotTake(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text  string
		spoil func(*directory.Tenant)
	}{
		{"want a GUID as ID", func(t *directory.Tenant) { t.ID = "contoso" }},
		{
			"contoso.onmicrosoft.com is already in use",
			func(t *directory.Tenant) { t.Domains = append(t.Domains, t.Domains[0]) },
		},
		{
			`app "x": want a unique GUID`,
			func(t *directory.Tenant) { t.Apps = append(t.Apps, directory.App{DisplayName: "x", ID: t.Apps[0].ID}) },
		},
		{
			"must not end in a slash",
			func(t *directory.Tenant) { t.Apps[1].IdentifierURIs = []string{"https://api.example/"} },
		},
		{"must be an absolute URI", func(t *directory.Tenant) { t.Apps[0].Web = []string{"/auth/callback"} }},
		{"without a fragment", func(t *directory.Tenant) { t.Apps[0].SPA = []string{"https://spa.example/#x"} }},
		{"want a user principal name", func(t *directory.Tenant) { t.Users[0].UserPrincipalName = "adele" }},
		{
			`user "AlexW@contoso.onmicrosoft.com": want a unique GUID`,
			func(t *directory.Tenant) { t.Users[1].ID = t.Users[0].ID },
		},
	} {
		d := directory.Default()
		test.spoil(&d.Tenants[0])
		assert.ErrorContains(t, d.Check(), test.text)
	}
	empty := directory.Directory{}
	assert.ErrorContains(t, empty.Check(), "want at least one tenant")
}

// An identifier URI belongs to its tenant by a domain or an ID.
func TestIdentifierURIsBelongToTheTenant(t *testing.T) {
	t.Parallel()
	const tenant, app = directory.DefaultTenantID, directory.DefaultAPIID
	for _, test := range []struct {
		uri  string
		fine bool
	}{
		{"api://" + app, true},
		{"api://" + strings.ToUpper(app), true},
		{"api://" + tenant + "/" + app, true},
		{"api://" + tenant + "/api", true},
		{"api://productapi/" + app, true},
		{"https://contoso.onmicrosoft.com/api", true},
		{"https://MCP.contoso.onmicrosoft.com/x", true},
		{"api://x.contoso.onmicrosoft.com/api", true},
		{"https://localhost:8000/mcp", true},
		{"http://127.0.0.1:8000/mcp", true},
		{"urn:example:api", true},
		{"api://mcp-server", false},
		{"https://mcp.example/mcp", false},
		{"https://notcontoso.onmicrosoft.com/x", false},
		{"https://mcp.example/contoso.onmicrosoft.com", false},
		{"https://contoso.onmicrosoft.com.evil.test/api", false},
		{"api://" + directory.DefaultClientID, false},
		{"tools", false},
		{"", false},
	} {
		d := directory.Default()
		api := &d.Tenants[0].Apps[1]
		api.IdentifierURIs = []string{test.uri}
		api.TokenVersion = 1
		assert.Equal(t, test.fine, d.Check() == nil, "%s: %v", test.uri, d.Check())
		assert.Empty(t, d.Warnings(), test.uri)

		// At version 2 any https URI passes, with a warning.
		api.TokenVersion = 2
		isForeign := !test.fine && strings.HasPrefix(test.uri, "https://")
		assert.Equal(t, test.fine || isForeign, d.Check() == nil, "%s: %v", test.uri, d.Check())
		assert.Equal(t, isForeign, len(d.Warnings()) == 1, "%s: %v", test.uri, d.Warnings())
	}
}

func TestIsGUID(t *testing.T) {
	t.Parallel()
	assert.True(t, directory.IsGUID("5A1E0001-0000-4000-8000-00000000000f"))
	for _, no := range []string{
		"",
		"contoso",
		"5a1e0001-0000-4000-8000-00000000000g",
		"5a1e0001x0000-4000-8000-000000000001",
		"{5a1e0001-0000-4000-8000-0000000000}",
	} {
		assert.False(t, directory.IsGUID(no), no)
	}
}
