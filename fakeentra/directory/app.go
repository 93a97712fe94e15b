package directory

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
)

// An App is an app registration together with its service principal in the tenant.
type App struct {
	ID          string `yaml:"id"`       // application (client) ID, a GUID
	ObjectID    string `yaml:"objectId"` // of the service principal; oid and sub of app-only tokens
	DisplayName string `yaml:"displayName"`
	// MultiTenant is the audience "Accounts in any organizational directory".
	MultiTenant bool `yaml:"multiTenant"`
	// PersonalAccounts accepts personal Microsoft accounts. With MultiTenant the app accepts them
	// and the accounts of all organizations, and without it only them. It needs TokenVersion 2.
	PersonalAccounts bool `yaml:"personalAccounts"`
	Disabled         bool `yaml:"disabled"`
	// NoServicePrincipal is true for a registration without a service principal in its tenant. The
	// Azure CLI makes one without it (az ad app create). Consent adds it.
	NoServicePrincipal bool `yaml:"noServicePrincipal"`

	// Redirect URIs by platform. The platform decides how a client authenticates.
	Web          []string `yaml:"web"`
	SPA          []string `yaml:"spa"`
	PublicClient []string `yaml:"publicClient"`
	// AllowPublicFlows is the switch "Allow public client flows". With it, flows without a redirect
	// URI need no credential.
	AllowPublicFlows bool `yaml:"allowPublicFlows"`
	// ImplicitIDTokens and ImplicitAccessTokens are the switches of "Implicit grant and hybrid
	// flows".
	ImplicitIDTokens     bool `yaml:"implicitIdTokens"`
	ImplicitAccessTokens bool `yaml:"implicitAccessTokens"`
	// LogoutURL opens in a hidden frame when a person signs out after using this app.
	LogoutURL string `yaml:"logoutUrl"`

	// Secrets are the client secrets, in clear.
	Secrets []string `yaml:"secrets"`
	// ExpiredSecrets are refused with AADSTS7000222.
	ExpiredSecrets []string `yaml:"expiredSecrets"`
	// Certificates verify client assertions, each in PEM.
	Certificates []string `yaml:"certificates"`
	// FederatedCredentials describe the foreign tokens that the app can use as its credential.
	FederatedCredentials []FederatedCredential `yaml:"federatedCredentials"`

	// IdentifierURIs are the application ID URIs, such as api://GUID. They must not end in a slash.
	// Each must name a domain of the tenant, or contain the ID of the tenant or the app. With
	// TokenVersion 2 another https URI is only a warning.
	IdentifierURIs []string `yaml:"identifierUris"`
	// Scopes are the delegated permissions that the app exposes as an API.
	Scopes []Scope `yaml:"scopes"`
	// Roles are the app roles that the app defines.
	Roles []Role `yaml:"roles"`
	// Assignments give access and roles of this app to users, groups and apps.
	Assignments []Assignment `yaml:"assignments"`
	// AssignmentRequired refuses people without an assignment (AADSTS50105), and apps without one
	// in the client credentials grant (AADSTS501051).
	AssignmentRequired bool `yaml:"assignmentRequired"`
	// TokenVersion is requestedAccessTokenVersion, 1 or 2. 0 means 1, like null at Entra ID.
	TokenVersion int `yaml:"tokenVersion"`
	// OwnSigningKey gives the app its own signing key, like claims mapping at Entra ID. Only the
	// key set with the parameter appid has this key.
	OwnSigningKey bool `yaml:"ownSigningKey"`
	// GroupMembershipClaims puts groups into tokens: "SecurityGroup" for all groups,
	// "ApplicationGroup" for groups with an assignment to the app, "DirectoryRole" for directory
	// roles (claim wids), "All" for groups and roles, or empty for neither.
	GroupMembershipClaims string `yaml:"groupMembershipClaims"`
	// OptionalClaims lists claims to add to the tokens for this app.
	OptionalClaims OptionalClaims `yaml:"optionalClaims"`

	// Permissions are the "API permissions" of the registration, written as scopes ("User.Read",
	// "api://…/tool.read"). A request for .default and a v1 request get these. A request for any
	// other resource is then AADSTS650057. Nil sets no limit: .default gets all permissions that
	// people can consent to.
	Permissions []string `yaml:"permissions"`
	// Consented are the permissions that an administrator of the app's tenant granted for all its
	// users, written as scopes.
	Consented []string `yaml:"consented"`
	// ApplicationPermissions are the application permissions that an administrator granted, written
	// like Permissions. App-only tokens of this app have them in the claim roles.
	ApplicationPermissions []string `yaml:"applicationPermissions"`
	// PreAuthorized are the application IDs of clients that need no consent for this API.
	PreAuthorized []string `yaml:"preAuthorized"`
}

// A Scope is a delegated permission that an API exposes.
type Scope struct {
	Name        string `yaml:"name"`        // such as tool.read
	DisplayName string `yaml:"displayName"` // text on the consent page
	// AdminOnly allows only administrators to consent.
	AdminOnly bool `yaml:"adminOnly"`
}

// A Role is an app role.
type Role struct {
	Value       string `yaml:"value"` // value in the claim roles
	DisplayName string `yaml:"displayName"`
}

// An Assignment gives a user, a group or an app access to an app, and a role if it names one.
type Assignment struct {
	Principal string `yaml:"principal"` // object ID of a user, a group or an app
	Role      string `yaml:"role"`      // value of one of the app's roles, or empty
}

// A FederatedCredential describes a foreign token that an app can use as its credential. All three
// fields must equal the token's claims, character by character.
type FederatedCredential struct {
	Issuer   string `yaml:"issuer"`
	Subject  string `yaml:"subject"`
	Audience string `yaml:"audience"` // empty means api://AzureADTokenExchange
}

// FederatedAudience is the usual audience of foreign tokens.
const FederatedAudience = "api://AzureADTokenExchange"

// OptionalClaims lists the claims to add to each kind of token.
type OptionalClaims struct {
	AccessToken []string `yaml:"accessToken"`
	IDToken     []string `yaml:"idToken"`
	// AdditionalProperties holds the properties of claims in both kinds of token, by the name of
	// the claim: "upn": {"include_externally_authenticated_upn"}.
	AdditionalProperties map[string][]string `yaml:"additionalProperties"`
}

// RedirectURIs returns the app's redirect URIs of all platforms.
func (a *App) RedirectURIs() []string { return slices.Concat(a.Web, a.SPA, a.PublicClient) }

// ScopeNamed finds an exposed scope. It ignores case, like Entra ID (M).
func (a *App) ScopeNamed(name string) *Scope {
	if a.ID == GraphAppID {
		return graphAPIOnce().scopeAt[strings.ToLower(name)]
	}
	return scopeIn(a.Scopes, name)
}

// RoleNamed finds an app role. It ignores case, like ScopeNamed.
func (a *App) RoleNamed(value string) *Role {
	if a.ID == GraphAppID {
		return graphAPIOnce().roleAt[strings.ToLower(value)]
	}
	return roleIn(a.Roles, value)
}

// RolesOf returns the roles of this app for some object IDs: a user and the user's groups, or an
// app. Assigned reports whether there is any assignment, with or without a role.
func (a *App) RolesOf(objectIDs ...string) (roles []string, assigned bool) {
	for _, assignment := range a.Assignments {
		isHolder := func(id string) bool { return strings.EqualFold(assignment.Principal, id) }
		if !slices.ContainsFunc(objectIDs, isHolder) {
			continue
		}
		assigned = true
		if assignment.Role != "" {
			roles = append(roles, assignment.Role)
		}
	}
	return roles, assigned
}

// ParsedCertificates returns the app's certificates. The error says why one cannot be parsed.
func (a *App) ParsedCertificates() ([]*x509.Certificate, error) {
	var parsed []*x509.Certificate
	for _, text := range a.Certificates {
		block, _ := pem.Decode([]byte(text))
		if block == nil || block.Type != "CERTIFICATE" {
			return nil, errors.New("want a certificate in PEM")
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, certificate)
	}
	return parsed, nil
}
