package endpoint

import (
	"slices"
	"strings"
)

// A Name is the name of an endpoint. Directory files and the admin API use it.
type Name string

// The endpoints.
const (
	Discovery    Name = "discovery" // .well-known/openid-configuration
	Keys         Name = "keys"      // the JSON Web Key Set
	Instance     Name = "instance"  // instance discovery
	UserRealm    Name = "userrealm"
	Authorize    Name = "authorize"
	SignIn       Name = "login"        // the form of the sign-in page
	SecondFactor Name = "secondfactor" // the form of the second-factor page
	Consent      Name = "consent"      // the form of the consent page
	AdminConsent Name = "adminconsent"
	Token        Name = "token"
	DeviceCode   Name = "devicecode"
	Device       Name = "device" // the page where a person enters a device's code
	Logout       Name = "logout"
	Register     Name = "register" // only with the spec-aligned face
	Graph        Name = "graph"
	UserInfo     Name = "userinfo"
	// ManagedIdentity is the token endpoint of a machine.
	ManagedIdentity Name = "managedidentity"
	Other           Name = "other" // any other path
)

// All returns the names of all endpoints.
func All() []Name {
	return []Name{
		Discovery,
		Keys,
		Instance,
		UserRealm,
		Authorize,
		SignIn,
		SecondFactor,
		Consent,
		AdminConsent,
		Token,
		DeviceCode,
		Device,
		Logout,
		Register,
		Graph,
		UserInfo,
		ManagedIdentity,
		Other,
	}
}

// Known reports whether an endpoint has this name.
func (n Name) Known() bool { return slices.Contains(All(), n) }

// Of returns the name of the endpoint at a path.
func Of(path string) Name {
	switch {
	case path == "/device":
		return Device
	case path == "/metadata/identity/oauth2/token" || strings.EqualFold(path, "/msi/token"):
		return ManagedIdentity
	case strings.HasPrefix(path, "/v1.0/"), strings.HasPrefix(path, "/beta/"):
		return Graph
	case path == "/oidc/userinfo":
		return UserInfo
	case strings.HasPrefix(path, "/.well-known/"):
		return Discovery
	}
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	if len(parts) < 2 {
		return Other
	}
	last := parts[len(parts)-1]
	switch {
	case len(parts) == 4 && parts[1] == "users" && last == "getMemberObjects":
		return Graph // the address in a token with too many groups
	case last == "openid-configuration" && parts[len(parts)-2] == ".well-known":
		return Discovery
	case last == "keys" && parts[1] == "discovery":
		return Keys
	case last == "instance" && parts[1] == "discovery":
		return Instance
	case strings.EqualFold(parts[1], "userrealm"):
		return UserRealm
	case last == "adminconsent":
		return AdminConsent
	}
	name := Name(last)
	switch name {
	case Authorize, Token, DeviceCode, Logout, Register:
		if parts[1] == "oauth2" {
			return name
		}
	case SignIn, SecondFactor, Consent:
		if len(parts) == 4 {
			return name
		}
	}
	return Other
}
