package fakeentra_test

import (
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

func TestDiscoveryDocument(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	got := get(t, fake, tenantURL+"/v2.0/.well-known/openid-configuration")
	require.Equal(t, http.StatusOK, got.Status)
	assert.Equal(t, []string{
		"token_endpoint",
		"token_endpoint_auth_methods_supported",
		"jwks_uri",
		"response_modes_supported",
		"subject_types_supported",
		"id_token_signing_alg_values_supported",
		"response_types_supported",
		"scopes_supported",
		"issuer",
		"request_uri_parameter_supported",
		"userinfo_endpoint",
		"authorization_endpoint",
		"device_authorization_endpoint",
		"http_logout_supported",
		"frontchannel_logout_supported",
		"end_session_endpoint",
		"claims_supported",
		"kerberos_endpoint",
		"mtls_endpoint_aliases",
		"tls_client_certificate_bound_access_tokens",
		"tenant_region_scope",
		"cloud_instance_name",
		"cloud_graph_host_name",
		"msgraph_host",
		"rbac_url",
	}, members(t, got.Body), "the members of Entra ID, their order, and nothing that it lacks")
	assert.Equal(t, tenantURL+"/v2.0", got.text("issuer"))
	assert.Equal(t, fake.Issuer(directory.DefaultTenantID), got.text("issuer"))
	assert.Equal(t, tenantURL+"/oauth2/v2.0/token", got.text("token_endpoint"))
	assert.Equal(t, tenantURL+"/oauth2/v2.0/authorize", got.text("authorization_endpoint"))
	assert.Equal(t, tenantURL+"/discovery/v2.0/keys", got.text("jwks_uri"))
	assert.Equal(t, "https://graph.microsoft.com/oidc/userinfo", got.text("userinfo_endpoint"))
	assert.Equal(t, "EU", got.text("tenant_region_scope"))
	assert.Equal(t, "*", got.Header.Get("Access-Control-Allow-Origin"))
	assert.Equal(t, "max-age=86400, private", got.Header.Get("Cache-Control"))
	assert.Equal(t, "application/json; charset=utf-8", got.Header.Get("Content-Type"))
}

func TestDiscoveryByTenantSegment(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	const host = "https://login.microsoftonline.com"
	for _, one := range []struct{ segment, issuer, endpoints string }{
		{"common", host + "/{tenantid}/v2.0", "common"},
		{"organizations", host + "/{tenantid}/v2.0", "organizations"},
		{"consumers", host + "/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0", "consumers"},
		{directory.DefaultTenantID, tenantURL + "/v2.0", directory.DefaultTenantID},
		{strings.ToUpper(directory.DefaultTenantID), tenantURL + "/v2.0", directory.DefaultTenantID},
		{directory.DefaultDomain, tenantURL + "/v2.0", directory.DefaultTenantID},
	} {
		got := get(t, fake, host+"/"+one.segment+"/v2.0/.well-known/openid-configuration")
		assert.Equal(t, one.issuer, got.text("issuer"), one.segment)
		assert.Equal(t, host+"/"+one.endpoints+"/oauth2/v2.0/token", got.text("token_endpoint"), one.segment)
	}
	unknown := get(t, fake, host+"/5a1e0001-0000-4000-8000-00000000dead/v2.0/.well-known/openid-configuration")
	assert.Equal(t, http.StatusBadRequest, unknown.Status)
	assert.Equal(t, "invalid_tenant", unknown.text("error"), "here and nowhere else")
	assert.Equal(t, 90002, unknown.number(t))
}

func TestWhatEntraDoesNotServe(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	for _, path := range []string{
		"/.well-known/oauth-authorization-server",
		"/.well-known/oauth-authorization-server/" + directory.DefaultTenantID + "/v2.0",
		"/.well-known/openid-configuration/" + directory.DefaultTenantID + "/v2.0",
		"/.well-known/openid-configuration",
		"/" + directory.DefaultTenantID + "/.well-known/oauth-authorization-server",
		"/register",
		"/" + directory.DefaultTenantID + "/oauth2/v2.0/register",
		"/" + directory.DefaultTenantID + "/oauth2/v2.0/introspect",
		"/" + directory.DefaultTenantID + "/oauth2/v2.0/revoke",
	} {
		got := get(t, fake, "https://login.microsoftonline.com"+path)
		assert.Equal(t, http.StatusNotFound, got.Status, path)
	}
}

func TestKeySet(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	got := get(t, fake, tenantURL+"/discovery/v2.0/keys")
	keys := got.JSON["keys"].([]any)
	require.GreaterOrEqual(t, len(keys), 3, "the key that signs is one of several")
	for _, one := range keys {
		key := one.(map[string]any)
		assert.NotContains(t, key, "alg")
		assert.Equal(t, "RSA", key["kty"])
		assert.Equal(t, key["kid"], key["x5t"])
		assert.Equal(t, fake.Issuer(directory.DefaultTenantID), key["issuer"])
		der, err := base64.StdEncoding.DecodeString(key["x5c"].([]any)[0].(string))
		require.NoError(t, err)
		sum := sha1.Sum(der)
		assert.Equal(t, base64.RawURLEncoding.EncodeToString(sum[:]), key["x5t"])
		_, err = x509.ParseCertificate(der)
		require.NoError(t, err)
	}
	shared := get(t, fake, "https://login.microsoftonline.com/common/discovery/v2.0/keys")
	assert.Equal(
		t,
		"https://login.microsoftonline.com/{tenantid}/v2.0",
		shared.JSON["keys"].([]any)[0].(map[string]any)["issuer"],
	)
	v1 := get(t, fake, tenantURL+"/discovery/keys")
	assert.NotContains(t, v1.JSON["keys"].([]any)[0], "issuer")
}

func TestRotation(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	published := func() (ids []string) {
		for _, key := range get(t, fake, tenantURL+"/discovery/v2.0/keys").JSON["keys"].([]any) {
			ids = append(ids, key.(map[string]any)["kid"].(string))
		}
		return ids
	}
	signer := func() string {
		raw, err := fake.Mint(fakeentra.Token{})
		require.NoError(t, err)
		header, _ := claims(t, raw)
		return header["kid"].(string)
	}
	personal := fake.Issuer(directory.ConsumersTenantID)
	shared := func() string { return get(t, fake, login+"/common/discovery/v2.0/keys").Body }
	require.Contains(t, shared(), personal)
	before := published()
	first := signer()
	require.Contains(t, before, first)
	require.NoError(t, fake.Rotate())
	after := published()
	second := signer()
	assert.NotEqual(t, first, second)
	assert.Contains(t, before, second, "the next key was published before it signs")
	assert.Contains(t, after, first, "tokens of the old key stay valid")
	require.NoError(t, fake.Rotate())
	assert.NotContains(t, published(), before[0], "the oldest is withdrawn")
	assert.Contains(t, shared(), personal, "the key of personal accounts stays")
	seen := map[string]bool{}
	for range 6 {
		require.NoError(t, fake.Rotate())
		seen[signer()] = true
	}
	assert.Len(t, seen, 6, "rotation never comes back to a key")
}

func TestInstanceDiscovery(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	const address = login + "/common/discovery/instance?api-version=1.1&authorization_endpoint="
	got := get(t, fake, address+tenantURL+"/oauth2/v2.0/authorize")
	assert.Equal(t, []string{"tenant_discovery_endpoint", "api-version", "metadata"}, members(t, got.Body))
	assert.Equal(t, tenantURL+"/v2.0/.well-known/openid-configuration", got.text("tenant_discovery_endpoint"))
	unknown := get(t, fake, address+"https://login.example.com/common/oauth2/v2.0/authorize")
	assert.Equal(t, http.StatusBadRequest, unknown.Status)
	assert.Equal(t, "invalid_instance", unknown.text("error"))
}
