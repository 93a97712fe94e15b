package fakeentra

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/signing"
)

// A delegation is a person's permission to a client, from which tokens are made.
type delegation struct {
	version      version // of the endpoint
	tenant       *directory.Tenant
	client       *directory.App
	user         *directory.User
	platform     platform
	asked        *permissions
	nonce        string
	sid          string
	strength     string // of the client's authentication, as azpacr has it
	wantsInfo    bool
	hybrid       bool // issued by the authorization endpoint
	began        time.Time
	signedIn     time.Time
	secondFactor bool
	contexts     []string  // acrs
	capabilities []string  // xms_cc
	refreshUntil time.Time // for the refresh tokens of single-page apps; zero means a lifetime from now
}

// issue makes the tokens of a delegated grant.
func (f *Fake) issue(d delegation, v version) (*tokenResponse, *aadsts.Error) {
	group := d.asked.group()
	names := f.granted(&d, group)
	lifetime := f.lifetime()
	answer := &tokenResponse{
		TokenType: "Bearer", Scope: scopeAnswer(group, names, v),
		ExpiresIn: numberOf(seconds(lifetime)-1, v), ExtExpiresIn: numberOf(seconds(lifetime)-1, v),
		AccessToken: f.userToken(&d, group, names, lifetime),
	}
	f.oldMembers(answer, v, group, lifetime)
	if d.asked.has("offline_access") && !d.hybrid {
		answer.RefreshToken = f.newRefreshToken(d)
	}
	if d.asked.has("openid") && !d.hybrid {
		answer.IDToken = f.idToken(d, "", "")
	}
	if d.wantsInfo {
		answer.ClientInfo = clientInfo(d.tenant, d.user)
	}
	if d.secondFactor {
		f.strong.Add(d.sid, struct{}{})
	}
	return answer, nil
}

// oldMembers adds what the v1 endpoint says besides.
func (f *Fake) oldMembers(answer *tokenResponse, v version, group permissionGroup, lifetime time.Duration) {
	if v == v1 {
		now := f.now()
		answer.ExpiresOn = numberOf(int(now.Add(lifetime).Unix()), v1)
		answer.NotBefore = numberOf(int(now.Add(-backdate).Unix()), v1)
		answer.Resource = f.audienceOf(group)
	}
}

// hadSecondFactor reports whether the session of a token was signed in to with a second factor,
// which v2 tokens do not say.
func (f *Fake) hadSecondFactor(sid string) bool { return sid != "" && f.strong.Contains(sid) }

// scopeAnswer spells the granted names as they were asked for: short at v1 and for bare names of
// Graph, with the resource's identifier otherwise. OpenID Connect scopes are always short.
func scopeAnswer(group permissionGroup, names []string, v version) string {
	if v == v1 || group.asked == "" {
		return strings.Join(names, " ")
	}
	var all []string
	for _, name := range names {
		if !slices.Contains(oidcScopes, name) {
			name = group.asked + "/" + name
		}
		all = append(all, name)
	}
	if group.everyone {
		all = append(all, group.asked+"/.default")
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

// audienceOf is the aud of a token for a resource. In v1 it is the identifier as it was asked for,
// in v2 always the application ID.
func (f *Fake) audienceOf(group permissionGroup) string {
	switch {
	case group.app == &graphApp && group.asked == directory.GraphAppID:
		return directory.GraphAppID
	case group.app == &graphApp:
		return f.graphURL
	case group.app.TokenVersion == 2 || group.asked == "":
		return group.app.ID
	}
	return group.asked
}

// userToken is a delegated access token. Its version is the choice of the resource, whatever the
// endpoint; Graph has a kind of its own.
func (f *Fake) userToken(d *delegation, group permissionGroup, names []string, lifetime time.Duration) string {
	claims := f.userClaims(d, group, names, lifetime)
	if group.app == &graphApp {
		return signing.GraphJWT(claims, f.random(32), f.keys.Active())
	}
	return signing.JWT(claims, group.app.TokenVersion != 2, f.signingKey(d.tenant, group.app))
}

func (f *Fake) userClaims(d *delegation, group permissionGroup, names []string, lifetime time.Duration) map[string]any {
	claims := f.frame(lifetime)
	scopes := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "offline_access" })
	claims["aud"] = f.audienceOf(group)
	claims["name"] = d.user.DisplayName
	claims["oid"] = d.user.ID
	claims["tid"] = d.tenant.ID
	claims["sid"] = d.sid
	claims["sub"] = pairwise(d.user, group.app)
	claims["scp"] = strings.Join(scopes, " ")
	switch {
	case group.app == &graphApp:
		f.oldClaims(claims, d)
		claims["app_displayname"] = d.client.DisplayName
		claims["idtyp"] = "user"
		claims["acct"] = account(d.user)
		claims["xms_st"] = map[string]string{"sub": pairwise(d.user, d.client)}
		claims["xms_idrel"] = "1 16"
		claims["tenant_region_scope"] = regionOf(d.tenant)
		claims["wids"] = roleTemplates(d.user)
		f.addGraphsOwn(claims)
	case group.app.TokenVersion == 2:
		claims["iss"] = f.Issuer(d.tenant.ID)
		claims["ver"] = "2.0"
		claims["azp"] = d.client.ID
		claims["azpacr"] = d.strength
		claims["preferred_username"] = d.user.UserPrincipalName
	default:
		f.oldClaims(claims, d)
	}
	if len(d.contexts) > 0 && d.secondFactor {
		claims["acrs"] = d.contexts
	}
	if len(d.capabilities) > 0 {
		claims["xms_cc"] = d.capabilities
	}
	f.about(claims, d, group.app, group.app.OptionalClaims.AccessToken)
	return claims
}

// oldClaims are those of a person's v1 access token.
func (f *Fake) oldClaims(claims map[string]any, d *delegation) {
	claims["iss"] = f.sts(d.tenant.ID)
	claims["ver"] = "1.0"
	claims["appid"] = d.client.ID
	claims["appidacr"] = d.strength
	claims["acr"] = "1"
	claims["amr"] = methods(d.secondFactor)
	claims["ipaddr"] = "127.0.0.1"
	claims["upn"] = d.user.UserPrincipalName
	claims["unique_name"] = d.user.UserPrincipalName
	setKnown(claims, "given_name", d.user.GivenName)
	setKnown(claims, "family_name", d.user.Surname)
}

func methods(secondFactor bool) []string {
	if secondFactor {
		return []string{"pwd", "mfa"}
	}
	return []string{"pwd"}
}

func setKnown(claims map[string]any, name, value string) {
	if value != "" {
		claims[name] = value
	}
}

// appToken is an access token of an app for itself.
func (f *Fake) appToken(request *tokenRequest, group permissionGroup, lifetime time.Duration) string {
	claims := f.appClaims(request.tenant, request.client, request.strength(), group, lifetime)
	if group.app == &graphApp {
		return signing.GraphJWT(claims, f.random(32), f.keys.Active())
	}
	return signing.JWT(claims, group.app.TokenVersion != 2, f.signingKey(request.tenant, group.app))
}

// appClaims have no scp, which is what tells an app's token from a person's, and no roles unless
// some are granted.
func (f *Fake) appClaims(
	tenant *directory.Tenant,
	client *directory.App,
	strength string,
	group permissionGroup,
	lifetime time.Duration,
) map[string]any {
	claims := f.frame(lifetime)
	principal := principalOf(client)
	claims["oid"] = principal
	claims["sub"] = principal
	claims["tid"] = tenant.ID
	claims["aud"] = f.audienceOf(group)
	if roles, _ := group.app.RolesOf(principal); len(roles) > 0 {
		claims["roles"] = roles
	}
	if group.app != &graphApp && group.app.TokenVersion == 2 {
		claims["iss"] = f.Issuer(tenant.ID)
		claims["ver"] = "2.0"
		claims["azp"] = client.ID
		claims["azpacr"] = strength
	} else {
		claims["iss"] = f.sts(tenant.ID)
		claims["ver"] = "1.0"
		claims["appid"] = client.ID
		claims["appidacr"] = strength
		claims["idp"] = f.sts(tenant.ID)
	}
	if group.app == &graphApp {
		claims["app_displayname"] = client.DisplayName
		claims["idtyp"] = "app"
	} else if slices.Contains(group.app.OptionalClaims.AccessToken, "idtyp") {
		claims["idtyp"] = "app"
	}
	return claims
}

// principalOf is the object ID of an app's service principal.
func principalOf(client *directory.App) string {
	if client.ObjectID != "" {
		return client.ObjectID
	}
	return guidOf("service principal", client.ID)
}

// idToken is the ID token (OpenID Connect Core section 2) in the version of the endpoint. The
// hashes are there if it comes from the authorization endpoint.
func (f *Fake) idToken(d delegation, code, token string) string {
	claims := f.idClaims(d)
	if code != "" {
		claims["c_hash"] = leftHalf(code)
	}
	if token != "" {
		claims["at_hash"] = leftHalf(token)
	}
	return signing.JWT(claims, d.version == v1, f.signingKey(d.tenant, d.client))
}

// idClaims are those of an ID token. Its sub is pairwise to the client, and its nonce is there if
// one was sent.
func (f *Fake) idClaims(d delegation) map[string]any {
	claims := f.frame(time.Hour)
	delete(claims, "xms_ftd")
	claims["aud"] = d.client.ID
	claims["tid"] = d.tenant.ID
	claims["sid"] = d.sid
	claims["sub"] = pairwise(d.user, d.client)
	if d.version == v1 {
		claims["iss"] = f.sts(d.tenant.ID)
		claims["ver"] = "1.0"
		claims["oid"] = d.user.ID
		claims["name"] = d.user.DisplayName
		claims["amr"] = methods(d.secondFactor)
		claims["ipaddr"] = "127.0.0.1"
		claims["upn"] = d.user.UserPrincipalName
		claims["unique_name"] = d.user.UserPrincipalName
		setKnown(claims, "given_name", d.user.GivenName)
		setKnown(claims, "family_name", d.user.Surname)
	} else {
		claims["iss"] = f.Issuer(d.tenant.ID)
		claims["ver"] = "2.0"
		if d.asked.has("profile") {
			claims["name"] = d.user.DisplayName
			claims["oid"] = d.user.ID
			claims["preferred_username"] = d.user.UserPrincipalName
		}
		if d.asked.has("email") {
			setKnown(claims, "email", d.user.Mail)
		}
	}
	setKnown(claims, "nonce", d.nonce)
	f.about(claims, &d, d.client, d.client.OptionalClaims.IDToken)
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

// guidOf makes a GUID that is always the same for a name.
func guidOf(kind, name string) string {
	sum := sha256.Sum256([]byte(kind + "|" + name))
	return guid(sum[:16], 0x50)
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
