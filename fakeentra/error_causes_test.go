package fakeentra_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

const deadID = "5a1e0002-0000-4000-8000-00000000dead" // no app and no tenant

// A cause sends a request that Entra ID refuses.
type cause func(*testing.T) answer

// errorCauses has a request for each row of testdata/entra/error-texts.json.
var errorCauses = map[string]cause{
	"28000":                      redeem("scope", apiScope+" User.Read"),
	"50011":                      authorizeWith("redirect_uri", "https://evil.example/"),
	"50027 client assertion":     present("no JWT"),
	"50027 user assertion":       onBehalfOf("no JWT"),
	"50034":                      passwordOf("x@"+directory.DefaultDomain, "x", nil),
	"50049":                      unknownInstance,
	"50105":                      passwordOf(otherUser, "correct horse", requireAssignment),
	"50126":                      passwordOf(otherUser, "wrong", nil),
	"50173":                      revoked,
	"54005":                      redeemTwice,
	"65001":                      passwordOf(otherUser, "correct horse", nil),
	"70003":                      appWith("grant_type", "no_such_grant"),
	"70011 offline_access alone": redeem("scope", "offline_access"),
	"70025":                      presentForeign(nil, "s"),
	"90002":                      unknownTenant,
	"90002 in discovery":         unknownTenantInDiscovery,
	"90023 origin":               redeemFrom(asNative, "https://app.example"),
	"90023 prompt":               authorizeWith("prompt", "login consent"),
	"500011":                     appWith("scope", "api://unknown/.default"),
	"500131":                     exchange(nil),
	"500133":                     exchange(map[string]any{"exp": 1}),
	"500200":                     personalAccountAtWorkApp,
	"501481":                     redeem("code_verifier", "another verifier"),
	"650052":                     listedAPIElsewhere,
	"650053":                     authorizeWith("scope", apiURI+"/tool.none"),
	"700007":                     redeemOfAnother,
	"700016":                     appWith("client_id", deadID),
	"700024":                     presentOwn(map[string]any{"exp": 1, "nbf": nil}),
	"700027":                     presentUnknownKey,
	"700038":                     appWith("client_id", "00000000-0000-0000-0000-000000000000"),
	"700082":                     inactiveRefreshToken,
	"700211":                     presentForeign(trusting("https://other.test", "s"), "s"),
	"700213":                     presentForeign(trusting(foreignIssuer, "other"), "s"),
	"700222":                     presentOfEntra(nil),
	"900144":                     appWith("grant_type", ""),
	"901002":                     resourceRefused,
	"7000215":                    appWith("client_secret", "wrong"),
	"7000216":                    appWith("client_secret", ""),
	"7000218":                    redeem("client_secret", ""),
	"7000222":                    appWith("client_secret", expiredSecret),
	"7000229":                    appElsewhere,
	"7002137":                    presentOfEntra(map[string]any{"xms_mirid": "/subscriptions/s", "sub": "mine"}),
	"7002138":                    presentForeign(trusting(foreignIssuer, "S"), "s"),
	"5002730":                    presentSecret,
	"9002313":                    redeem("code", "junk"),
	"9002325":                    spaWithoutChallenge,
	"9002326":                    redeemFrom(nil, "https://app.example"),
	"9002327":                    redeemFrom(asSPA, ""),
	"9002331":                    appAt(directory.DefaultTenantID, spaID),
	"9002332":                    appAt("consumers", directory.DefaultAPIID),
	"9010010":                    redeem("resource", "https://mcp.example/"),
}

const expiredSecret = "last year's"

// appWith requests a token for an app with one parameter changed.
func appWith(name, value string) cause {
	return func(t *testing.T) answer {
		d := changed(func(t *directory.Tenant) { t.Apps[0].ExpiredSecrets = []string{expiredSecret} })
		return token(t, newFake(t, fakeentra.Config{Directory: d}), with(appForm(), map[string]string{name: value}))
	}
}

// redeem redeems a code with one parameter changed.
func redeem(name, value string) cause {
	return func(t *testing.T) answer {
		fake := newFake(t, fakeentra.Config{AutoSignIn: true})
		return token(t, fake, redemption(signIn(t, fake, nil), map[string]string{name: value}))
	}
}

func redeemTwice(t *testing.T) answer {
	t.Helper()
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	form := redemption(signIn(t, fake, nil), nil)
	require.Equal(t, http.StatusOK, token(t, fake, form).Status)
	return token(t, fake, form)
}

// authorizeWith sends an authorization request with one parameter changed.
func authorizeWith(name, value string) cause {
	return func(t *testing.T) answer {
		fake := newFake(t, fakeentra.Config{AutoSignIn: true})
		return authorize(t, fake, request(map[string]string{name: value}))
	}
}

// passwordOf signs a person in by the password grant, at an app that allows it.
func passwordOf(user, password string, change func(*directory.Tenant)) cause {
	return func(t *testing.T) answer {
		d := changed(func(tenant *directory.Tenant) {
			tenant.Apps[0].AllowPublicFlows = true
			if change != nil {
				change(tenant)
			}
		})
		return token(t, newFake(t, fakeentra.Config{Directory: d}), url.Values{
			"grant_type": {"password"},
			"client_id":  {directory.DefaultClientID},
			"username":   {user},
			"password":   {password},
			"scope":      {"User.Read"},
		})
	}
}

func requireAssignment(t *directory.Tenant) { t.Apps[0].AssignmentRequired = true }

func unknownTenant(t *testing.T) answer {
	t.Helper()
	return at(t, newFake(t, fakeentra.Config{}), deadID, appForm())
}

func unknownInstance(t *testing.T) answer {
	t.Helper()
	const query = "?api-version=1.1&authorization_endpoint=https://evil.example/common/oauth2/authorize"
	return get(t, newFake(t, fakeentra.Config{}), login+"/common/discovery/instance"+query)
}

func unknownTenantInDiscovery(t *testing.T) answer {
	t.Helper()
	return get(t, newFake(t, fakeentra.Config{}), login+"/"+deadID+"/v2.0/.well-known/openid-configuration")
}

func revoked(t *testing.T) answer {
	t.Helper()
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	refresh := token(t, fake, redemption(signIn(t, fake, nil), nil)).text("refresh_token")
	require.NoError(t, fake.RevokeSessions(directory.DefaultUser))
	return token(t, fake, refreshing(refresh, nil))
}

func inactiveRefreshToken(t *testing.T) answer {
	t.Helper()
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	refresh := token(t, fake, redemption(signIn(t, fake, nil), nil)).text("refresh_token")
	fake.Advance(91 * 24 * time.Hour)
	return token(t, fake, refreshing(refresh, nil))
}

func resourceRefused(t *testing.T) answer {
	t.Helper()
	fake := newFake(t, fakeentra.Config{AutoSignIn: true, ResourceParameter: fakeentra.ResourceRefused})
	return token(t, fake, redemption(signIn(t, fake, nil), map[string]string{"resource": "https://mcp.example/"}))
}

// asSPA turns a request into one of the single-page app of withSPA.
var asSPA = map[string]string{"client_id": spaID, "redirect_uri": "http://localhost:3000/", "client_secret": ""}

// asNative turns a request into one of a program on a person's machine.
var asNative = map[string]string{
	"client_id":     directory.DefaultAPIID,
	"redirect_uri":  "http://localhost:49152",
	"client_secret": "",
}

// redeemFrom redeems a code with an Origin, or without one if origin is empty.
func redeemFrom(changes map[string]string, origin string) cause {
	return func(t *testing.T) answer {
		fake := newFake(t, fakeentra.Config{Directory: withSPA(), AutoSignIn: true})
		return postToken(t, fake, redemption(signIn(t, fake, changes), changes), origin)
	}
}

func spaWithoutChallenge(t *testing.T) answer {
	t.Helper()
	fake := newFake(t, fakeentra.Config{Directory: withSPA(), AutoSignIn: true})
	withoutPKCE := map[string]string{"code_challenge": "", "code_challenge_method": ""}
	return authorize(t, fake, with(request(asSPA), withoutPKCE))
}

// appAt requests a token for an app at the endpoint of other accounts.
func appAt(segment, client string) cause {
	return func(t *testing.T) answer {
		form := with(appForm(), map[string]string{"client_id": client, "client_secret": "s"})
		return at(t, newFake(t, fakeentra.Config{Directory: withPersonalAccounts()}), segment, form)
	}
}

// personalAccountAtWorkApp signs a personal account in at an app of an organization.
func personalAccountAtWorkApp(t *testing.T) answer {
	t.Helper()
	person := &visit{t: t, fake: newFake(t, fakeentra.Config{Directory: withPersonalAccounts()})}
	params := request(map[string]string{"client_id": directory.DefaultAPIID, "redirect_uri": "http://localhost"})
	return person.post("login", params, url.Values{"account": {personalUser}})
}
