package directory

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
)

// An App is an app registration together with its service principal in the tenant.
type App struct {
	ID          string // application (client) ID, a GUID
	ObjectID    string // of the service principal; app-only tokens name it as oid and sub
	DisplayName string
	// MultiTenant is the audience "Accounts in any organizational directory".
	MultiTenant bool
	// PersonalAccounts lets personal Microsoft accounts in: those besides any organization's with MultiTenant, and those
	// alone without it. Such an app has to have TokenVersion 2.
	PersonalAccounts bool
	Disabled         bool

	// Redirect URIs by platform. The platform of the one that is used decides how a client authenticates.
	Web, SPA, PublicClient []string
	// AllowPublicFlows is the switch "Allow public client flows": flows without a redirect URI then need no credential.
	AllowPublicFlows bool
	// ImplicitIDTokens and ImplicitAccessTokens are the switches of "Implicit grant and hybrid flows".
	ImplicitIDTokens, ImplicitAccessTokens bool
	// LogoutURL is opened in a hidden frame when somebody signs out who was signed in to this app.
	LogoutURL string

	// Secrets are the client secrets, in clear.
	Secrets []string
	// ExpiredSecrets are those whose time is over. One of them is AADSTS7000222, whatever else there is.
	ExpiredSecrets []string
	// Certificates are those that client assertions may be signed with, each in PEM.
	Certificates []string
	// FederatedCredentials are the foreign tokens that may stand in for a credential.
	FederatedCredentials []FederatedCredential

	// IdentifierURIs are the application ID URIs, such as api://GUID. None may end in a slash.
	IdentifierURIs []string
	// Scopes are the delegated permissions that the app exposes as an API.
	Scopes []Scope
	// Roles are the app roles that the app defines.
	Roles []Role
	// Assignments give access and roles of this app to users, groups and apps.
	Assignments []Assignment
	// AssignmentRequired keeps out whoever has no assignment: AADSTS50105.
	AssignmentRequired bool
	// TokenVersion is requestedAccessTokenVersion: 2, or 1, which 0 means, too, as null does at Entra ID.
	TokenVersion int
	// OwnSigningKey is that of an app with claims mapping: its tokens are signed with a key that stands only in the key
	// set with the parameter appid.
	OwnSigningKey bool
	// GroupMembershipClaims puts groups into tokens: "SecurityGroup", "ApplicationGroup" for those that are assigned to
	// the app, "DirectoryRole" for the directory roles (claim wids) instead, "All", or empty for none.
	GroupMembershipClaims string
	// OptionalClaims are added to the tokens for this app.
	OptionalClaims OptionalClaims

	// Permissions are the "API permissions" that the registration lists, as a client asks for them ("User.Read",
	// "api://…/tool.read"). They are what .default stands for, and what a v1 request gets; a resource that is not among
	// them is then AADSTS650057. Nil does not limit anything: .default is all that people can consent to.
	Permissions []string
	// Consented are the permissions that an administrator has granted for everybody, as a client asks for them
	// ("User.Read", "api://…/tool.read").
	Consented []string
	// PreAuthorized are the application IDs of clients that need no consent for this API.
	PreAuthorized []string
}

// A Scope is a delegated permission that an API exposes.
type Scope struct {
	Name        string // such as tool.read
	DisplayName string // what a person is asked to consent to
	// AdminOnly leaves consent to administrators.
	AdminOnly bool
}

// A Role is an app role.
type Role struct {
	Value       string // as the claim roles has it
	DisplayName string
}

// An Assignment gives somebody access to an app, and a role if it names one.
type Assignment struct {
	Principal string // object ID of a user, a group or an app
	Role      string // value of one of the app's roles, or empty
}

// A FederatedCredential is a foreign token that is taken as an app's credential. All three are compared character by
// character with the token's claims.
type FederatedCredential struct {
	Issuer, Subject string
	Audience        string // empty means api://AzureADTokenExchange
}

// FederatedAudience is the audience that federated tokens usually have.
const FederatedAudience = "api://AzureADTokenExchange"

// OptionalClaims are claims by the token that they are added to.
type OptionalClaims struct {
	AccessToken, IDToken []string
}

// knownOptionalClaims are the optional claims that a fake can add.
var knownOptionalClaims = []string{"acct", "auth_time", "email", "family_name", "given_name", "idtyp", "ipaddr", "login_hint", "sid", "tenant_region_scope", "upn"}

// RedirectURIs are the app's redirect URIs of all platforms.
func (a *App) RedirectURIs() []string {
	return append(append(append([]string(nil), a.Web...), a.SPA...), a.PublicClient...)
}

// ScopeNamed finds an exposed scope without regard to case, as Entra does.
func (a *App) ScopeNamed(name string) *Scope {
	for i := range a.Scopes {
		if strings.EqualFold(a.Scopes[i].Name, name) {
			return &a.Scopes[i]
		}
	}
	return nil
}

// RolesOf are the roles of this app that the holders of some object IDs have: a user and the groups around it, or an
// app. Assigned tells whether there is any assignment at all.
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
