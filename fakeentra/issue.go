package fakeentra

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/claims"
	"mcpentra/fakeentra/internal/rules"
	"mcpentra/fakeentra/internal/signing"
)

// issue makes the tokens of a delegation.
func (f *Fake) issue(d rules.Delegation, v rules.Version) (*tokenResponse, *aadsts.Error) {
	group := d.Asked.Group()
	names := rules.Granted(d.Asked, group, f.state.Granted(&f.rules, d.Tenant, d.Client, d.User))
	lifetime, isLong := personLifetime(f.random.bytes(8), &d, group.App)
	answer := newTokenResponse(v, f.rules.Audience(group), f.clock.now(), lifetime)
	if isLong {
		answer.RefreshIn = numberOf(seconds(lifetime)/2, v)
	}
	claims := f.claims.User(&d, group, names, lifetime)
	f.state.TokenIssued(d.User.ID, text(claims, "uti"), f.clock.now())
	answer.AccessToken = f.accessToken(claims, d.Tenant, group.App)
	answer.Scope = scopeAnswer(group, names, v)
	if d.Asked.Has("offline_access") && !d.Hybrid {
		answer.RefreshToken = f.newRefreshToken(d)
	}
	if d.Asked.Has("openid") && !d.Hybrid {
		answer.IDToken = f.idToken(&d, "", "")
	}
	if d.WantsInfo {
		answer.ClientInfo = clientInfo(d.Tenant, d.User)
	}
	if d.SecondFactor {
		f.state.AddMFASession(d.SID)
	}
	return answer, nil
}

// newTokenResponse makes an answer without its tokens. Answers at v1 have more members.
func newTokenResponse(
	v rules.Version,
	resource string,
	now time.Time,
	lifetime time.Duration,
) *tokenResponse {
	answer := &tokenResponse{
		TokenType:    "Bearer",
		ExpiresIn:    numberOf(seconds(lifetime)-1, v),
		ExtExpiresIn: numberOf(seconds(lifetime)-1, v),
	}
	if v == rules.V1 {
		answer.ExpiresOn = numberOf(int(now.Add(lifetime).Unix()), v)
		answer.NotBefore = numberOf(int(now.Add(-claims.Backdate).Unix()), v)
		answer.Resource = resource
	}
	return answer
}

// scopeAnswer writes the granted names in the form of the request. Names are short at v1, and if
// the request used bare names of Graph. Other names have the identifier of the resource in front,
// except the OpenID Connect scopes.
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

// newLifetime returns 60 to 90 minutes, like Entra ID, from eight random bytes.
func newLifetime(random []byte) time.Duration {
	n := binary.BigEndian.Uint64(random) % 1801
	return time.Hour + time.Duration(n)*time.Second
}

func seconds(d time.Duration) int { return int(d / time.Second) }

// accessToken signs the claims of an access token for a resource.
func (f *Fake) accessToken(claims map[string]any, tenant *directory.Tenant, api *directory.App) string {
	if api == &rules.GraphApp {
		return signing.GraphJWT(claims, f.random.bytes(32), f.keys.Active())
	}
	return signing.JWT(claims, api.TokenVersion != 2, f.signingKey(tenant, api))
}

// idToken signs an ID token. Code and token are empty unless the authorization endpoint issues it.
func (f *Fake) idToken(d *rules.Delegation, code, token string) string {
	return signing.JWT(f.claims.ID(d, code, token), d.Version == rules.V1, f.signingKey(d.Tenant, d.Client))
}

// clientInfo returns the member client_info. Microsoft's libraries identify the account by it.
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
