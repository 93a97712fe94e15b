package fakeentra

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/rules"
	"mcpentra/fakeentra/internal/signing"
)

// issue makes the tokens of a delegated grant.
func (f *Fake) issue(d rules.Delegation, v rules.Version) (*tokenResponse, *aadsts.Error) {
	group := d.Asked.Group()
	names := rules.Granted(d.Asked, group, f.grantedTo(d.Tenant, d.Client, d.User))
	lifetime := f.lifetime()
	answer := &tokenResponse{
		TokenType: "Bearer", Scope: scopeAnswer(group, names, v),
		ExpiresIn: numberOf(seconds(lifetime)-1, v), ExtExpiresIn: numberOf(seconds(lifetime)-1, v),
		AccessToken: f.userToken(&d, group, names, lifetime),
	}
	f.oldMembers(answer, v, group, lifetime)
	if d.Asked.Has("offline_access") && !d.Hybrid {
		answer.RefreshToken = f.newRefreshToken(d)
	}
	if d.Asked.Has("openid") && !d.Hybrid {
		answer.IDToken = f.idToken(d, "", "")
	}
	if d.WantsInfo {
		answer.ClientInfo = clientInfo(d.Tenant, d.User)
	}
	if d.SecondFactor {
		f.state.AddMFASession(d.SID)
	}
	return answer, nil
}

// oldMembers adds what the v1 endpoint says besides.
func (f *Fake) oldMembers(answer *tokenResponse, v rules.Version, group rules.PermissionGroup, lifetime time.Duration) {
	if v == rules.V1 {
		now := f.now()
		answer.ExpiresOn = numberOf(int(now.Add(lifetime).Unix()), rules.V1)
		answer.NotBefore = numberOf(int(now.Add(-backdate).Unix()), rules.V1)
		answer.Resource = f.rules.Audience(group)
	}
}

// scopeAnswer spells the granted names as they were asked for: short at v1 and for bare names of
// Graph, with the resource's identifier otherwise. OpenID Connect scopes are always short.
func scopeAnswer(group rules.PermissionGroup, names []string, v rules.Version) string {
	if v == rules.V1 || group.Asked == "" {
		return strings.Join(names, " ")
	}
	var all []string
	for _, name := range names {
		if !slices.Contains(rules.OIDCScopes, name) {
			name = group.Asked + "/" + name
		}
		all = append(all, name)
	}
	if group.Default {
		all = append(all, group.Asked+"/.default")
	}
	return strings.Join(all, " ")
}

// lifetime is 60 to 90 minutes, at random, as Entra's is.
func (f *Fake) lifetime() time.Duration {
	n := binary.BigEndian.Uint64(f.random(8)) % 1801
	return time.Hour + time.Duration(n)*time.Second
}

func seconds(d time.Duration) int { return int(d / time.Second) }

// backdate is how far iat and nbf lie before the moment of issue.
const backdate = 5 * time.Minute

// userToken is a delegated access token. Its version is the choice of the resource, whatever the
// endpoint; Graph has a kind of its own.
func (f *Fake) userToken(
	d *rules.Delegation,
	group rules.PermissionGroup,
	names []string,
	lifetime time.Duration,
) string {
	claims := f.userClaims(d, group, names, lifetime)
	if group.App == &rules.GraphApp {
		return signing.GraphJWT(claims, f.random(32), f.keys.Active())
	}
	return signing.JWT(claims, group.App.TokenVersion != 2, f.signingKey(d.Tenant, group.App))
}

func (f *Fake) userClaims(
	d *rules.Delegation,
	group rules.PermissionGroup,
	names []string,
	lifetime time.Duration,
) map[string]any {
	claims := f.frame(lifetime)
	scopes := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "offline_access" })
	claims["aud"] = f.rules.Audience(group)
	claims["name"] = d.User.DisplayName
	claims["oid"] = d.User.ID
	claims["tid"] = d.Tenant.ID
	claims["sid"] = d.SID
	claims["sub"] = pairwise(d.User, group.App)
	claims["scp"] = strings.Join(scopes, " ")
	switch {
	case group.App == &rules.GraphApp:
		f.oldClaims(claims, d)
		claims["app_displayname"] = d.Client.DisplayName
		claims["idtyp"] = "user"
		claims["acct"] = rules.AccountKind(d.User)
		claims["xms_st"] = map[string]string{"sub": pairwise(d.User, d.Client)}
		claims["xms_idrel"] = "1 16"
		claims["tenant_region_scope"] = rules.RegionOf(d.Tenant)
		claims["wids"] = rules.RoleTemplates(d.User)
		f.addGraphClaims(claims)
	case group.App.TokenVersion == 2:
		claims["iss"] = f.Issuer(d.Tenant.ID)
		claims["ver"] = "2.0"
		claims["azp"] = d.Client.ID
		claims["azpacr"] = d.Strength
		claims["preferred_username"] = d.User.UserPrincipalName
	default:
		f.oldClaims(claims, d)
	}
	if len(d.Contexts) > 0 && d.SecondFactor {
		claims["acrs"] = d.Contexts
	}
	if len(d.Capabilities) > 0 {
		claims["xms_cc"] = d.Capabilities
	}
	f.rules.AddOptionalClaims(claims, d, group.App, group.App.OptionalClaims.AccessToken)
	return claims
}

// oldClaims are those of a person's v1 access token.
func (f *Fake) oldClaims(claims map[string]any, d *rules.Delegation) {
	claims["iss"] = f.rules.V1Issuer(d.Tenant.ID)
	claims["ver"] = "1.0"
	claims["appid"] = d.Client.ID
	claims["appidacr"] = d.Strength
	claims["acr"] = "1"
	claims["amr"] = methods(d.SecondFactor)
	claims["ipaddr"] = "127.0.0.1"
	claims["upn"] = d.User.UserPrincipalName
	claims["unique_name"] = d.User.UserPrincipalName
	rules.SetKnown(claims, "given_name", d.User.GivenName)
	rules.SetKnown(claims, "family_name", d.User.Surname)
}

func methods(secondFactor bool) []string {
	if secondFactor {
		return []string{"pwd", "mfa"}
	}
	return []string{"pwd"}
}

// appToken is an access token of an app for itself.
func (f *Fake) appToken(request *tokenRequest, group rules.PermissionGroup, lifetime time.Duration) string {
	claims := f.appClaims(request.tenant, request.client, request.strength(), group, lifetime)
	if group.App == &rules.GraphApp {
		return signing.GraphJWT(claims, f.random(32), f.keys.Active())
	}
	return signing.JWT(claims, group.App.TokenVersion != 2, f.signingKey(request.tenant, group.App))
}

// appClaims have no scp, which is what tells an app's token from a person's, and no roles unless
// some are granted.
func (f *Fake) appClaims(
	tenant *directory.Tenant,
	client *directory.App,
	strength string,
	group rules.PermissionGroup,
	lifetime time.Duration,
) map[string]any {
	claims := f.frame(lifetime)
	principal := rules.PrincipalOf(client)
	claims["oid"] = principal
	claims["sub"] = principal
	claims["tid"] = tenant.ID
	claims["aud"] = f.rules.Audience(group)
	if roles, _ := group.App.RolesOf(principal); len(roles) > 0 {
		claims["roles"] = roles
	}
	if group.App != &rules.GraphApp && group.App.TokenVersion == 2 {
		claims["iss"] = f.Issuer(tenant.ID)
		claims["ver"] = "2.0"
		claims["azp"] = client.ID
		claims["azpacr"] = strength
	} else {
		claims["iss"] = f.rules.V1Issuer(tenant.ID)
		claims["ver"] = "1.0"
		claims["appid"] = client.ID
		claims["appidacr"] = strength
		claims["idp"] = f.rules.V1Issuer(tenant.ID)
	}
	if group.App == &rules.GraphApp {
		claims["app_displayname"] = client.DisplayName
		claims["idtyp"] = "app"
	} else if slices.Contains(group.App.OptionalClaims.AccessToken, "idtyp") {
		claims["idtyp"] = "app"
	}
	return claims
}

// idToken is the ID token (OpenID Connect Core section 2) in the version of the endpoint. The
// hashes are there if it comes from the authorization endpoint.
func (f *Fake) idToken(d rules.Delegation, code, token string) string {
	claims := f.idClaims(d)
	if code != "" {
		claims["c_hash"] = leftHalf(code)
	}
	if token != "" {
		claims["at_hash"] = leftHalf(token)
	}
	return signing.JWT(claims, d.Version == rules.V1, f.signingKey(d.Tenant, d.Client))
}

// idClaims are those of an ID token. Its sub is pairwise to the client, and its nonce is there if
// one was sent.
func (f *Fake) idClaims(d rules.Delegation) map[string]any {
	claims := f.frame(time.Hour)
	delete(claims, "xms_ftd")
	claims["aud"] = d.Client.ID
	claims["tid"] = d.Tenant.ID
	claims["sid"] = d.SID
	claims["sub"] = pairwise(d.User, d.Client)
	if d.Version == rules.V1 {
		claims["iss"] = f.rules.V1Issuer(d.Tenant.ID)
		claims["ver"] = "1.0"
		claims["oid"] = d.User.ID
		claims["name"] = d.User.DisplayName
		claims["amr"] = methods(d.SecondFactor)
		claims["ipaddr"] = "127.0.0.1"
		claims["upn"] = d.User.UserPrincipalName
		claims["unique_name"] = d.User.UserPrincipalName
		rules.SetKnown(claims, "given_name", d.User.GivenName)
		rules.SetKnown(claims, "family_name", d.User.Surname)
	} else {
		claims["iss"] = f.Issuer(d.Tenant.ID)
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
	f.rules.AddOptionalClaims(claims, &d, d.Client, d.Client.OptionalClaims.IDToken)
	return claims
}

// leftHalf is what c_hash and at_hash are (OpenID Connect Core section 3.3.2.11).
func leftHalf(value string) string {
	sum := sha256.Sum256([]byte(value))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// frame are the claims that every token has.
func (f *Fake) frame(lifetime time.Duration) map[string]any {
	now := f.now()
	noise := f.random(48 + 36 + 16 + 32)
	claims := make(map[string]any, 28) // as many as most tokens have
	claims["iat"] = now.Add(-backdate).Unix()
	claims["nbf"] = now.Add(-backdate).Unix()
	claims["exp"] = now.Add(lifetime).Unix()
	claims["aio"] = base64.StdEncoding.EncodeToString(noise[:48])
	claims["rh"] = "1." + base64.RawURLEncoding.EncodeToString(noise[48:84]) + "."
	claims["uti"] = base64.RawURLEncoding.EncodeToString(noise[84:100])
	claims["xms_ftd"] = base64.RawURLEncoding.EncodeToString(noise[100:])
	return claims
}

// pairwise is a person's sub at one app: stable, and telling nothing across apps.
func pairwise(user *directory.User, app *directory.App) string {
	sum := sha256.Sum256([]byte(user.ID + "|" + app.ID))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// clientInfo is the member client_info, which names the account to Microsoft's libraries.
func clientInfo(tenant *directory.Tenant, user *directory.User) string {
	text, err := json.Marshal(struct {
		UID  string `json:"uid"`
		UTID string `json:"utid"`
	}{user.ID, tenant.ID})
	if err != nil {
		panic(err) // strings
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// addGraphClaims adds the other claims of a recorded token for Graph. Only Graph may read them, and
// their values mean nothing here.
func (f *Fake) addGraphClaims(claims map[string]any) {
	claims["platf"] = "8"
	claims["puid"] = fmt.Sprintf("%X", f.random(8))
	claims["xms_tcdt"] = f.now().AddDate(-1, 0, 0).Unix()
	claims["xms_pftexp"] = f.now().Add(24 * time.Hour).Unix()
	for _, name := range []string{"xms_acd", "xms_tdbr", "xms_act_fct", "xms_sub_fct", "xms_tnt_fct"} {
		claims[name] = base64.RawURLEncoding.EncodeToString(f.random(4))
	}
}
