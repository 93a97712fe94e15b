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
)

// A delegation is a person's permission to a client, from which tokens are made.
type delegation struct {
	tenant       *directory.Tenant
	client       *directory.App
	user         *directory.User
	platform     platform
	asked        *permissions
	nonce        string
	sid          string
	strength     string
	wantsInfo    bool
	began        time.Time
	refreshUntil time.Time // for the refresh tokens of single-page apps; zero means a lifetime from now
}

// issue makes the tokens of a delegated grant.
func (f *Fake) issue(d delegation) (*tokenResponse, *aadsts.Error) {
	group := d.asked.group()
	names := f.granted(consentKey{d.tenant.ID, d.user.ID, d.client.ID}, group, d.asked.oidc)
	lifetime := f.lifetime()
	answer := &tokenResponse{
		TokenType: "Bearer", Scope: scopeAnswer(group, names), ExpiresIn: seconds(lifetime) - 1, ExtExpiresIn: seconds(lifetime) - 1,
		AccessToken: f.userToken(d, group, names, lifetime),
	}
	if d.asked.has("offline_access") {
		until := d.refreshUntil
		switch {
		case !until.IsZero():
		case d.platform == spa:
			until = f.now().Add(spaRefreshLifetime)
		default:
			until = f.now().Add(refreshLifetime)
		}
		answer.RefreshToken = f.newRefreshToken(d, until)
	}
	if d.asked.has("openid") {
		answer.IDToken = f.idToken(d)
	}
	if d.wantsInfo {
		answer.ClientInfo = clientInfo(d.tenant, d.user)
	}
	return answer, nil
}

// scopeAnswer spells the granted names as they were asked for: short for Graph, with the resource's identifier for an
// API.
func scopeAnswer(group permissionGroup, names []string) string {
	if group.app == &graphApp {
		return strings.Join(names, " ")
	}
	var all []string
	for _, name := range names {
		all = append(all, group.asked+"/"+name)
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

// userToken is a delegated access token: Graph's own kind for Graph, the v2 kind for any other resource.
func (f *Fake) userToken(d delegation, group permissionGroup, names []string, lifetime time.Duration) string {
	claims := f.frame(lifetime)
	scopes := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "offline_access" })
	if group.app == &graphApp {
		claims["aud"] = f.graphAudience()
		claims["iss"] = "https://sts.windows.net/" + d.tenant.ID + "/"
		claims["app_displayname"], claims["appid"], claims["appidacr"] = d.client.DisplayName, d.client.ID, d.strength
		claims["idtyp"], claims["given_name"], claims["family_name"] = "user", d.user.GivenName, d.user.Surname
		claims["upn"], claims["unique_name"], claims["ver"] = d.user.UserPrincipalName, d.user.UserPrincipalName, "1.0"
		claims["acr"], claims["amr"] = "1", []string{"pwd"}
		claims["xms_st"] = map[string]string{"sub": pairwise(d.user, d.client)}
	} else {
		claims["aud"], claims["iss"] = group.app.ID, f.Issuer(d.tenant.ID)
		claims["azp"], claims["azpacr"], claims["ver"] = d.client.ID, d.strength, "2.0"
		claims["preferred_username"] = d.user.UserPrincipalName
	}
	claims["name"], claims["oid"], claims["tid"], claims["sid"] = d.user.DisplayName, d.user.ID, d.tenant.ID, d.sid
	claims["sub"] = pairwise(d.user, group.app)
	claims["scp"] = strings.Join(scopes, " ")
	if group.app == &graphApp {
		return f.signForGraph(claims)
	}
	return f.sign(claims)
}

// appToken is an access token of an app for itself. It has no scp, which is what tells it from a person's.
func (f *Fake) appToken(request *tokenRequest, group permissionGroup, lifetime time.Duration) string {
	claims := f.frame(lifetime)
	claims["oid"], claims["sub"], claims["tid"] = request.client.ObjectID, request.client.ObjectID, request.tenant.ID
	if group.app == &graphApp {
		claims["aud"], claims["iss"], claims["ver"] = f.graphAudience(), "https://sts.windows.net/"+request.tenant.ID+"/", "1.0"
		claims["appid"], claims["appidacr"], claims["idtyp"] = request.client.ID, request.strength(), "app"
		claims["idp"] = "https://sts.windows.net/" + request.tenant.ID + "/"
		return f.signForGraph(claims)
	}
	claims["aud"], claims["iss"], claims["ver"] = group.app.ID, f.Issuer(request.tenant.ID), "2.0"
	claims["azp"], claims["azpacr"] = request.client.ID, request.strength()
	return f.sign(claims)
}

// idToken is the v2 ID token (OpenID Connect Core section 2). Its sub is pairwise to the client, and its nonce is there
// if one was sent.
func (f *Fake) idToken(d delegation) string {
	claims := f.frame(time.Hour)
	claims["aud"], claims["iss"], claims["ver"] = d.client.ID, f.Issuer(d.tenant.ID), "2.0"
	claims["sub"], claims["tid"], claims["sid"] = pairwise(d.user, d.client), d.tenant.ID, d.sid
	if d.asked.has("profile") {
		claims["name"], claims["oid"], claims["preferred_username"] = d.user.DisplayName, d.user.ID, d.user.UserPrincipalName
	}
	if d.asked.has("email") && d.user.Mail != "" {
		claims["email"] = d.user.Mail
	}
	if d.nonce != "" {
		claims["nonce"] = d.nonce
	}
	return f.sign(claims)
}

// frame are the claims that every token has.
func (f *Fake) frame(lifetime time.Duration) map[string]any {
	now := f.now()
	return map[string]any{
		"iat": now.Add(-backdate).Unix(), "nbf": now.Add(-backdate).Unix(), "exp": now.Add(lifetime).Unix(),
		"aio": base64.StdEncoding.EncodeToString(f.random(48)),
		"rh":  "1." + base64.RawURLEncoding.EncodeToString(f.random(36)) + ".",
		"uti": base64.RawURLEncoding.EncodeToString(f.random(16)), "xms_ftd": base64.RawURLEncoding.EncodeToString(f.random(32)),
	}
}

func (f *Fake) graphAudience() string { return f.graphURL }

// pairwise is a person's sub at one app: stable, and telling nothing across apps.
func pairwise(user *directory.User, app *directory.App) string {
	sum := sha256.Sum256([]byte(user.ID + "|" + app.ID))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// sign makes a JWT with the header of a v2 token.
func (f *Fake) sign(claims map[string]any) string {
	key := f.signingKey()
	signed := encode(orderedHeader{Type: "JWT", Algorithm: "RS256", KeyID: key.id}) + "." + encode(claims)
	return signed + "." + key.sign(signed)
}

// signForGraph makes a token that nobody but Graph can verify: the signature is over a header in which the nonce is
// hashed.
func (f *Fake) signForGraph(claims map[string]any) string {
	key := f.signingKey()
	nonce := base64.RawURLEncoding.EncodeToString(f.random(32))
	header := orderedHeader{Type: "JWT", Nonce: nonce, Algorithm: "RS256", Thumbprint: key.id, KeyID: key.id}
	payload := encode(claims)
	return encode(header) + "." + payload + "." + key.sign(encode(hashedNonce(header))+"."+payload)
}

func hashedNonce(header orderedHeader) orderedHeader {
	sum := sha256.Sum256([]byte(header.Nonce))
	header.Nonce = base64.RawURLEncoding.EncodeToString(sum[:])
	return header
}

type orderedHeader struct {
	Type       string `json:"typ"`
	Nonce      string `json:"nonce,omitempty"`
	Algorithm  string `json:"alg"`
	Thumbprint string `json:"x5t,omitempty"`
	KeyID      string `json:"kid"`
}

func encode(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // strings, numbers and what Mint's caller put in
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func clientInfo(tenant *directory.Tenant, user *directory.User) string {
	return encode(struct {
		UID  string `json:"uid"`
		UTID string `json:"utid"`
	}{user.ID, tenant.ID})
}
