package acceptance_test

import (
	"bytes"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/admin"
	"mcpentra/server/broker"
	"mcpentra/server/store"
)

// control is a record that is not encrypted. A dump in which it cannot be found proves nothing.
const control = "canary-that-every-dump-shows"

// TestStoresRevealNothing uses every feature of the broker. Then it looks for the secrets that
// passed, in all that the store keeps and in the log.
func TestStoresRevealNothing(t *testing.T) {
	t.Parallel()
	for _, kind := range dumpedStores {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			if kind.name == "PostgreSQL" && full(0, 1) == 0 {
				t.Skip("make histories runs it")
			}
			open, dump := kind.open(t)
			use := newCanaryUse(t, open)
			use.everything()
			_, err := use.shared.Put(t.Context(), store.Record{
				Kind:    "control",
				Key:     "control",
				Value:   []byte(control),
				Expires: use.w.now().Add(time.Hour),
			})
			require.NoError(t, err)
			places := dump(t, use.shared)
			for place, text := range places {
				assert.True(t, strings.Contains(text, control), "the dump of %s shows nothing", place)
			}
			places["the log"] = use.log.String()
			for name, secret := range use.found() {
				require.NotEmpty(t, secret, name)
				for place, text := range places {
					assert.False(t, strings.Contains(text, secret), "%s is readable in %s", name, place)
				}
			}
		})
	}
}

// A canaryUse is one use of everything, and the secrets that pass.
type canaryUse struct {
	t       *testing.T
	w       *world
	shared  store.Store
	log     *lockedBuffer
	person  *browser
	text    string // of the keys file
	secrets map[string]string
}

// A lockedBuffer collects the log.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(line)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func newCanaryUse(t *testing.T, open opener) *canaryUse {
	text, err := broker.NewKeysText(rand.Reader)
	require.NoError(t, err)
	keys, err := broker.ReadKeys(text)
	require.NoError(t, err)
	file, secret := clientFile(t, t.TempDir())
	initial, _, err := broker.NewClientSecret(rand.Reader)
	require.NoError(t, err)
	use := &canaryUse{t: t, log: &lockedBuffer{}, text: text}
	use.w = newWorld(t, options{
		keys: keys,
		log:  use.log,
		clients: broker.ClientPolicy{
			File:         file,
			Documents:    documentSite(t),
			Registration: broker.RegistrationPolicy{InitialAccessToken: initial},
		},
		store: func(now func() time.Time) store.Store {
			use.shared = open(now)
			return use.shared
		},
	})
	use.person = use.w.browser()
	use.secrets = map[string]string{
		"secret in the file of clients": secret,
		"initial access token":          initial,
		"verifier":                      verifier,
		"state of the program":          "state-of-the-program",
		"Entra's client secret":         "entra-client-secret",
		"name of the person":            "Person 1",
		"user name":                     userName(1),
	}
	return use
}

// found returns the secrets with the browser's, Entra's and the keys.
func (u *canaryUse) found() map[string]string {
	for _, secret := range u.person.secrets {
		u.secrets["secret of the browser: "+secret] = secret
	}
	for _, secret := range u.w.entra.issued {
		u.secrets["secret of Entra: "+secret] = secret
	}
	for _, line := range strings.Split(u.text, "\n") {
		isKey := len(line) >= 40 && !strings.HasPrefix(line, "#")
		if isKey {
			u.secrets["key "+line] = strings.Fields(line)[0]
		}
	}
	require.Greater(u.t, len(u.secrets), 40)
	return u.secrets
}

// everything uses all features, and then again after a rotation of all keys.
func (u *canaryUse) everything() {
	u.confidential("first")
	u.device()
	u.application()
	u.signedAssertion()
	u.document()
	u.rotateKeys()
	u.confidential("second")
	u.wrongSecrets()
	u.connections()
	u.administer()
}

func (u *canaryUse) keep(name string, got told) {
	for what, secret := range map[string]string{"access token": got.Access, "refresh token": got.Refresh} {
		if secret != "" {
			u.secrets[what+" "+name] = secret
		}
	}
}

func (u *canaryUse) initial() []string {
	return []string{"Authorization", "Bearer " + u.secrets["initial access token"]}
}

// confidential signs in for a client with a secret, and refreshes when Entra's token runs out. Then
// it repeats the code, so that the grant ends.
func (u *canaryUse) confidential(round string) {
	web := metadata()
	web["token_endpoint_auth_method"] = "client_secret_basic"
	program := u.w.register(0, web, u.initial()...)
	require.Equal(u.t, http.StatusCreated, program.status, program.Error)
	u.secrets["client secret "+round] = program.Secret
	proof := []string{"Authorization", basic(program.ClientID, program.Secret)}
	code := u.person.codeFor(program.ClientID, loopback, "user.read notes.read", 1)
	u.secrets["code "+round] = code
	got := u.w.token(0, redemption(program.ClientID, loopback, code), proof...)
	require.Equal(u.t, http.StatusOK, got.status, got.Error)
	u.keep(round, got)
	u.w.later(upstreamLifetime)
	next := u.w.token(0, refreshing(program.ClientID, got.Refresh), proof...)
	require.Equal(u.t, http.StatusOK, next.status, next.Error)
	u.keep(round+" refreshed", next)
	asked := u.w.read(u.w.post(0, "/introspect", url.Values{"token": {next.Access}},
		"Authorization", basic(resourceServer, u.secrets["secret in the file of clients"])))
	require.True(u.t, asked.Active)
	require.Equal(u.t, http.StatusOK, u.w.post(0, "/revoke", url.Values{"token": {next.Refresh}}, proof...).status)
	again := u.person.codeFor(program.ClientID, loopback, "user.read", 1)
	u.secrets["repeated code "+round] = again
	u.keep(round+" repeated", u.w.token(0, redemption(program.ClientID, loopback, again), proof...))
	require.Equal(u.t, "invalid_grant", u.w.token(0, redemption(program.ClientID, loopback, again), proof...).Error)
}

func (u *canaryUse) device() {
	device := metadata()
	device["grant_types"] = []string{deviceGrant}
	delete(device, "redirect_uris")
	program := u.w.register(0, device, u.initial()...)
	require.Equal(u.t, http.StatusCreated, program.status, program.Error)
	got := u.w.read(u.w.post(0, "/device_authorization", url.Values{"client_id": {program.ClientID}}))
	require.Equal(u.t, http.StatusOK, got.status, got.Error)
	u.secrets["device code"] = got.DeviceCode
	u.secrets["user code"] = got.UserCode
	u.secrets["letters of the user code"] = strings.ReplaceAll(got.UserCode, "-", "")
	page := u.person.submit(0, "/device", url.Values{"user_code": {got.UserCode}})
	back, err := u.w.entra.signIn(onward(u.person.decide(0, page.body, "approve")), 1)
	require.NoError(u.t, err)
	u.person.open(0, "/auth/callback?"+back.Encode())
	form := url.Values{
		"grant_type":  {deviceGrant},
		"client_id":   {program.ClientID},
		"device_code": {got.DeviceCode},
	}
	polled := u.w.token(0, form)
	require.Equal(u.t, http.StatusOK, polled.status, polled.Error)
	u.keep("of the device", polled)
}

// application lets a client of the file call for itself.
func (u *canaryUse) application() {
	got := u.w.token(0, url.Values{"grant_type": {"client_credentials"}, "scope": {"user.read"}},
		"Authorization", basic(application, u.secrets["secret in the file of clients"]))
	require.Equal(u.t, http.StatusOK, got.status, got.Error)
	u.keep("of the application", got)
}

// signedAssertion signs in for a client that authenticates with private_key_jwt.
func (u *canaryUse) signedAssertion() {
	key := newAssertionKey(u.t)
	signer := metadata()
	signer["token_endpoint_auth_method"] = "private_key_jwt"
	signer["jwks"] = key.jwks()
	program := u.w.register(0, signer, u.initial()...)
	require.Equal(u.t, http.StatusCreated, program.status, program.Error)
	code := u.person.codeFor(program.ClientID, loopback, "user.read", 1)
	assertion := key.assertion(u.t, program.ClientID, u.w.now())
	form := redemption(program.ClientID, loopback, code)
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", assertion)
	got := u.w.token(0, form)
	require.Equal(u.t, http.StatusOK, got.status, got.Error)
	u.secrets["assertion"] = assertion
	u.keep("of the assertion", got)
}

// document signs in for a client that its document describes.
func (u *canaryUse) document() {
	code := u.person.codeFor(documentURL, loopback, "user.read", 1)
	u.secrets["code of the document"] = code
	got := u.w.token(0, redemption(documentURL, loopback, code))
	require.Equal(u.t, http.StatusOK, got.status, got.Error)
	u.keep("of the document", got)
	next := u.w.token(0, refreshing(documentURL, got.Refresh))
	require.Equal(u.t, http.StatusOK, next.status, next.Error)
	u.keep("of the document, refreshed", next)
}

func (u *canaryUse) rotateKeys() {
	text, err := broker.RotateKeysText(u.text, rand.Reader, time.Time{})
	require.NoError(u.t, err)
	_, err = u.w.options.keys.Replace(text)
	require.NoError(u.t, err)
	u.text = text
	_, err = broker.RotateSigningKey(u.t.Context(), broker.SigningRotation{
		Store: u.shared,
		Keys:  u.w.options.keys,
		Now:   u.w.now,
	})
	require.NoError(u.t, err)
	u.w.later(time.Hour)
}

// wrongSecrets sends secrets that are wrong: perhaps they are right somewhere else.
func (u *canaryUse) wrongSecrets() {
	program := u.w.register(0, metadata(), u.initial()...)
	wrong := func(name string) string {
		u.secrets["wrong "+name] = "canary-wrong-" + name
		return "canary-wrong-" + name
	}
	for _, form := range []url.Values{
		redemption(program.ClientID, loopback, wrong("code")),
		refreshing(program.ClientID, wrong("refresh-token")),
		{"grant_type": {deviceGrant}, "client_id": {program.ClientID}, "device_code": {wrong("device-code")}},
		{"grant_type": {"refresh_token"}, "client_id": {application}, "client_secret": {wrong("client-secret")}},
	} {
		require.NotEqual(u.t, http.StatusOK, u.w.token(0, form).status)
	}
	u.w.post(0, "/revoke", url.Values{"client_id": {program.ClientID}, "token": {wrong("token")}})
	u.w.post(0, "/introspect", url.Values{"token": {wrong("introspected-token")}},
		"Authorization", basic(resourceServer, wrong("resource-secret")))
	u.w.register(0, metadata(), "Authorization", "Bearer "+wrong("initial-access-token"))
	u.person.submit(0, "/device", url.Values{"user_code": {wrong("user-code")}})
	u.person.submit(0, "/authorize/consent", url.Values{"transaction": {wrong("transaction")}, "csrf": {wrong("csrf")}})
	u.person.open(0, "/auth/callback?"+url.Values{"state": {wrong("state")}, "code": {wrong("entra-code")}}.Encode())
	u.person.open(0, authorization(program.ClientID, "https://other.example/cb?"+
		url.Values{"key": {wrong("key-in-a-redirect")}}.Encode(), "user.read"))
	_, err := u.w.replicas[0].Verify(u.t.Context(), wrong("access-token"))
	require.Error(u.t, err)
}

// connections ends the connections of a person on the page for them.
func (u *canaryUse) connections() {
	page := u.person.open(0, "/connections")
	require.Equal(u.t, http.StatusOK, page.status)
	require.Contains(u.t, page.body, "csrf")
	form := formOf(page.body)
	require.Equal(u.t, http.StatusSeeOther, u.person.submit(0, "/connections", form).status)
}

// administer lists and ends all grants.
func (u *canaryUse) administer() {
	secret, _, err := broker.NewClientSecret(rand.Reader)
	require.NoError(u.t, err)
	u.secrets["secret of the administrator"] = secret
	api, err := admin.New(admin.Config{
		Broker: u.w.replicas[0],
		Secret: func() (string, error) { return secret, nil },
		Logger: u.w.logger(),
	})
	require.NoError(u.t, err)
	call := func(method, target, secret string) int {
		r := httptest.NewRequest(method, "http://127.0.0.1"+target, nil)
		r.Header.Set("Authorization", "Bearer "+secret)
		recorder := httptest.NewRecorder()
		api.ServeHTTP(recorder, r)
		return recorder.Code
	}
	u.secrets["wrong secret of the administrator"] = "canary-wrong-admin-secret"
	require.Equal(u.t, http.StatusUnauthorized, call("GET", "/grants", "canary-wrong-admin-secret"))
	require.Equal(u.t, http.StatusOK, call("GET", "/grants", secret))
	require.Contains(u.t, []int{http.StatusOK, http.StatusNoContent},
		call("DELETE", "/grants?client="+url.QueryEscape(documentURL), secret))
}
