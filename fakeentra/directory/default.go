package directory

// The contents of the default directory. The IDs are invented and the same in every fake, so a
// configuration file can hold them.
const (
	DefaultTenantID     = "5a1e0001-0000-4000-8000-000000000001"
	DefaultDomain       = "contoso.onmicrosoft.com"
	DefaultClientID     = "5a1e0002-0000-4000-8000-000000000001"
	DefaultClientSecret = "fake-secret-of-the-fake-tenant"
	DefaultAPIID        = "5a1e0003-0000-4000-8000-000000000001"
	DefaultAPISecret    = "fake-secret-of-the-fake-api"
	DefaultIdentityID   = "5a1e0010-0000-4000-8000-000000000001"
	DefaultUserID       = "5a1e0004-0000-4000-8000-000000000001"
	DefaultUser         = "AdeleV@contoso.onmicrosoft.com"
)

// Default returns a complete directory: a tenant, a web app registration with which an MCP server
// signs people in, an API with two scopes, a managed identity, and two users. Clients of the API
// sign in as the API's own application, as in the server's direct mode. The first user is the usual
// test person.
func Default() Directory {
	return Directory{Tenants: []Tenant{{
		ID:          DefaultTenantID,
		DisplayName: "Contoso",
		Domains:     []string{DefaultDomain},
		Region:      "EU",
		Apps: []App{
			{
				ID:          DefaultClientID,
				ObjectID:    "5a1e0002-0000-4000-8000-0000000000ff",
				DisplayName: "MCP server",
				Web:         []string{"http://localhost:8000/auth/callback"},
				Secrets:     []string{DefaultClientSecret},
			},
			{
				ID:             DefaultAPIID,
				ObjectID:       "5a1e0003-0000-4000-8000-0000000000ff",
				DisplayName:    "MCP tools API",
				IdentifierURIs: []string{"api://" + DefaultAPIID},
				TokenVersion:   2,
				Scopes: []Scope{
					{Name: "tool.read", DisplayName: "Read with the tools"},
					{Name: "tool.write", DisplayName: "Write with the tools"},
				},
				PublicClient: []string{"http://localhost", "http://localhost/callback"},
				Secrets:      []string{DefaultAPISecret},
				Consented:    []string{"User.Read"},
			},
		},
		ManagedIdentities: []ManagedIdentity{{
			ID:             DefaultIdentityID,
			ObjectID:       "5a1e0010-0000-4000-8000-0000000000ff",
			DisplayName:    "MCP host",
			SystemAssigned: true,
		}},
		Users: []User{
			{
				ID:                DefaultUserID,
				UserPrincipalName: DefaultUser,
				DisplayName:       "Adele Vance",
				GivenName:         "Adele",
				Surname:           "Vance",
				Mail:              DefaultUser,
				JobTitle:          "Product Marketing Manager",
				OfficeLocation:    "18/2111",
				PreferredLanguage: "en-US",
				BusinessPhones:    []string{"+1 425 555 0109"},
			},
			{
				ID:                "5a1e0004-0000-4000-8000-000000000002",
				UserPrincipalName: "AlexW@contoso.onmicrosoft.com",
				DisplayName:       "Alex Wilber",
				GivenName:         "Alex",
				Surname:           "Wilber",
				Mail:              "AlexW@contoso.onmicrosoft.com",
				JobTitle:          "Marketing Assistant",
				OfficeLocation:    "131/1104",
				PreferredLanguage: "en-US",
				Password:          "correct horse",
			},
		},
	}}}
}
