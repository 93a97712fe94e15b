package broker_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker"
)

type introspected struct {
	Active   bool   `json:"active"`
	Scope    string `json:"scope"`
	ClientID string `json:"client_id"`
	Username string `json:"username"`
	Expiry   int64  `json:"exp"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	Issuer   string `json:"iss"`
	Error    string `json:"error"`
}

// introspect asks about a token, and returns the answer and its status.
func (e *env) introspect(token string, headers ...string) (introspected, int) {
	a := e.browser().post(e.origin+"/introspect", url.Values{"token": {token}}, headers...)
	var told introspected
	require.NoError(e.t, json.Unmarshal([]byte(a.body), &told), a.body)
	assert.Contains(e.t, a.header.Get("Cache-Control"), "no-store")
	return told, a.status
}

// resourceServer returns the file entry of a resource server, and its credentials.
func resourceServer(t *testing.T, id string) (entry, credentials string) {
	t.Helper()
	secret, hash, err := broker.NewClientSecret(rand.Reader)
	require.NoError(t, err)
	entry = fmt.Sprintf(`{"client_id":%q,"introspection":true,"token_endpoint_auth_method":"client_secret_basic",`+
		`"client_secret_hashes":[%q]}`, id, hash)
	return entry, basic(id, secret)
}

func TestResourceServerIntrospects(t *testing.T) {
	t.Parallel()
	entry, credentials := resourceServer(t, "files")
	e := newEnv(t, options{clients: broker.ClientPolicy{File: newClientsFile(t, entry).name}})
	c := e.public()
	got := e.signedIn(c)

	told, status := e.introspect(got.Access, "Authorization", credentials)
	assert.Equal(t, http.StatusOK, status)
	user := e.fake.Tenant().Users[0]
	assert.Equal(t, introspected{
		Active:   true,
		Scope:    "user.read",
		ClientID: c.ID,
		Username: user.UserPrincipalName,
		Expiry:   e.now().Add(10 * time.Minute).Unix(),
		Subject:  e.fake.Tenant().ID + "." + user.ID,
		Audience: e.origin + "/mcp",
		Issuer:   e.origin,
	}, told)

	for name, token := range map[string]string{
		"a refresh token": got.Refresh,
		"another text":    "x",
		"a changed token": got.Access + "x",
	} {
		told, status := e.introspect(token, "Authorization", credentials)
		assert.Equal(t, http.StatusOK, status, name)
		assert.Equal(t, introspected{}, told, name)
	}
	e.later(11 * time.Minute)
	told, _ = e.introspect(got.Access, "Authorization", credentials)
	assert.Equal(t, introspected{}, told, "expired")

	renewed, status := e.token(refreshing(c, got.Refresh))
	require.Equal(t, http.StatusOK, status, renewed.Error)
	told, _ = e.introspect(renewed.Access, "Authorization", credentials)
	assert.True(t, told.Active)
	_, err := e.broker.EndGrants(t.Context(), broker.GrantFilter{}, "a test")
	require.NoError(t, err)
	told, _ = e.introspect(renewed.Access, "Authorization", credentials)
	assert.Equal(t, introspected{}, told, "the grant has ended")
}

func TestIntrospectionNeedsAClient(t *testing.T) {
	t.Parallel()
	entry, own := preregistered(t, "reports")
	foreignEntry, foreign := preregistered(t, "other")
	e := newEnv(t, options{clients: broker.ClientPolicy{File: newClientsFile(t, entry, foreignEntry).name}})
	public := e.public()
	form := redemption(own, e.codeAt(own, e.browser()))
	form.Set("redirect_uri", appURI)
	got, status := e.token(form, "Authorization", basic(own.ID, own.Secret))
	require.Equal(t, http.StatusOK, status, got.Error)

	told, _ := e.introspect(got.Access, "Authorization", basic(own.ID, own.Secret))
	assert.True(t, told.Active, "a client asks about its own token")
	told, status = e.introspect(got.Access, "Authorization", basic(foreign.ID, foreign.Secret))
	assert.Equal(t, introspected{}, told, "a client asks about another client's token")
	assert.Equal(t, http.StatusOK, status)
	for name, credentials := range map[string]string{
		"none":            "",
		"a wrong secret":  basic(own.ID, own.Secret+"x"),
		"a public client": basic(public.ID, ""),
	} {
		told, status := e.introspect(got.Access, "Authorization", credentials)
		assert.Equal(t, http.StatusUnauthorized, status, name)
		assert.Equal(t, "invalid_client", told.Error, name)
	}
	_, status = e.introspect("", "Authorization", basic(own.ID, own.Secret))
	assert.Equal(t, http.StatusBadRequest, status)
	a := e.browser().post(e.origin+"/introspect", url.Values{"token": {got.Access}, "client_id": {public.ID}})
	assert.Equal(t, http.StatusUnauthorized, a.status, "a public client names itself")
}
