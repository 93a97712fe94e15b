package claims

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/rules"
)

// A Maker writes the claims of tokens. All fields are required.
type Maker struct {
	Rules  *rules.Rules
	Now    func() time.Time
	Random func(n int) []byte // n bytes
}

// Backdate is the time from iat and nbf to the moment of issue.
const Backdate = 5 * time.Minute

// User returns the claims of a person's access token. The registration of the API selects the
// version of the token, at both endpoints. A token for Graph has more claims.
func (m *Maker) User(
	d *rules.Delegation,
	group rules.PermissionGroup,
	names []string,
	lifetime time.Duration,
) map[string]any {
	claims := m.common(lifetime)
	scopes := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "offline_access" })
	claims["aud"] = m.Rules.Audience(group)
	claims["name"] = d.User.DisplayName
	claims["oid"] = d.User.ID
	claims["tid"] = d.Tenant.ID
	claims["sid"] = d.SID
	claims["sub"] = pairwise(d.User, group.App)
	claims["scp"] = strings.Join(scopes, " ")
	switch {
	case group.App == &rules.GraphApp:
		m.addV1Claims(claims, d)
		claims["app_displayname"] = d.Client.DisplayName
		claims["idtyp"] = "user"
		claims["acct"] = rules.AccountKind(d.User)
		claims["xms_st"] = map[string]string{"sub": pairwise(d.User, d.Client)}
		claims["xms_idrel"] = "1 16"
		claims["tenant_region_scope"] = rules.RegionOf(d.Tenant)
		claims["wids"] = rules.RoleTemplates(d.User)
		m.addGraphClaims(claims)
	case group.App.TokenVersion == 2:
		claims["iss"] = m.Rules.Issuer(d.Tenant.ID)
		claims["ver"] = "2.0"
		claims["azp"] = d.Client.ID
		claims["azpacr"] = d.Strength
		claims["preferred_username"] = d.User.UserPrincipalName
	default:
		m.addV1Claims(claims, d)
	}
	if len(d.Contexts) > 0 && d.SecondFactor {
		claims["acrs"] = d.Contexts
	}
	if rules.ShowsCapabilities(group.App, d.Capabilities) {
		claims["xms_cc"] = d.Capabilities
	}
	m.Rules.AddOptionalClaims(claims, d, group.App, group.App.OptionalClaims.AccessToken)
	return claims
}

// addV1Claims adds the claims of a person's v1 access token.
func (m *Maker) addV1Claims(claims map[string]any, d *rules.Delegation) {
	claims["iss"] = m.Rules.V1Issuer(d.Tenant.ID)
	claims["ver"] = "1.0"
	claims["appid"] = d.Client.ID
	claims["appidacr"] = d.Strength
	claims["acr"] = "1"
	claims["amr"] = methods(d.SecondFactor)
	claims["ipaddr"] = "127.0.0.1"
	rules.SetV1Names(claims, d.User)
	rules.SetKnown(claims, "given_name", d.User.GivenName)
	rules.SetKnown(claims, "family_name", d.User.Surname)
}

// methods returns the claim amr.
func methods(secondFactor bool) []string {
	if secondFactor {
		return []string{"pwd", "mfa"}
	}
	return []string{"pwd"}
}

// App returns the claims of an app-only access token. Unlike a person's token, it has no scp. It
// has the claim roles only if the app has roles.
func (m *Maker) App(
	tenant *directory.Tenant,
	client *directory.App,
	strength string,
	group rules.PermissionGroup,
	lifetime time.Duration,
) map[string]any {
	claims := m.common(lifetime)
	principal := m.Rules.PrincipalOf(tenant, client)
	claims["oid"] = principal
	claims["sub"] = principal
	claims["tid"] = tenant.ID
	claims["aud"] = m.Rules.Audience(group)
	if roles, _ := m.Rules.AppRoles(tenant, client, group.App); len(roles) > 0 {
		claims["roles"] = roles
	}
	if group.App != &rules.GraphApp && group.App.TokenVersion == 2 {
		claims["iss"] = m.Rules.Issuer(tenant.ID)
		claims["ver"] = "2.0"
		claims["azp"] = client.ID
		claims["azpacr"] = strength
	} else {
		claims["iss"] = m.Rules.V1Issuer(tenant.ID)
		claims["ver"] = "1.0"
		claims["appid"] = client.ID
		claims["appidacr"] = strength
		claims["idp"] = m.Rules.V1Issuer(tenant.ID)
	}
	if group.App == &rules.GraphApp {
		claims["app_displayname"] = client.DisplayName
		claims["idtyp"] = "app"
	} else if slices.Contains(group.App.OptionalClaims.AccessToken, "idtyp") {
		claims["idtyp"] = "app"
	}
	return claims
}

// ID returns the claims of an ID token (OpenID Connect Core section 2), in the version of the
// endpoint. Its sub is pairwise. From the authorization endpoint, the token has the hashes of the
// code and of the access token in the same response.
func (m *Maker) ID(d *rules.Delegation, code, token string) map[string]any {
	claims := m.common(time.Hour)
	delete(claims, "xms_ftd")
	claims["aud"] = d.Client.ID
	claims["tid"] = d.Tenant.ID
	claims["sid"] = d.SID
	claims["sub"] = pairwise(d.User, d.Client)
	if d.Version == rules.V1 {
		claims["iss"] = m.Rules.V1Issuer(d.Tenant.ID)
		claims["ver"] = "1.0"
		claims["oid"] = d.User.ID
		claims["name"] = d.User.DisplayName
		claims["amr"] = methods(d.SecondFactor)
		claims["ipaddr"] = "127.0.0.1"
		rules.SetV1Names(claims, d.User)
		rules.SetKnown(claims, "given_name", d.User.GivenName)
		rules.SetKnown(claims, "family_name", d.User.Surname)
	} else {
		claims["iss"] = m.Rules.Issuer(d.Tenant.ID)
		claims["ver"] = "2.0"
		if d.Asked.Has("profile") {
			claims["name"] = d.User.DisplayName
			claims["oid"] = d.User.ID
			claims["preferred_username"] = d.User.UserPrincipalName
		}
		if d.Asked.Has("email") {
			rules.SetKnown(claims, "email", d.User.Mail)
		}
	}
	rules.SetKnown(claims, "nonce", d.Nonce)
	if d.AuthTime {
		claims["auth_time"] = d.SignedIn.Unix()
	}
	m.Rules.AddOptionalClaims(claims, d, d.Client, d.Client.OptionalClaims.IDToken)
	if code != "" {
		claims["c_hash"] = leftHalf(code)
	}
	if token != "" {
		claims["at_hash"] = leftHalf(token)
	}
	return claims
}

// leftHalf returns the value of c_hash and at_hash (OpenID Connect Core section 3.3.2.11).
func leftHalf(value string) string {
	sum := sha256.Sum256([]byte(value))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// common returns the claims that every token has.
func (m *Maker) common(lifetime time.Duration) map[string]any {
	now := m.Now()
	noise := m.Random(48 + 36 + 16 + 32)
	claims := make(map[string]any, 28) // enough for most tokens
	claims["iat"] = now.Add(-Backdate).Unix()
	claims["nbf"] = now.Add(-Backdate).Unix()
	claims["exp"] = now.Add(lifetime).Unix()
	claims["aio"] = base64.StdEncoding.EncodeToString(noise[:48])
	claims["rh"] = "1." + base64.RawURLEncoding.EncodeToString(noise[48:84]) + "."
	claims["uti"] = base64.RawURLEncoding.EncodeToString(noise[84:100])
	claims["xms_ftd"] = base64.RawURLEncoding.EncodeToString(noise[100:])
	return claims
}

// pairwise returns the sub of a person at one app. It is stable, and different at each app.
func pairwise(user *directory.User, app *directory.App) string {
	sum := sha256.Sum256([]byte(user.ID + "|" + app.ID))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// addGraphClaims adds the other claims of a recorded token for Graph. Their values are noise here,
// because only Graph may read them.
func (m *Maker) addGraphClaims(claims map[string]any) {
	claims["platf"] = "8"
	claims["puid"] = fmt.Sprintf("%X", m.Random(8))
	claims["xms_tcdt"] = m.Now().AddDate(-1, 0, 0).Unix()
	claims["xms_pftexp"] = m.Now().Add(24 * time.Hour).Unix()
	for _, name := range []string{"xms_acd", "xms_tdbr", "xms_act_fct", "xms_sub_fct", "xms_tnt_fct"} {
		claims[name] = base64.RawURLEncoding.EncodeToString(m.Random(4))
	}
}
