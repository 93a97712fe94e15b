package admin_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/admin"
	"mcpentra/server/broker"
)

const secret = "a secret of an administrator"

// ask sends a request to the API. Headers lists names and values.
func ask(api http.Handler, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.Host = "localhost:8001"
	r.Header.Set("Authorization", "Bearer "+strings.ReplaceAll(secret, " ", "-"))
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	api.ServeHTTP(answer, r)
	return answer
}

func newAPI(t *testing.T, log *bytes.Buffer) http.Handler {
	api, err := admin.New(admin.Config{
		Broker: &broker.Broker{}, // no request of these tests reaches it
		Secret: func() (string, error) { return strings.ReplaceAll(secret, " ", "-"), nil },
		Hosts:  []string{"admin.internal"},
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	require.NoError(t, err)
	return api
}

func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		method  string
		target  string
		headers []string
		want    int
	}{
		{"no secret", "GET", "/grants", []string{"Authorization", ""}, 401},
		{"a wrong secret", "GET", "/grants", []string{"Authorization", "Bearer " + secret}, 401},
		{"another scheme", "GET", "/grants", []string{"Authorization", "Basic " + secret}, 401},
		{"an empty secret", "GET", "/grants", []string{"Authorization", "Bearer "}, 401},
		{"another host", "GET", "/grants", []string{"Host", "evil.example"}, 421},
		{"another host with the port", "GET", "/grants", []string{"Host", "evil.example:8001"}, 421},
		{"a page of another site", "GET", "/grants", []string{"Origin", "https://evil.example"}, 403},
		{"a page of its own", "DELETE", "/grants?all=true", []string{"Origin", "http://localhost:8001"}, 403},
		{"an opaque origin", "DELETE", "/grants?all=true", []string{"Origin", "null"}, 403},
		{"a browser", "GET", "/grants", []string{"Sec-Fetch-Site", "none"}, 403},
		{"nothing selected", "DELETE", "/grants", nil, 400},
		{"an empty user", "DELETE", "/grants?user=", nil, 400},
		{"a misspelt parameter", "DELETE", "/grants?usr=a", nil, 400},
		{"a misspelt second parameter", "DELETE", "/grants?client=a&usr=b", nil, 400},
		{"a user twice", "DELETE", "/grants?user=a&user=b", nil, 400},
		{"all and a user", "DELETE", "/grants?user=a&all=true", nil, 400},
		{"all is false", "DELETE", "/grants?all=false", nil, 400},
		{"a query that is not form-encoded", "DELETE", "/grants?user=%zz", nil, 400},
		{"a limit of zero", "GET", "/grants?limit=0", nil, 400},
		{"a limit that is too large", "GET", "/grants?limit=1001", nil, 400},
		{"another method", "POST", "/grants", nil, 405},
		{"another path", "GET", "/", nil, 404},
	} {
		log := &bytes.Buffer{}
		answer := ask(newAPI(t, log), test.method, test.target, test.headers...)
		assert.Equal(t, test.want, answer.Code, test.name)
		var body map[string]string
		require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &body), test.name)
		assert.NotEmpty(t, body["error"], test.name)
		assert.Equal(t, "no-store", answer.Header().Get("Cache-Control"))
		assert.NotContains(t, log.String(), "a-secret")
		if test.want == 401 || test.want == 403 || test.want == 421 {
			assert.Equal(t, 1, strings.Count(log.String(), "\n"), "%s: one line in the log", test.name)
		}
	}
}

// TestWrongSecretsLockNoAdministratorOut sends many wrong secrets before the right one.
func TestWrongSecretsLockNoAdministratorOut(t *testing.T) {
	t.Parallel()
	log := &bytes.Buffer{}
	api := newAPI(t, log)
	for range 100 {
		assert.Equal(t, 401, ask(api, "GET", "/grants", "Authorization", "Bearer wrong").Code)
	}
	assert.Equal(t, 100, strings.Count(log.String(), "setting=MCP_ADMIN_SECRET_FILE"))
	assert.Equal(t, 404, ask(api, "GET", "/").Code, "the right secret counts")
}

func TestHostsOfAPI(t *testing.T) {
	t.Parallel()
	for _, host := range []string{
		"localhost", "localhost:1", "127.0.0.1:8001", "[::1]:8001", "192.0.2.7:8001",
		"ADMIN.internal:8001", "admin.internal",
	} {
		assert.Equal(t, 404, ask(newAPI(t, &bytes.Buffer{}), "GET", "/", "Host", host).Code, host)
	}
}

func TestSecretMayBeUnreadable(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		secret string
		err    error
		want   int
	}{
		{"", errors.New("gone"), 503},
		{"", nil, 401},
		{"short", nil, 401},
	} {
		api, err := admin.New(admin.Config{
			Broker: &broker.Broker{},
			Secret: func() (string, error) { return test.secret, test.err },
		})
		require.NoError(t, err)
		assert.Equal(t, test.want, ask(api, "GET", "/grants", "Authorization", "Bearer "+test.secret).Code)
	}
	_, err := admin.New(admin.Config{})
	assert.Error(t, err)
}
