package verify

import (
	"net/http"

	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/verify/mask"
)

// A Side is one of the two that get the requests.
type Side struct {
	// Client sends the requests. It must not follow redirects.
	Client *http.Client
	// Masker masks the answers.
	Masker mask.Masker
	// Values are the variables of the requests: authority, graph, tenant, client and secret. An
	// empty value has no variable.
	Values map[string]string
}

// NewSide returns a side with the variables of the settings.
func NewSide(client *http.Client, authority, graph string, settings Settings) *Side {
	direct := *client
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Side{
		Client: &direct,
		Masker: mask.Masker{Authority: authority, Graph: graph},
		Values: map[string]string{
			"authority": authority,
			"graph":     graph,
			"tenant":    settings.Tenant,
			"client":    settings.Client,
			"secret":    settings.Secret,
			"stranger":  stranger,
			"nowhere":   nowhere,
		},
	}
}

// Settings name a tenant and an app registration in it.
type Settings struct {
	Tenant string // ID or domain
	Client string
	Secret string
}

// Tier returns the highest tier for which the settings suffice without a person.
func (s Settings) Tier() int {
	if s.Client != "" && s.Secret != "" {
		return 1
	}
	return 0
}

// IDs that exist nowhere.
const (
	stranger = "5a1e0002-0000-4000-8000-00000000dead"
	nowhere  = "5a1e0001-0000-4000-8000-00000000dead"
)

// The tenant and the app of the fake. The app has the settings that fakeentra verify --setup makes.
const (
	fakeTenant = "5a1e0001-0000-4000-8000-000000000001"
	fakeDomain = "contoso.onmicrosoft.com"
	fakeClient = "5a1e0002-0000-4000-8000-000000000001"
	fakeSecret = "fake-secret-of-the-fake-tenant"
)

// Directory returns the directory of the fake: a tenant with the app that --setup makes, and a
// person.
func Directory() directory.Directory {
	return directory.Directory{Tenants: []directory.Tenant{{
		ID:          fakeTenant,
		DisplayName: "Contoso",
		Domains:     []string{fakeDomain},
		Region:      "EU",
		Apps: []directory.App{{
			ID:             fakeClient,
			ObjectID:       "5a1e0002-0000-4000-8000-0000000000ff",
			DisplayName:    "fakeentra verify",
			IdentifierURIs: []string{"api://" + fakeClient},
			TokenVersion:   2,
			Scopes:         []directory.Scope{{Name: "access_as_user", DisplayName: "Access as the user"}},
			PublicClient:   []string{"http://localhost"},
			Secrets:        []string{fakeSecret},
			Consented:      []string{"User.Read"},

			AllowPublicFlows: true,
		}},
		Users: []directory.User{{
			ID:                "5a1e0004-0000-4000-8000-000000000001",
			UserPrincipalName: "AdeleV@contoso.onmicrosoft.com",
			DisplayName:       "Adele Vance",
			GivenName:         "Adele",
			Surname:           "Vance",
			Mail:              "AdeleV@contoso.onmicrosoft.com",
			PreferredLanguage: "en-US",
		}},
	}}}
}
