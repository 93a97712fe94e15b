package directory

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
)

// An App is an app registration together with its service principal in the tenant.
type App struct {
	ID          string `yaml:"id"`       // application (client) ID, a GUID
	ObjectID    string `yaml:"objectId"` // of the service principal; app-only tokens name it as oid and sub
	DisplayName string `yaml:"displayName"`
	// MultiTenant is the audience "Accounts in any organizational directory".
	MultiTenant bool `yaml:"multiTenant"`
	// PersonalAccounts lets personal Microsoft accounts in: those besides any organization's with
	// MultiTenant, and those alone without it. Such an app has to have TokenVersion 2.
	PersonalAccounts bool `yaml:"personalAccounts"`
	Disabled         bool `yaml:"disabled"`

	// Redirect URIs by platform. The platform of the one that is used decides how a client
	// authenticates.
	Web          []string `yaml:"web"`
	SPA          []string `yaml:"spa"`
	PublicClient []string `yaml:"publicClient"`
	// AllowPublicFlows is the switch "Allow public client flows": flows without a redirect URI then
	// need no credential.
	AllowPublicFlows bool `yaml:"allowPublicFlows"`
	// ImplicitIDTokens and ImplicitAccessTokens are the switches of "Implicit grant and hybrid
	// flows".
	ImplicitIDTokens     bool `yaml:"implicitIdTokens"`
	ImplicitAccessTokens bool `yaml:"implicitAccessTokens"`
	// LogoutURL is opened in a hidden frame when somebody signs out who was signed in to this app.
	LogoutURL string `yaml:"logoutUrl"`

	// Secrets are the client secrets, in clear.
	Secrets []string `yaml:"secrets"`
	// ExpiredSecrets are those whose time is over. One of them is AADSTS7000222, whatever else
	// there is.
	ExpiredSecrets []string `yaml:"expiredSecrets"`
	// Certificates are those that client assertions may be signed with, each in PEM.
	Certificates []string `yaml:"certificates"`
	// FederatedCredentials are the foreign tokens that may stand in for a credential.
	FederatedCredentials []FederatedCredential `yaml:"federatedCredentials"`

	// IdentifierURIs are the application ID URIs, such as api://GUID. None may end in a slash, and
	// each has to name a domain of the tenant, or hold the ID of the tenant or the app.
	IdentifierURIs []string `yaml:"identifierUris"`
	// Scopes are the delegated permissions that the app exposes as an API.
	Scopes []Scope `yaml:"scopes"`
	// Roles are the app roles that the app defines.
	Roles []Role `yaml:"roles"`
	// Assignments give access and roles of this app to users, groups and apps.
	Assignments []Assignment `yaml:"assignments"`
	// AssignmentRequired keeps out people without an assignment (AADSTS50105), and apps that ask
	// for themselves (AADSTS501051).
	AssignmentRequired bool `yaml:"assignmentRequired"`
	// TokenVersion is requestedAccessTokenVersion: 2, or 1, which 0 means, too, as null does at
	// Entra ID.
	TokenVersion int `yaml:"tokenVersion"`
	// OwnSigningKey is that of an app with claims mapping: its tokens are signed with a key that
	// stands only in the key set with the parameter appid.
	OwnSigningKey bool `yaml:"ownSigningKey"`
	// GroupMembershipClaims puts groups into tokens: "SecurityGroup", "ApplicationGroup" for those
	// that are assigned to the app, "DirectoryRole" for the directory roles (claim wids) instead,
	// "All", or empty for none.
	GroupMembershipClaims string `yaml:"groupMembershipClaims"`
	// OptionalClaims are added to the tokens for this app.
	OptionalClaims OptionalClaims `yaml:"optionalClaims"`

	// Permissions are the "API permissions" that the registration lists, as a client asks for them
	// ("User.Read", "api://…/tool.read"). They are what .default stands for, and what a v1 request
	// gets; a resource that is not among them is then AADSTS650057. Nil does not limit anything:
	// .default is all that people can consent to.
	Permissions []string `yaml:"permissions"`
	// Consented are the permissions that an administrator has granted for everybody, as a client
	// asks for them ("User.Read", "api://…/tool.read").
	Consented []string `yaml:"consented"`
	// PreAuthorized are the application IDs of clients that need no consent for this API.
	PreAuthorized []string `yaml:"preAuthorized"`
}

// A Scope is a delegated permission that an API exposes.
type Scope struct {
	Name        string `yaml:"name"`        // such as tool.read
	DisplayName string `yaml:"displayName"` // what a person is asked to consent to
	// AdminOnly leaves consent to administrators.
	AdminOnly bool `yaml:"adminOnly"`
}

// A Role is an app role.
type Role struct {
	Value       string `yaml:"value"` // as the claim roles has it
	DisplayName string `yaml:"displayName"`
}

// An Assignment gives somebody access to an app, and a role if it names one.
type Assignment struct {
	Principal string `yaml:"principal"` // object ID of a user, a group or an app
	Role      string `yaml:"role"`      // value of one of the app's roles, or empty
}

// A FederatedCredential is a foreign token that is taken as an app's credential. All three are
// compared character by character with the token's claims.
type FederatedCredential struct {
	Issuer   string `yaml:"issuer"`
	Subject  string `yaml:"subject"`
	Audience string `yaml:"audience"` // empty means api://AzureADTokenExchange
}

// FederatedAudience is the audience that federated tokens usually have.
const FederatedAudience = "api://AzureADTokenExchange"

// OptionalClaims are claims by the token that they are added to.
type OptionalClaims struct {
	AccessToken []string `yaml:"accessToken"`
	IDToken     []string `yaml:"idToken"`
}

// knownOptionalClaims are the optional claims that a fake can add.
var knownOptionalClaims = []string{
	"acct",
	"auth_time",
	"email",
	"family_name",
	"given_name",
	"idtyp",
	"ipaddr",
	"login_hint",
	"sid",
	"tenant_region_scope",
	"upn",
}

// RedirectURIs are the app's redirect URIs of all platforms.
func (a *App) RedirectURIs() []string {
	return append(append(append([]string(nil), a.Web...), a.SPA...), a.PublicClient...)
}

// ScopeNamed finds an exposed scope without regard to case, as Entra does (M).
func (a *App) ScopeNamed(name string) *Scope {
	for i := range a.Scopes {
		if strings.EqualFold(a.Scopes[i].Name, name) {
			return &a.Scopes[i]
		}
	}
	return nil
}

// RolesOf are the roles of this app that the holders of some object IDs have: a user and the groups
// around it, or an app. Assigned tells whether there is any assignment at all.
func (a *App) RolesOf(objectIDs ...string) (roles []string, assigned bool) {
	for _, one := range a.Assignments {
		for _, id := range objectIDs {
			if strings.EqualFold(one.Principal, id) {
				assigned = true
				if one.Role != "" {
					roles = append(roles, one.Role)
				}
				break
			}
		}
	}
	return roles, assigned
}

// ParsedCertificates are the app's certificates. The error names what is none.
func (a *App) ParsedCertificates() ([]*x509.Certificate, error) {
	var parsed []*x509.Certificate
	for _, text := range a.Certificates {
		block, _ := pem.Decode([]byte(text))
		if block == nil || block.Type != "CERTIFICATE" {
			return nil, errors.New("want a certificate in PEM")
		}
		one, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, one)
	}
	return parsed, nil
}
