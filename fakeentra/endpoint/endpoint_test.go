package endpoint_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/fakeentra/endpoint"
)

func TestOf(t *testing.T) {
	t.Parallel()
	seen := map[endpoint.Name]bool{}
	for _, test := range []struct {
		path string
		want endpoint.Name
	}{
		{"/t/v2.0/.well-known/openid-configuration", endpoint.Discovery},
		{"/t/.well-known/openid-configuration", endpoint.Discovery},
		{"/.well-known/oauth-authorization-server/t/v2.0", endpoint.Discovery},
		{"/t/discovery/v2.0/keys", endpoint.Keys},
		{"/t/discovery/keys", endpoint.Keys},
		{"/common/discovery/instance", endpoint.Instance},
		{"/common/UserRealm/user@contoso.onmicrosoft.com", endpoint.UserRealm},
		{"/t/oauth2/v2.0/authorize", endpoint.Authorize},
		{"/t/oauth2/authorize", endpoint.Authorize},
		{"/t/authorize/v2/login", endpoint.SignIn},
		{"/t/authorize/v2/secondfactor", endpoint.SecondFactor},
		{"/t/adminconsent/v2/consent", endpoint.Consent},
		{"/t/v2.0/adminconsent", endpoint.AdminConsent},
		{"/t/oauth2/v2.0/token", endpoint.Token},
		{"/t/oauth2/v2.0/devicecode", endpoint.DeviceCode},
		{"/device", endpoint.Device},
		{"/t/oauth2/v2.0/logout", endpoint.Logout},
		{"/t/oauth2/v2.0/register", endpoint.Register},
		{"/v1.0/me", endpoint.Graph},
		{"/oidc/userinfo", endpoint.UserInfo},
		{"/metadata/identity/oauth2/token", endpoint.ManagedIdentity},
		{"/msi/token", endpoint.ManagedIdentity},
		{"/", endpoint.Other},
		{"/token", endpoint.Other},
		{"/t/token", endpoint.Other},
		{"/.well-known/../t/oauth2/v2.0/token/../../../x/login", endpoint.Discovery},
	} {
		got := endpoint.Of(test.path)
		assert.Equal(t, test.want, got, test.path)
		assert.True(t, got.Known(), test.path)
		seen[got] = true
	}
	assert.Len(t, seen, len(endpoint.All()), "every endpoint has a path here")
	assert.False(t, endpoint.Name("tokens").Known())
}
