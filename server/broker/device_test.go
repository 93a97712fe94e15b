package broker_test

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker"
	"mcpentra/server/store"
)

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// device registers a client for device codes alone.
func (e *env) device() registered {
	made, status := e.register(`{"client_name":"Test <b>device</b>","token_endpoint_auth_method":"none",` +
		`"grant_types":["` + deviceGrant + `"]}`)
	require.Equal(e.t, http.StatusCreated, status)
	return made
}

type deviceCode struct {
	Device   string `json:"device_code"`
	User     string `json:"user_code"`
	Page     string `json:"verification_uri"`
	Lifetime int    `json:"expires_in"`
	Interval int    `json:"interval"`
	Error    string `json:"error"`
}

// asksForDevice sends a form to the device authorization endpoint, and returns the answer and its
// status.
func (e *env) asksForDevice(form url.Values, headers ...string) (deviceCode, int) {
	a := e.browser().post(e.origin+"/device_authorization", form, headers...)
	var got deviceCode
	require.NoError(e.t, json.Unmarshal([]byte(a.body), &got), a.body)
	assert.NotContains(e.t, a.body, "complete")
	assert.Contains(e.t, a.header.Get("Cache-Control"), "no-store")
	return got, a.status
}

// deviceCode returns a device code for a client without a secret.
func (e *env) deviceCode(c registered) deviceCode {
	got, status := e.asksForDevice(url.Values{"client_id": {c.ID}})
	require.Equal(e.t, http.StatusOK, status, got.Error)
	return got
}

// poll redeems a device code, and returns the answer and its status.
func (e *env) poll(c registered, told deviceCode) (tokens, int) {
	return e.token(url.Values{"grant_type": {deviceGrant}, "client_id": {c.ID}, "device_code": {told.Device}})
}

// pollError returns the error of a poll.
func (e *env) pollError(c registered, told deviceCode) string {
	got, _ := e.poll(c, told)
	assert.Empty(e.t, got.Access)
	return got.Error
}

// types sends a user code from the page for it.
func (e *env) types(b *browser, code string) answer {
	return b.post(e.origin+"/device", url.Values{"user_code": {code}},
		"Origin", e.origin, "Sec-Fetch-Site", "same-origin")
}

// approvesDevice approves a device and signs in, and returns the address at which the browser comes
// back.
func (e *env) approvesDevice(b *browser, told deviceCode) string {
	return e.signIn(b, e.approve(b, e.types(b, told.User)), "")
}

func TestPersonApprovesDevice(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.device()
	assert.Empty(t, c.RedirectURIs)
	told := e.deviceCode(c)
	assert.Regexp(t, `^([BCDFGHJKLMNPQRSTVWXZ]{4}-){2}[BCDFGHJKLMNPQRSTVWXZ]{4}$`, told.User)
	assert.Equal(t, e.origin+"/device", told.Page)
	assert.Equal(t, 600, told.Lifetime)
	assert.Equal(t, "authorization_pending", e.pollError(c, told))

	b := e.browser()
	assert.Contains(t, b.get(told.Page).body, `name="user_code"`)
	consent := e.types(b, " "+strings.ToLower(strings.ReplaceAll(told.User, "-", " ")))
	for _, part := range []string{"Test &lt;b&gt;device&lt;/b&gt;", c.ID, "read your name", "on a device of yours",
		"127.0.0.1", "the network of this browser", "less than a minute ago"} {
		assert.Contains(t, consent.body, part)
	}
	assert.Contains(t, consent.header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
	back := e.signIn(b, e.approve(b, consent), "")
	e.later(5 * time.Second)
	assert.Equal(t, "authorization_pending", e.pollError(c, told), "the person has not signed in yet")
	for range 2 { // a second click changes nothing
		done := b.get(back)
		assert.Equal(t, http.StatusOK, done.status)
		assert.Contains(t, done.body, "The program has access")
	}

	got, status := e.poll(c, told)
	require.Equal(t, http.StatusOK, status, got.Error)
	assert.True(t, e.good(got.Access))
	assert.Equal(t, "user.read", got.Scope)
	refreshed, status := e.token(refreshing(c, got.Refresh))
	assert.Equal(t, http.StatusOK, status)

	assert.Equal(t, "invalid_grant", e.pollError(c, told))
	assert.False(t, e.good(refreshed.Access), "the device code was redeemed twice")
	assert.Contains(t, e.types(b, told.User).body, "used already")
}

// TestDeviceNeedsNoEarlierConsent approves a second device in the same browser. Its consent page
// comes again.
func TestDeviceNeedsNoEarlierConsent(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.device()
	b := e.browser()
	for range 2 {
		told := e.deviceCode(c)
		assert.Contains(t, b.get(e.approvesDevice(b, told)).body, "The program has access")
		_, status := e.poll(c, told)
		assert.Equal(t, http.StatusOK, status)
	}
}

func TestPersonDeclinesDevice(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.device()
	told := e.deviceCode(c)
	b := e.browser()
	consent := e.types(b, told.User)
	other := e.types(b, told.User)
	for range 2 {
		declined := e.decide(b, consent, "deny")
		assert.Equal(t, http.StatusOK, declined.status)
		assert.Contains(t, declined.body, "gets no access")
		assert.NotContains(t, declined.body, "http-equiv")
	}
	assert.Equal(t, "access_denied", e.pollError(c, told))
	late := b.get(e.signIn(b, e.approve(b, other), ""))
	assert.Equal(t, http.StatusBadRequest, late.status)
	assert.Contains(t, late.body, "nothing was approved")
	assert.Equal(t, "access_denied", e.pollError(c, told))
}

// TestPersonCancelsAtEntra declines at Entra what was approved at the broker.
func TestPersonCancelsAtEntra(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.device()
	told := e.deviceCode(c)
	b := e.browser()
	back, err := url.Parse(e.approvesDevice(b, told))
	require.NoError(t, err)
	back.RawQuery = url.Values{"state": back.Query()["state"], "error": {"access_denied"}}.Encode()
	assert.Contains(t, b.get(back.String()).body, "declined")
	assert.Equal(t, "access_denied", e.pollError(c, told))
}

// TestFirstAnswerCounts lets two people approve one device. The second one signs in for nothing.
func TestFirstAnswerCounts(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.device()
	told := e.deviceCode(c)
	first := e.browser()
	second := e.browser()
	one := e.approvesDevice(first, told)
	two := e.approvesDevice(second, told)
	third := e.browser()
	consent := e.types(third, told.User)
	assert.Equal(t, http.StatusOK, first.get(one).status)
	assert.Contains(t, second.get(two).body, "nothing was approved")
	assert.Contains(t, e.decide(third, consent, "deny").body, "too late")
	_, status := e.poll(c, told)
	assert.Equal(t, http.StatusOK, status)
}

// TestHastyDeviceWaitsLonger polls at two replicas in turn.
func TestHastyDeviceWaitsLonger(t *testing.T) {
	t.Parallel()
	keys, err := broker.NewKeys(rand.Reader)
	require.NoError(t, err)
	o := options{store: store.NewMemory(store.Config{Now: func() time.Time { return started }}), keys: keys}
	e := newEnv(t, o)
	replicas := []*broker.Broker{e.broker, e.start(o)}
	c := e.device()
	told := e.deviceCode(c)
	for i, step := range []struct {
		after time.Duration
		want  string
	}{
		{0, "authorization_pending"},
		{5 * time.Second, "authorization_pending"},
		{3 * time.Second, "slow_down"},  // 10 s from now on
		{5 * time.Second, "slow_down"},  // 15 s
		{12 * time.Second, "slow_down"}, // 20 s
		{19500 * time.Millisecond, "authorization_pending"},
		{20 * time.Second, "authorization_pending"},
	} {
		e.broker = replicas[i%2]
		e.later(step.after)
		assert.Equal(t, step.want, e.pollError(c, told), i)
	}
}

func TestDeviceCodeExpires(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.device()
	told := e.deviceCode(c)
	approved := e.deviceCode(c)
	b := e.browser()
	assert.Equal(t, http.StatusOK, b.get(e.approvesDevice(b, approved)).status)
	consent := e.types(b, told.User)
	e.later(10 * time.Minute)
	assert.Equal(t, "expired_token", e.pollError(c, told))
	assert.Equal(t, "expired_token", e.pollError(c, approved))
	assert.Contains(t, e.types(e.browser(), told.User).body, "has expired")
	assert.Contains(t, b.get(e.signIn(b, e.approve(b, consent), "")).body, "nothing was approved")
	assert.Equal(t, "expired_token", e.pollError(c, told))
}

func TestOneRedemptionOfDeviceCodeWins(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.device()
	told := e.deviceCode(c)
	b := e.browser()
	require.Equal(t, http.StatusOK, b.get(e.approvesDevice(b, told)).status)
	var wins atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, status := e.poll(c, told); status == http.StatusOK {
				wins.Add(1)
			}
		})
	}
	group.Wait()
	assert.EqualValues(t, 1, wins.Load())
}
