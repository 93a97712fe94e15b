package broker_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker"
)

// TestClientInALoopLeavesRoom lets one client begin sign-ins until it is refused. Other clients of
// its network go on, and so does the client in other networks.
func TestClientInALoopLeavesRoom(t *testing.T) {
	t.Parallel()
	log := &logText{}
	e := newEnv(t, options{perMinute: 6, limits: broker.Limits{ClientPerMinute: 3}, log: log})
	looping := e.public()
	other := e.public()
	for range 3 {
		assert.Equal(t, 200, e.beginsFrom(looping, "192.0.2.1:1"))
	}
	before := len(log.String())
	for range 20 {
		assert.Equal(t, 429, e.beginsFrom(looping, "192.0.2.2:1"))
	}
	line, _, _ := strings.Cut(log.String()[before:], "\n")
	for _, part := range []string{
		"msg=refused", "address=192.0.2.2", "client=" + looping.ID,
		`reason="too many sign-ins of this client"`, "setting=MCP_CLIENT_REQUESTS_PER_MINUTE",
	} {
		assert.Contains(t, line, part)
	}
	for range 3 {
		assert.Equal(t, 200, e.beginsFrom(other, "192.0.2.3:1"), "another client of the network")
		assert.Equal(t, 200, e.beginsFrom(looping, "198.51.100.1:1"), "the client in another network")
	}
	assert.Equal(t, 429, e.beginsFrom(e.public(), "192.0.2.3:1"), "the network's own limit")
	assert.Contains(t, log.String(), `reason="too many sign-ins from this network"`)
}

// TestProvenClientCountsEverywhere asks for device codes and tokens with a client's secret.
func TestProvenClientCountsEverywhere(t *testing.T) {
	t.Parallel()
	entry, app := appEntry(t, "nightly", "user.read")
	log := &logText{}
	e := newEnv(t, options{
		limits:  broker.Limits{ClientPerMinute: 2},
		clients: broker.ClientPolicy{File: newClientsFile(t, entry).name},
		log:     log,
	})
	proven, status := e.register(`{"grant_types":["` + deviceGrant + `"]}`)
	require.Equal(t, http.StatusCreated, status)
	stranger := e.device()
	for i, want := range []int{200, 200, 429} {
		address := []string{"192.0.2.7:1", "198.51.100.7:1", "203.0.113.7:1"}[i]
		credentials := []string{"Authorization", basic(proven.ID, proven.Secret)}
		assert.Equal(t, want, e.devicesFrom(address, url.Values{}, credentials...), address)
		assert.Equal(t, 200, e.devicesFrom(address, url.Values{"client_id": {stranger.ID}}), "it does not authenticate")
		got, status := e.asApp(app)
		assert.Equal(t, want, status, got.Error)
	}
	assert.Contains(t, log.String(), "too many tokens for this client")
	assert.Contains(t, log.String(), "client=nightly")
}

// TestWrongSecretsLockNoOneOut sends more wrong secrets than are counted, in each place that takes
// one. The right one counts afterwards.
func TestWrongSecretsLockNoOneOut(t *testing.T) {
	t.Parallel()
	const initial = "tGzv3JOkF0XG5Qx2TlKWIA-initial"
	entry, app := appEntry(t, "nightly", "user.read")
	introspector, introspection := resourceServer(t, "files")
	log := &logText{}
	e := newEnv(t, options{
		limits: broker.Limits{WrongPerMinute: 3},
		log:    log,
		clients: broker.ClientPolicy{
			File:         newClientsFile(t, entry, introspector).name,
			Registration: broker.RegistrationPolicy{InitialAccessToken: initial},
		},
	})
	form := func(path string, values url.Values) *http.Request {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(values.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return r
	}
	token := url.Values{"grant_type": {"client_credentials"}}
	asPost := func(secret string) url.Values {
		return url.Values{"grant_type": token["grant_type"], "client_id": {"nightly"}, "client_secret": {secret}}
	}
	registration := func() *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/register", strings.NewReader(registrationBody))
		r.Header.Set("Content-Type", "application/json")
		return r
	}
	for _, test := range []struct {
		name  string
		wrong func() *http.Request
		right func() *http.Request
		want  int

		wrongHeader, rightHeader string
	}{
		{
			name:        "client_secret_basic",
			wrong:       func() *http.Request { return form("/token", token) },
			right:       func() *http.Request { return form("/token", token) },
			want:        http.StatusOK,
			wrongHeader: basic("nightly", "wrong"),
			rightHeader: basic("nightly", app.Secret),
		},
		{
			name:  "client_secret_post",
			wrong: func() *http.Request { return form("/token", asPost("wrong")) },
			right: func() *http.Request { return form("/token", asPost(app.Secret)) },
			want:  http.StatusOK,
		},
		{
			name:        "introspection",
			wrong:       func() *http.Request { return form("/introspect", url.Values{"token": {"x"}}) },
			right:       func() *http.Request { return form("/introspect", url.Values{"token": {"x"}}) },
			want:        http.StatusOK,
			wrongHeader: basic("files", "wrong"),
			rightHeader: introspection,
		},
		{
			name:        "initial access token",
			wrong:       registration,
			right:       registration,
			want:        http.StatusCreated,
			wrongHeader: "Bearer wrong",
			rightHeader: "Bearer " + initial,
		},
	} {
		statuses := map[int]int{}
		for range 30 {
			statuses[e.arrives(test.wrong(), "192.0.2.1:1", "Authorization", test.wrongHeader)]++
		}
		assert.NotZero(t, statuses[429], test.name)
		assert.Equal(t, 30, statuses[429]+statuses[401], "%s: %v", test.name, statuses)
		status := e.arrives(test.right(), "192.0.2.1:1", "Authorization", test.rightHeader)
		assert.Equal(t, test.want, status, test.name)
	}
	assert.Equal(t, 4*30, strings.Count(log.String(), "msg=refused"), "one line for each refusal")
	assert.Contains(t, log.String(), `setting="MCP_WRONG_CREDENTIALS_PER_MINUTE, or MCP_TRUSTED_PROXIES`)
}
