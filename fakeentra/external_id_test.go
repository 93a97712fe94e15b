package fakeentra_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

const (
	externalURL    = "https://contoso.ciamlogin.com/" + directory.DefaultTenantID
	externalIssuer = "https://" + directory.DefaultTenantID + ".ciamlogin.com/" + directory.DefaultTenantID + "/v2.0"
)

// The endpoints have the subdomain in their host, and the issuer has the tenant's ID.
func TestExternalID(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{Cloud: fakeentra.ExternalID, AutoSignIn: true})
	assert.Equal(t, "https://contoso.ciamlogin.com", fake.Authority())
	assert.Equal(t, externalIssuer, fake.Issuer(directory.DefaultTenantID))
	document := get(t, fake, externalURL+"/v2.0/.well-known/openid-configuration")
	assert.Equal(t, externalIssuer, document.text("issuer"))
	for name, path := range map[string]string{
		"authorization_endpoint": "/oauth2/v2.0/authorize",
		"token_endpoint":         "/oauth2/v2.0/token",
		"jwks_uri":               "/discovery/v2.0/keys",
		"end_session_endpoint":   "/oauth2/v2.0/logout",
	} {
		assert.Equal(t, externalURL+path, document.text(name))
	}
	assert.Equal(t, http.StatusNotFound,
		get(t, fake, "https://contoso.ciamlogin.com/common/discovery/instance?api-version=1.1").Status)
	for _, shared := range []string{"common", "organizations", "consumers"} {
		got := get(t, fake, "https://contoso.ciamlogin.com/"+shared+"/v2.0/.well-known/openid-configuration")
		assert.Equal(t, http.StatusBadRequest, got.Status, shared)
	}

	location := returned(t, get(t, fake, externalURL+"/oauth2/v2.0/authorize?"+
		request(map[string]string{"scope": "openid " + apiScope}).Encode()))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, externalURL+"/oauth2/v2.0/token",
		strings.NewReader(redemption(location.Get("code"), nil).Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	tokens := do(t, fake, r)
	require.Equal(t, http.StatusOK, tokens.Status, tokens.Body)
	for _, name := range []string{"access_token", "id_token"} {
		_, payload := claims(t, tokens.text(name))
		assert.Equal(t, externalIssuer, payload["iss"], name)
	}

	// The same tenant at Entra ID has another issuer and other keys.
	workforce := newFake(t, fakeentra.Config{})
	key := func(fake *fakeentra.Fake, address string) []string {
		var ids []string
		for _, one := range get(t, fake, address+"/discovery/v2.0/keys").JSON["keys"].([]any) {
			published := one.(map[string]any)
			assert.Equal(t, fake.Issuer(directory.DefaultTenantID), published["issuer"])
			ids = append(ids, published["kid"].(string))
		}
		return ids
	}
	here := key(fake, externalURL)
	there := key(workforce, tenantURL)
	for _, id := range here {
		assert.NotContains(t, there, id)
	}
	header, _ := claims(t, tokens.text("id_token"))
	assert.Contains(t, here, header["kid"])
	require.NoError(t, fake.Rotate())
	rotated := key(fake, externalURL)
	assert.NotEqual(t, here, rotated)
	fake.Reset()
	assert.Equal(t, here, key(fake, externalURL))

	_, err = fakeentra.New(fakeentra.Config{
		Cloud:     fakeentra.ExternalID,
		Directory: changed(func(t *directory.Tenant) { t.Domains = nil }),
	})
	assert.ErrorContains(t, err, "want a domain of the first tenant")
}

// At a listener, the issuer stays at ciamlogin.com.
func TestExternalIDOnAListener(t *testing.T) {
	t.Parallel()
	server := fakeentra.NewTLSServer(fakeentra.Config{Cloud: fakeentra.ExternalID})
	defer server.Close()
	provider, err := oidc.NewProvider(
		oidc.InsecureIssuerURLContext(oidc.ClientContext(t.Context(), server.Client()), externalIssuer),
		server.URL+"/"+directory.DefaultTenantID+"/v2.0",
	)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(provider.Endpoint().TokenURL, server.URL), provider.Endpoint().TokenURL)
	raw, err := server.Mint(fakeentra.Token{Kind: fakeentra.IDToken})
	require.NoError(t, err)
	_, err = provider.Verifier(&oidc.Config{ClientID: directory.DefaultClientID}).
		Verify(oidc.ClientContext(t.Context(), server.Client()), raw)
	assert.NoError(t, err)
}

// A client that compares the issuer with the address of the document fails, like at Microsoft.
func TestGoOIDCAtExternalID(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{Cloud: fakeentra.ExternalID})
	ctx := oidc.ClientContext(t.Context(), fake.Client())
	_, err := oidc.NewProvider(ctx, externalURL+"/v2.0")
	require.ErrorContains(t, err, "did not match the issuer")
	provider, err := oidc.NewProvider(oidc.InsecureIssuerURLContext(ctx, externalIssuer), externalURL+"/v2.0")
	require.NoError(t, err)
	raw, err := fake.Mint(fakeentra.Token{Kind: fakeentra.IDToken})
	require.NoError(t, err)
	token, err := provider.Verifier(&oidc.Config{ClientID: directory.DefaultClientID}).Verify(ctx, raw)
	require.NoError(t, err)
	assert.Equal(t, externalIssuer, token.Issuer)
	parsed, err := url.Parse(externalIssuer)
	require.NoError(t, err)
	assert.NotEqual(t, "contoso.ciamlogin.com", parsed.Host)
}
