package fakeentra_test

import (
	"maps"
	"net/http"
	"net/url"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	ownIssuer     = login + "/" + directory.DefaultTenantID + "/v2.0"
	foreignIssuer = "https://workload.test/" + directory.DefaultTenantID + "/v2.0"
)

// assertAs requests a token for the first app of a directory with a client assertion.
func assertAs(t *testing.T, d directory.Directory, assertion string) answer {
	t.Helper()
	form := with(appForm(), map[string]string{"client_secret": ""})
	form.Set("client_assertion_type", assertionType)
	form.Set("client_assertion", assertion)
	return token(t, newFake(t, fakeentra.Config{Directory: d}), form)
}

// present presents a text as a client assertion.
func present(assertion string) cause {
	return func(t *testing.T) answer { return assertAs(t, directory.Default(), assertion) }
}

// presentOwn presents an assertion that the app signed with its own key.
func presentOwn(changes map[string]any) cause {
	return func(t *testing.T) answer {
		d, _, key := directoryOfApps(t)
		d.Tenants[0].Apps[0].FederatedCredentials = nil
		return assertAs(t, d, clientAssertion(t, key, jose.PS256, nil, changes))
	}
}

func presentUnknownKey(t *testing.T) answer {
	t.Helper()
	d, _, key := directoryOfApps(t)
	d.Tenants[0].Apps[0].FederatedCredentials = nil
	named := map[jose.HeaderKey]any{"x5t": "AAECAwQFBgcICQoLDA0ODxAREhM"}
	got := assertAs(t, d, clientAssertion(t, key, jose.PS256, named, nil))
	require.Contains(t, got.text("error_description"), "client: '000102030405060708090A0B0C0D0E0F10111213'")
	return got
}

func presentSecret(t *testing.T) answer {
	t.Helper()
	secret := []byte("a secret of thirty-two characters")
	return assertAs(t, directory.Default(), clientAssertion(t, secret, jose.HS256, nil, nil))
}

// trusting is a federated credential of an issuer and a subject.
func trusting(issuer, subject string) []directory.FederatedCredential {
	return []directory.FederatedCredential{{Issuer: issuer, Subject: subject}}
}

// presentForeign presents a token of another issuer to an app with federated credentials.
func presentForeign(credentials []directory.FederatedCredential, subject string) cause {
	return func(t *testing.T) answer {
		raw, err := newFake(t, fakeentra.Config{PublicURL: "https://workload.test"}).Mint(fakeentra.Token{
			Claims: map[string]any{"sub": subject, "aud": directory.FederatedAudience},
		})
		require.NoError(t, err)
		return assertAs(t, changed(func(t *directory.Tenant) { t.Apps[0].FederatedCredentials = credentials }), raw)
	}
}

// presentOfEntra presents a token of the fake itself to an app that trusts its issuer.
func presentOfEntra(claims map[string]any) cause {
	return func(t *testing.T) answer {
		credentials := trusting(ownIssuer, "another")
		return assertAs(
			t,
			changed(func(t *directory.Tenant) { t.Apps[0].FederatedCredentials = credentials }),
			mintFor(t, claims),
		)
	}
}

// Foreign tokens can have claims of Entra ID with other types.
func TestForeignTokenWithListOfScopes(t *testing.T) {
	t.Parallel()
	d, _, key := directoryOfApps(t)
	foreign := map[string]any{"iss": "https://okta.test", "scp": []string{"a"}, "azp": 1, "xms_mirid": nil}
	assert.Equal(t, 700211, assertAs(t, d, clientAssertion(t, key, jose.RS256, nil, foreign)).number(t))
}

// The token of a managed identity is a credential like a foreign token.
func TestManagedIdentityAsFederatedCredential(t *testing.T) {
	t.Parallel()
	const identity = "5a1e0010-0000-4000-8000-000000000001"
	d := changed(func(t *directory.Tenant) { t.Apps[0].FederatedCredentials = trusting(ownIssuer, identity) })
	present := func(changes map[string]any) answer {
		claims := map[string]any{"sub": identity, "oid": identity, "aud": directory.FederatedAudience}
		maps.Copy(claims, changes)
		raw, err := newFake(t, fakeentra.Config{}).Mint(fakeentra.Token{Kind: fakeentra.AppToken, Claims: claims})
		require.NoError(t, err)
		return assertAs(t, d, raw)
	}
	for _, mark := range []map[string]any{{"xms_mirid": "/subscriptions/s"}, {"azp": identity}} {
		got := present(mark)
		assert.Equal(t, http.StatusOK, got.Status, "%v: %s", mark, got.Body)
	}
	assert.Equal(t, 700222, present(nil).number(t), "an app registration")
	assert.Equal(t, 700222, present(map[string]any{"azp": identity, "scp": "x"}).number(t), "a person")
	assert.Equal(t, 700024, present(map[string]any{"azp": identity, "exp": 1}).number(t))
	assert.Equal(t, 700212, present(map[string]any{"azp": identity, "aud": "api://other"}).number(t))
	_, key := newCertificate(t)
	forged := map[string]any{"iss": ownIssuer, "sub": identity, "aud": directory.FederatedAudience, "azp": identity}
	assert.Equal(t, 700027, assertAs(t, d, clientAssertion(t, key, jose.RS256, nil, forged)).number(t))
}

// mintFor mints a token for the default API.
func mintFor(t *testing.T, claims map[string]any) string {
	t.Helper()
	raw, err := newFake(t, fakeentra.Config{}).Mint(fakeentra.Token{Claims: claims})
	require.NoError(t, err)
	return raw
}

// onBehalfOf exchanges an assertion as the middle tier.
func onBehalfOf(assertion string) cause {
	return func(t *testing.T) answer {
		d, _, _ := directoryOfApps(t)
		return token(t, newFake(t, fakeentra.Config{Directory: d}), url.Values{
			"grant_type":          {"urn:ietf:params:oauth:grant-type:jwt-bearer"},
			"client_id":           {middleTierID},
			"client_secret":       {"middle"},
			"assertion":           {assertion},
			"requested_token_use": {"on_behalf_of"},
			"scope":               {"User.Read"},
		})
	}
}

// exchange exchanges a token for the default API, which is not the middle tier.
func exchange(claims map[string]any) cause {
	return func(t *testing.T) answer { return onBehalfOf(mintFor(t, claims))(t) }
}
