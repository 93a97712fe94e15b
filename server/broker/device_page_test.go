package broker_test

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker"
)

// TestCodeInAddressDoesNothing opens a link with a code. The person has to type the code.
func TestCodeInAddressDoesNothing(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	told := e.deviceCode(e.device())
	b := e.browser()
	plain := b.get(e.origin + "/device")
	linked := b.get(e.origin + "/device?user_code=" + told.User)
	assert.Equal(t, http.StatusOK, linked.status)
	assert.Equal(t, plain.body, linked.body)
	empty := b.post(e.origin+"/device?user_code="+told.User, url.Values{}, "Origin", e.origin)
	assert.Equal(t, http.StatusBadRequest, empty.status)
	assert.NotContains(t, empty.body, "Approve")
}

func TestOtherSitesCannotSendCodes(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	told := e.deviceCode(e.device())
	for _, headers := range [][]string{
		{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"},
		{"Origin", "null"},
		{"Sec-Fetch-Site", "same-site", "Origin", e.origin},
		nil,
	} {
		sent := e.browser().post(e.origin+"/device", url.Values{"user_code": {told.User}}, headers...)
		assert.Equal(t, http.StatusForbidden, sent.status, headers)
	}
	assert.Equal(t, http.StatusOK, e.types(e.browser(), told.User).status)
}

// TestDeviceApprovalBelongsToItsBrowser sends the form of one browser from another one.
func TestDeviceApprovalBelongsToItsBrowser(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.device()
	told := e.deviceCode(c)
	consent := e.types(e.browser(), told.User)
	assert.Equal(t, http.StatusForbidden, e.decide(e.browser(), consent, "approve").status)
	assert.Equal(t, "authorization_pending", e.pollError(c, told))
}

// TestWrongCodesAreBounded guesses codes until the network is asked to wait. The right code still
// counts.
func TestWrongCodesAreBounded(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.device()
	told := e.deviceCode(c)
	b := e.browser()
	assert.Equal(t, http.StatusBadRequest, e.types(b, "0000-0000-0000").status)
	statuses := map[int]int{}
	for range 12 {
		wrong := e.types(b, "BBBB-BBBB-BBBB")
		statuses[wrong.status]++
		assert.Contains(t, wrong.body, `name="user_code"`)
	}
	assert.Equal(t, map[int]int{http.StatusBadRequest: 10, http.StatusTooManyRequests: 2}, statuses)
	assert.Contains(t, e.types(b, told.User).body, "wants access")
}

func TestDeviceFromAnotherNetwork(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	form := url.Values{"client_id": {e.named("Claude", loopback).ID}}
	assert.Equal(t, http.StatusBadRequest, e.devicesFrom("192.0.2.7:1", form), "registered for codes only")
	c, status := e.register(`{"client_name":"Claude","token_endpoint_auth_method":"none",` +
		`"grant_types":["` + deviceGrant + `"]}`)
	require.Equal(t, http.StatusCreated, status)
	told := e.deviceCode(c)
	r := httptest.NewRequest(http.MethodPost, "/device", strings.NewReader("user_code="+told.User))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", e.origin)
	r.RemoteAddr = "192.0.2.7:1"
	shown := httptest.NewRecorder()
	e.broker.ServeHTTP(shown, r)
	assert.Contains(t, shown.Body.String(), "another network")
	assert.Contains(t, shown.Body.String(), "the name is Claude")
}

// devicesFrom asks for a device code from an address, and returns the status.
func (e *env) devicesFrom(address string, form url.Values, headers ...string) int {
	r := httptest.NewRequest(http.MethodPost, "/device_authorization", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return e.arrives(r, address, headers...)
}

// TestDeviceCodesAreBounded takes all device codes of one network. Others still get theirs, and so
// do programs in a network whose browsers visit a hostile page.
func TestDeviceCodesAreBounded(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{perMinute: 3})
	form := url.Values{"client_id": {e.device().ID}}
	crossSite := fetched("cross-site", "cors", "empty")
	for i, want := range []int{200, 200, 200, 429} {
		assert.Equal(t, want, e.devicesFrom("192.0.2.7:1", form, crossSite...), i)
	}
	for i, want := range []int{200, 200, 200, 429} {
		assert.Equal(t, want, e.devicesFrom("192.0.2.8:1", form), i)
	}
	assert.Equal(t, 200, e.devicesFrom("198.51.100.7:1", form))
}

func TestClientsOfDevices(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	for _, c := range []struct{ name, metadata, refusal string }{
		{"devices alone", `"grant_types":["` + deviceGrant + `","refresh_token"]`, ""},
		{"both", `"grant_types":["authorization_code","` + deviceGrant + `"],"redirect_uris":["` + loopback + `"]`, ""},
		{"both without redirect", `"grant_types":["authorization_code","` + deviceGrant + `"]`, "invalid_redirect_uri"},
		{"neither", `"grant_types":["refresh_token"],"redirect_uris":["` + loopback + `"]`, "invalid_client_metadata"},
		{"default", `"client_name":"x"`, "invalid_redirect_uri"},
	} {
		made, _ := e.register(`{"token_endpoint_auth_method":"none",` + c.metadata + `}`)
		assert.Equal(t, c.refusal, made.Error, c.name)
	}

	coded := e.public()
	alone := e.device()
	got, status := e.asksForDevice(url.Values{"client_id": {coded.ID}})
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Equal(t, "unauthorized_client", got.Error)
	assert.Equal(t, http.StatusBadRequest, e.browser().get(e.request(alone)).status)

	told := e.deviceCode(alone)
	b := e.browser()
	require.Equal(t, http.StatusOK, b.get(e.approvesDevice(b, told)).status)
	assert.Equal(t, "unauthorized_client", e.pollError(coded, told))
	assert.Equal(t, "invalid_grant", e.pollError(e.device(), told))

	secret, status := e.register(`{"grant_types":["` + deviceGrant + `"]}`)
	require.Equal(t, http.StatusCreated, status)
	got, _ = e.asksForDevice(url.Values{"client_id": {secret.ID}})
	assert.Equal(t, "invalid_client", got.Error)
	_, status = e.asksForDevice(url.Values{}, "Authorization", basic(secret.ID, secret.Secret))
	assert.Equal(t, http.StatusOK, status)
	got, _ = e.asksForDevice(url.Values{"client_id": {alone.ID}, "resource": {"https://other.example"}})
	assert.Equal(t, "invalid_target", got.Error)
}

// TestDevicesOfPreregisteredClients trusts the name of a client that the operator knows only if the
// client has proved itself.
func TestDevicesOfPreregisteredClients(t *testing.T) {
	t.Parallel()
	const grants = `"client_name":"Claude","grant_types":["` + deviceGrant + `"],`
	secret, hash, err := broker.NewClientSecret(rand.Reader)
	require.NoError(t, err)
	file := newClientsFile(t,
		`{"client_id":"proved",`+grants+`"token_endpoint_auth_method":"client_secret_basic",`+
			`"client_secret_hashes":["`+hash+`"]}`,
		`{"client_id":"anyone",`+grants+`"token_endpoint_auth_method":"none"}`)
	e := newEnv(t, options{clients: broker.ClientPolicy{File: file.name}})
	told, status := e.asksForDevice(url.Values{}, "Authorization", basic("proved", secret))
	require.Equal(t, http.StatusOK, status)
	proved := e.types(e.browser(), told.User).body
	assert.Contains(t, proved, "The operator of this server has registered this program.")
	assert.NotContains(t, proved, "the name is Claude")
	anyone := e.types(e.browser(), e.deviceCode(registered{ID: "anyone"}).User).body
	assert.Contains(t, anyone, "The operator of this server has registered a program of this name, and any program")
	assert.NotContains(t, anyone, "chose its name")
	assert.Contains(t, anyone, "the name is Claude")

	b := e.browser()
	require.Equal(t, http.StatusOK, b.get(e.approvesDevice(b, told)).status)
	form := url.Values{"grant_type": {deviceGrant}, "device_code": {told.Device}}
	got, status := e.token(form, "Authorization", basic("proved", secret))
	require.Equal(t, http.StatusOK, status)
	assert.Empty(t, got.Refresh, "the operator's list lacks refresh_token")
}

// TestLimitedRedirectsEndDevices takes device codes from clients that registered themselves, also
// before the limit. Without a redirect URI they would escape it.
func TestLimitedRedirectsEndDevices(t *testing.T) {
	t.Parallel()
	keys, err := broker.NewKeys(rand.Reader)
	require.NoError(t, err)
	o := options{store: newMemory(), keys: keys}
	e := newEnv(t, o)
	earlier := e.device()
	e.deviceCode(earlier)

	o.clients.Registration.Redirects = []string{"localhost"}
	e.broker = e.start(o)
	got, _ := e.asksForDevice(url.Values{"client_id": {earlier.ID}})
	assert.Equal(t, "unauthorized_client", got.Error)
	made, status := e.register(`{"grant_types":["` + deviceGrant + `"]}`)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Equal(t, "invalid_client_metadata", made.Error)
	made, status = e.register(`{"token_endpoint_auth_method":"none","redirect_uris":["` + loopback + `"],` +
		`"grant_types":["authorization_code","` + deviceGrant + `"]}`)
	assert.Equal(t, http.StatusCreated, status)
	got, _ = e.asksForDevice(url.Values{"client_id": {made.ID}})
	assert.Equal(t, "unauthorized_client", got.Error)
}
