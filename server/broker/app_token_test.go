package broker_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker"
	"mcpentra/server/identity"
	"mcpentra/server/store"
)

// appEntry returns an entry of the clients' file for an application with scopes, and the client.
func appEntry(t *testing.T, id, scope string) (entry string, made registered) {
	t.Helper()
	secret, hash, err := broker.NewClientSecret(rand.Reader)
	require.NoError(t, err)
	entry = fmt.Sprintf(`{"client_id":%q,"client_name":"Nightly","grant_types":["client_credentials"],`+
		`"token_endpoint_auth_method":"client_secret_basic","client_secret_hashes":[%q],"scope":%q}`, id, hash, scope)
	return entry, registered{ID: id, Secret: secret}
}

// asApp asks for a token for the client itself. Change lists names and values of parameters.
func (e *env) asApp(c registered, change ...string) (tokens, int) {
	form := url.Values{"grant_type": {"client_credentials"}}
	for i := 0; i < len(change); i += 2 {
		form.Set(change[i], change[i+1])
	}
	if c.Secret == "" {
		form.Set("client_id", c.ID)
		return e.token(form)
	}
	return e.token(form, "Authorization", basic(c.ID, c.Secret))
}

func (e *env) revokes(c registered, presented string) {
	form := url.Values{"token": {presented}}
	status := e.browser().post(e.origin+"/revoke", form, "Authorization", basic(c.ID, c.Secret)).status
	assert.Equal(e.t, http.StatusOK, status)
}

func TestAppCallsForItself(t *testing.T) {
	t.Parallel()
	entry, c := appEntry(t, "nightly", "user.read jobs.run")
	e := newEnv(t, options{clients: broker.ClientPolicy{File: newClientsFile(t, entry).name}})
	got, status := e.asApp(c, "resource", e.origin+"/mcp")
	require.Equal(t, http.StatusOK, status, got.Error)
	assert.Empty(t, got.Refresh)
	assert.Equal(t, "user.read jobs.run", got.Scope)
	assert.Equal(t, 600, got.ExpiresIn)
	caller, err := e.broker.Verify(t.Context(), got.Access)
	require.NoError(t, err)
	assert.Equal(t, identity.Principal{Issuer: e.origin, ObjectID: "nightly"}, caller.Principal)
	assert.Equal(t, identity.App, caller.Kind)
	assert.True(t, caller.KindStated)
	assert.Equal(t, []string{"user.read", "jobs.run"}, caller.Scopes)
	assert.Equal(t, "Nightly", caller.ClientName)
	assert.Empty(t, caller.GrantID)

	narrow, _ := e.asApp(c, "scope", "jobs.run notes.read")
	assert.Equal(t, "jobs.run", narrow.Scope)
	for _, refused := range []struct {
		want   string
		change []string
	}{
		{"invalid_scope", []string{"scope", "notes.read"}},
		{"invalid_target", []string{"resource", "https://other.example"}},
	} {
		got, status := e.asApp(c, refused.change...)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Equal(t, refused.want, got.Error)
	}
	assert.Equal(t, http.StatusBadRequest, e.browser().get(e.request(c)).status, "people cannot sign in with it")
	e.later(11 * time.Minute)
	assert.False(t, e.good(got.Access))
}

// TestAppTokenEnds ends tokens of an application in each way. A replica notices too.
func TestAppTokenEnds(t *testing.T) {
	t.Parallel()
	entry, c := appEntry(t, "nightly", "user.read jobs.run")
	less, _ := appEntry(t, "nightly", "jobs.run")
	none, _ := appEntry(t, "nightly", "other")
	coded, _ := preregistered(t, "nightly")
	otherEntry, other := appEntry(t, "weekly", "user.read")
	file := newClientsFile(t, entry, otherEntry)
	keys, err := broker.NewKeys(rand.Reader)
	require.NoError(t, err)
	o := options{
		store:   store.NewMemory(store.Config{Now: func() time.Time { return started }}),
		keys:    keys,
		clients: broker.ClientPolicy{File: file.name},
	}
	e := newEnv(t, o)
	replica := e.start(o)
	counts := func(access string) bool {
		_, err := replica.Verify(t.Context(), access)
		assert.Equal(t, e.good(access), err == nil)
		return err == nil
	}
	kept, _ := e.asApp(c)
	ended, _ := e.asApp(c)
	require.True(t, counts(ended.Access))
	e.revokes(other, ended.Access)
	assert.True(t, counts(ended.Access), "it is another client's")
	e.revokes(c, ended.Access)
	assert.False(t, counts(ended.Access))
	assert.True(t, counts(kept.Access))

	for _, change := range []struct {
		name    string
		entries []string
		counts  bool
	}{
		{"fewer scopes", []string{less}, true},
		{"other scopes", []string{none}, false},
		{"another grant type", []string{coded}, false},
		{"other clients only", []string{otherEntry}, false},
		{"as before", []string{entry}, true},
	} {
		file.write(change.entries...)
		e.later(time.Second)
		assert.Equal(t, change.counts, counts(kept.Access), change.name)
		if change.name == "fewer scopes" {
			caller, err := replica.Verify(t.Context(), kept.Access)
			require.NoError(t, err)
			assert.Equal(t, []string{"jobs.run"}, caller.Scopes)
		}
	}
}

// TestOperatorEndsAppTokens ends what one client or every client may do. What belongs to a person
// is another matter.
func TestOperatorEndsAppTokens(t *testing.T) {
	t.Parallel()
	entry, c := appEntry(t, "nightly", "user.read")
	e := newEnv(t, options{clients: broker.ClientPolicy{File: newClientsFile(t, entry).name}})
	user := e.fake.Tenant().Users[0].UserPrincipalName
	for _, end := range []struct {
		filter broker.GrantFilter
		counts bool
	}{
		{broker.GrantFilter{User: user}, true},
		{broker.GrantFilter{ClientID: "weekly"}, true},
		{broker.GrantFilter{ClientID: "nightly"}, false},
		{broker.GrantFilter{}, false},
	} {
		got, status := e.asApp(c)
		require.Equal(t, http.StatusOK, status)
		_, err := e.broker.EndGrants(t.Context(), end.filter, "test")
		require.NoError(t, err)
		assert.Equal(t, end.counts, e.good(got.Access), end.filter)
	}
}

// TestOnlyRegisteredAppsCallForThemselves wants the grant type in the metadata only if a client has
// it, and refuses it to all others.
func TestOnlyRegisteredAppsCallForThemselves(t *testing.T) {
	t.Parallel()
	app, _ := appEntry(t, "nightly", "user.read")
	signing, reports := preregistered(t, "reports")
	file := newClientsFile(t, signing)
	e := newEnv(t, options{clients: broker.ClientPolicy{File: file.name}})
	metadata := func() string {
		return e.browser().get(e.origin + "/.well-known/oauth-authorization-server").body
	}
	assert.NotContains(t, metadata(), "client_credentials")
	got, _ := e.asApp(reports)
	assert.Equal(t, "unsupported_grant_type", got.Error)

	file.write(signing, app)
	e.later(time.Second)
	assert.Contains(t, metadata(), "client_credentials")
	secret, status := e.register(`{"redirect_uris":["` + loopback + `"],` +
		`"grant_types":["authorization_code","client_credentials"],"scope":"user.read"}`)
	require.Equal(t, http.StatusCreated, status)
	for _, c := range []registered{reports, secret, e.public()} {
		got, status := e.asApp(c)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Equal(t, "unauthorized_client", got.Error)
	}
	got, _ = e.asApp(registered{ID: "nightly", Secret: "wrong"})
	assert.Equal(t, "invalid_client", got.Error)
	got, _ = e.asApp(registered{ID: "nightly"})
	assert.Equal(t, "invalid_client", got.Error)
}
