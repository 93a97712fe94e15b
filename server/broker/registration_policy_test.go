package broker_test

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker"
)

func TestRegistrationCanBeOff(t *testing.T) {
	t.Parallel()
	log := &logText{}
	policy := broker.ClientPolicy{Registration: broker.RegistrationPolicy{Off: true}}
	e := newEnv(t, options{log: log, clients: policy})
	got, status := e.register(metadataOf("", loopback))
	assert.Equal(t, http.StatusForbidden, status)
	assert.Equal(t, "access_denied", got.Error)
	assert.Contains(t, log.String(), "AUTH_REGISTRATION")
	for _, name := range []string{"oauth-authorization-server", "openid-configuration"} {
		document := e.browser().get(e.origin + "/.well-known/" + name)
		assert.NotContains(t, document.body, "registration_endpoint")
	}
}

func TestRegistrationNeedsInitialAccessToken(t *testing.T) {
	t.Parallel()
	const token = "tGzv3JOkF0XG5Qx2TlKWIA-initial"
	log := &logText{}
	policy := broker.ClientPolicy{Registration: broker.RegistrationPolicy{InitialAccessToken: token}}
	e := newEnv(t, options{log: log, clients: policy})
	send := func(authorization string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/register", strings.NewReader(registrationBody))
		r.Header.Set("Content-Type", "application/json")
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		answer := httptest.NewRecorder()
		e.broker.ServeHTTP(answer, r)
		return answer
	}
	for authorization, challenge := range map[string]string{
		"":                       `Bearer realm="registration"`,
		"Basic " + b64(token):    `Bearer realm="registration"`,
		"Bearer wrong":           `Bearer realm="registration", error="invalid_token"`,
		"Bearer " + token + "x":  `Bearer realm="registration", error="invalid_token"`,
		"Bearer " + token[:10]:   `Bearer realm="registration", error="invalid_token"`,
		"Bearer ," + token + ",": `Bearer realm="registration", error="invalid_token"`,
	} {
		answer := send(authorization)
		assert.Equal(t, http.StatusUnauthorized, answer.Code, authorization)
		assert.Equal(t, challenge, answer.Header().Get("WWW-Authenticate"), authorization)
	}
	assert.Equal(t, http.StatusCreated, send("Bearer "+token).Code)
	assert.Equal(t, http.StatusCreated, send("bearer "+token).Code)
	assert.NotContains(t, log.String(), token[:12])
	document := e.browser().get(e.origin + "/.well-known/oauth-authorization-server")
	assert.Contains(t, document.body, "registration_endpoint")

	policy.Registration.InitialAccessToken = "hunter2"
	_, err := e.tryStart(options{clients: policy})
	require.ErrorContains(t, err, "128 bits")
}

func TestRegistrationIsLimitedToHosts(t *testing.T) {
	t.Parallel()
	policy := broker.RegistrationPolicy{Redirects: []string{"claude.ai", "localhost", "a.example:8443", "cursor:"}}
	e := newEnv(t, options{clients: broker.ClientPolicy{Registration: policy}})
	for uri, allowed := range map[string]bool{
		"https://claude.ai/api/mcp/auth_callback": true,
		"https://CLAUDE.ai/cb":                    true,
		"https://claude.ai:8443/cb":               false,
		"https://evil.claude.ai/cb":               false,
		"https://a.example:8443/cb":               true,
		"https://a.example/cb":                    false,
		"http://127.0.0.1:5555/cb":                true,
		"http://[::1]:5555/cb":                    true,
		"https://evil.example/cb":                 false,
		cursorURI:                                 true,
		"warp://mcp/oauth2callback":               false,
	} {
		got, status := e.register(metadataOf("", uri, loopback))
		require.Equal(t, http.StatusCreated, status, "one URI does not spoil the others")
		assert.Equal(t, allowed, got.RedirectURIs[0] == uri, uri)
		got, status = e.register(metadataOf("", uri))
		assert.Equal(t, allowed, status == http.StatusCreated, uri)
		if !allowed {
			assert.Equal(t, "invalid_redirect_uri", got.Error)
		}
	}
	for _, wrong := range [][]string{
		{}, {""}, {"https://claude.ai"}, {"*.example"}, {":"}, {"claude.ai/cb"}, {"bücher.example"},
	} {
		clients := broker.ClientPolicy{Registration: broker.RegistrationPolicy{Redirects: wrong}}
		_, err := e.tryStart(options{clients: clients})
		require.Error(t, err, wrong)
	}
}

// TestRegistrationLimitCountsLater starts a broker with a limit on the clients of one without.
func TestRegistrationLimitCountsLater(t *testing.T) {
	t.Parallel()
	keys, err := broker.NewKeys(rand.Reader)
	require.NoError(t, err)
	o := options{store: newMemory(), keys: keys}
	e := newEnv(t, o)
	c := e.public(appURI, loopback)
	o.clients.Registration.Redirects = []string{"localhost"}
	e.broker = e.start(o)
	assert.Equal(t, http.StatusBadRequest, e.browser().get(e.request(c, "redirect_uri", appURI)).status)
	assert.Equal(t, http.StatusOK, e.browser().get(e.request(c)).status)
}
