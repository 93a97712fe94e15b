package admin_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/admin"
	"mcpentra/fakeentra/directory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const keysURL = "https://login.microsoftonline.com/common/discovery/v2.0/keys"

// A control is a fake and its admin API.
type control struct {
	*fakeentra.Fake
	handler http.Handler
}

func newControl(t *testing.T, config fakeentra.Config) control {
	t.Helper()
	fake, err := fakeentra.New(config)
	require.NoError(t, err)
	return control{fake, admin.Handler(fake)}
}

// send sends a request as a test in another language does, with some header fields changed.
func (c control) send(t *testing.T, method, path, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, "http://localhost:8401"+path, strings.NewReader(body)).WithContext(t.Context())
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Set(header[i], header[i+1])
	}
	answer := httptest.NewRecorder()
	c.handler.ServeHTTP(answer, r)
	return answer
}

// ok sends a request that has to succeed and returns the answer.
func (c control) ok(t *testing.T, method, path, body string) any {
	t.Helper()
	answer := c.send(t, method, path, body)
	require.Less(t, answer.Code, 300, answer.Body.String())
	if answer.Code == http.StatusNoContent {
		return nil
	}
	var got any
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &got), answer.Body.String())
	return got
}

func (c control) keys(t *testing.T) *http.Response {
	t.Helper()
	response, err := c.Client().Get(keysURL)
	require.NoError(t, err)
	response.Body.Close()
	return response
}

func TestWebPagesAreRefused(t *testing.T) {
	t.Parallel()
	c := newControl(t, fakeentra.Config{})
	for _, test := range []struct {
		name   string
		method string
		header []string
		status int
	}{
		{"another name (DNS rebinding)", "GET", []string{"Host", "evil.example:8401"}, 421},
		{"another address", "GET", []string{"Host", "192.0.2.1"}, 421},
		{"a name that begins so", "GET", []string{"Host", "localhost.evil.example"}, 421},
		{"an empty name", "GET", []string{"Host", ""}, 421},
		{"an origin", "POST", []string{"Origin", "https://evil.example"}, 403},
		{"an origin of a file", "POST", []string{"Origin", "null"}, 403},
		{"a picture", "GET", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a page on another port", "GET", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"a form", "POST", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		{"a form that looks like JSON", "POST", []string{"Content-Type", "text/plain"}, 415},
		{"no type", "POST", []string{"Content-Type", ""}, 415},
		{"a PUT without the type", "PUT", []string{"Content-Type", "text/plain"}, 415},
		{"IPv6", "GET", []string{"Host", "[::1]:8401"}, 200},
		{"without a port", "GET", []string{"Host", "127.0.0.1"}, 200},
		{"a person who types an address", "GET", []string{"Sec-Fetch-Site", "none"}, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := map[string]string{"GET": "/", "POST": "/reset", "PUT": "/chaos"}[test.method]
			got := c.send(t, test.method, path, "{}", test.header...)
			assert.Equal(t, test.status, got.Code)
			assert.Empty(t, got.Header().Get("Access-Control-Allow-Origin"))
		})
	}
}

func TestEverythingIsListed(t *testing.T) {
	t.Parallel()
	c := newControl(t, fakeentra.Config{})
	list, ok := c.ok(t, "GET", "/", "").([]any)
	require.True(t, ok)
	assert.Len(t, list, len(admin.Endpoints()))
	for _, one := range admin.Endpoints() {
		assert.NotEmpty(t, one.Does, one.Path)
		got := c.send(t, one.Method, one.Path, "{}")
		assert.True(t, got.Code != http.StatusNotFound || one.Path == "/journal/take", one.Path)
		assert.NotEqual(t, http.StatusMethodNotAllowed, got.Code, one.Path)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	c := newControl(t, fakeentra.Config{})
	got := c.ok(
		t,
		"POST",
		"/tokens",
		`{"kind": "graph", "user": "AlexW@contoso.onmicrosoft.com", "age": "10m", `+
			`"lifetime": "2h", "claims": {"ver": null}}`,
	).(map[string]any)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://graph.microsoft.com/v1.0/me", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+got["token"].(string))
	response, err := c.Client().Do(r)
	require.NoError(t, err)
	response.Body.Close()
	assert.Equal(t, http.StatusOK, response.StatusCode)
	bad := c.ok(t, "POST", "/tokens/bad", `{"scopes": ["tool.read"]}`).([]any)
	assert.Greater(t, len(bad), 25)
	assert.Equal(t, "expired", bad[0].(map[string]any)["name"])
}

func TestFaultsAndChaos(t *testing.T) {
	t.Parallel()
	c := newControl(t, fakeentra.Config{})
	c.ok(t, "POST", "/faults", `[{"on": "keys", "status": 429, "retryAfter": "60s"}, {"on": "token", "drop": true}]`)
	response := c.keys(t)
	assert.Equal(t, 429, response.StatusCode)
	assert.Equal(t, "60", response.Header.Get("Retry-After"))
	assert.Len(t, c.ok(t, "GET", "/faults", ""), 2)
	unused := c.ok(t, "GET", "/faults/unused", "").([]any)
	require.Len(t, unused, 1)
	assert.EqualValues(t, 0, unused[0].(map[string]any)["applied"])
	c.ok(t, "DELETE", "/faults", "")
	assert.Empty(t, c.ok(t, "GET", "/faults", ""))
	c.ok(t, "PUT", "/chaos", `{"share": 1, "faults": [{"status": 503}]}`)
	assert.Equal(t, 503, c.keys(t).StatusCode)
	c.ok(t, "POST", "/reset", "")
	assert.Equal(t, 200, c.keys(t).StatusCode)
}

func TestClock(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := newControl(t, fakeentra.Config{Now: func() time.Time { return start }})
	for _, one := range []struct{ body, want string }{
		{`{"advance": "1h"}`, "2026-01-01T01:00:00Z"},
		{`{"freeze": "2030-05-05T00:00:00Z"}`, "2030-05-05T00:00:00Z"},
		{`{"advance": "1m"}`, "2030-05-05T00:01:00Z"},
		{`{"unfreeze": true, "advance": "-1m"}`, "2030-05-05T00:00:00Z"},
	} {
		got := c.ok(t, "POST", "/clock", one.body)
		assert.Equal(t, map[string]any{"now": one.want}, got, one.body)
		assert.Equal(t, got, c.ok(t, "GET", "/clock", ""))
	}
}

func TestJournal(t *testing.T) {
	t.Parallel()
	c := newControl(t, fakeentra.Config{})
	c.keys(t)
	assert.Len(t, c.ok(t, "GET", "/journal?endpoint=keys", ""), 1)
	assert.Len(t, c.ok(t, "GET", "/journal?endpoint=token&status=200", ""), 0)
	transcript := c.send(t, "GET", "/journal/transcript", "")
	assert.Equal(t, "text/plain; charset=utf-8", transcript.Header().Get("Content-Type"))
	assert.Contains(t, transcript.Body.String(), "1 GET login.microsoftonline.com/common/discovery/v2.0/keys\n")
	taken := c.ok(t, "POST", "/journal/take", `{"endpoint": "keys"}`).(map[string]any)
	assert.Equal(t, "GET", taken["method"])
	assert.Equal(t, http.StatusNotFound, c.send(t, "POST", "/journal/take", `{"endpoint": "keys"}`).Code)
	c.keys(t)
	c.ok(t, "DELETE", "/journal", "")
	assert.Empty(t, c.ok(t, "GET", "/journal", ""))
}

func TestTakeWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newControl(t, fakeentra.Config{})
		began := time.Now()
		assert.Equal(t, http.StatusNotFound, c.send(t, "POST", "/journal/take", `{"wait": "30s"}`).Code)
		assert.Equal(t, 30*time.Second, time.Since(began))
		go func() {
			time.Sleep(time.Second)
			c.keys(t)
		}()
		c.ok(t, "POST", "/journal/take", `{"endpoint": "keys", "wait": "30s"}`)
		assert.Equal(t, 31*time.Second, time.Since(began))
	})
}

func TestKeysDirectoryAndSessions(t *testing.T) {
	t.Parallel()
	c := newControl(t, fakeentra.Config{})
	before := c.ok(t, "POST", "/tokens", `{}`)
	c.ok(t, "POST", "/keys/rotate", `{}`)
	after := c.ok(t, "POST", "/tokens", `{}`)
	assert.NotEqual(t, headerOf(before), headerOf(after))
	c.ok(t, "POST", "/keys/rotate", `{"emergency": true}`)
	c.ok(t, "POST", "/sessions/revoke", `{"user": "AlexW@contoso.onmicrosoft.com"}`)
	principals, _ := c.ok(t, "GET", "/service-principals", "").([]any)
	require.Len(t, principals, 2, "the apps of the default directory")
	assert.Equal(t, map[string]any{
		"tenant":      directory.DefaultTenantID,
		"app":         directory.DefaultClientID,
		"displayName": "MCP server",
		"objectId":    "5a1e0002-0000-4000-8000-0000000000ff",
		"byConsent":   false,
	}, principals[0])

	shown := c.ok(t, "GET", "/fake", "").(map[string]any)
	assert.Equal(t, "https://login.microsoftonline.com", shown["authority"])
	directoryBefore := c.ok(t, "GET", "/directory", "")
	text, err := json.Marshal(directoryBefore)
	require.NoError(t, err)
	c.ok(t, "PUT", "/directory", strings.Replace(string(text), "Adele Vance", "Adele Smith", 1))
	assert.Equal(t, "Adele Smith", c.Directory().Tenants[0].User(directory.DefaultUser).DisplayName)
}

// A list is a list in JSON, an empty one too.
func TestTenantWithNothing(t *testing.T) {
	t.Parallel()
	c := newControl(t, fakeentra.Config{})
	c.ok(t, "PUT", "/directory", `{"tenants": [{"displayName": "Empty", "domains": ["empty.example"]}]}`)
	shown := c.ok(t, "GET", "/fake", "").(map[string]any)["tenants"].([]any)[0].(map[string]any)
	assert.Equal(t, []any{}, shown["apps"])
	assert.Equal(t, []any{}, shown["users"])
}

func headerOf(minted any) string {
	header, _, _ := strings.Cut(minted.(map[string]any)["token"].(string), ".")
	return header
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	c := newControl(t, fakeentra.Config{})
	for _, one := range []struct{ method, path, body, want string }{
		{"POST", "/tokens", `{"user": "missing"}`, "no user missing"},
		{"POST", "/tokens", `{"usr": "missing"}`, `unknown field \"usr\"`},
		{"POST", "/tokens", `{"age": "old"}`, "age: want a duration"},
		{"POST", "/tokens", `{} {}`, "want one JSON value"},
		{"POST", "/tokens", `{"user"`, "the body: "},
		{"POST", "/tokens/bad", `{"kind": "id"}`, "want an access token"},
		{"POST", "/faults", `{"on": "token"}`, "want an effect"},
		{"POST", "/faults", `[{"drop": true, "color": "red"}]`, `unknown field \"color\"`},
		{"POST", "/faults", ``, "the body"},
		{"PUT", "/chaos", `{"share": 7}`, "want a share from 0 to 1"},
		{"POST", "/clock", `{}`, "want advance, freeze or unfreeze"},
		{"POST", "/clock", `{"unfreeze": true, "freeze": "2026-01-01T00:00:00Z"}`, "got both"},
		{"POST", "/clock", `{"freeze": "noon"}`, "the body"},
		{"POST", "/clock", `{"freeze": "9999-12-31T23:59:59Z"}`, "between the years 1970 and 2200"},
		{"POST", "/clock", `{"advance": "-2000000h"}`, "between the years 1970 and 2200"},
		{"POST", "/clock", `{"advance": "1h"} ]`, "want one JSON value"},
		{"GET", "/journal?endpint=token", "", `unknown parameter \"endpint\"`},
		{"GET", "/journal?endpoint=tokens", "", `unknown endpoint \"tokens\"`},
		{"GET", "/journal?status=x", "", "want a number"},
		{"POST", "/journal/take", `{"wait": "1h"}`, "want at most 10m0s"},
		{"POST", "/sessions/revoke", `{"user": "missing"}`, "no user missing"},
		{"PUT", "/directory", `{"tenants": []}`, "want at least one tenant"},
		{"PUT", "/directory", `{"tenants": [{"name": "x"}]}`, `unknown key \"name\"`},
	} {
		got := c.send(t, one.method, one.path, one.body)
		assert.Equal(t, http.StatusBadRequest, got.Code, one.path+one.body)
		assert.Contains(t, got.Body.String(), one.want, one.path+one.body)
	}
	method := c.send(t, "GET", "/reset", "")
	assert.Equal(t, http.StatusMethodNotAllowed, method.Code)
	assert.Equal(t, "POST", method.Header().Get("Allow"))
	assert.JSONEq(t, `{"error": "/reset: want POST, got GET"}`, method.Body.String())
	path := c.send(t, "POST", "/token", "{}")
	assert.Equal(t, http.StatusNotFound, path.Code)
	assert.JSONEq(t, `{"error": "unknown endpoint \"/token\"; GET / lists all endpoints"}`, path.Body.String())
	large := c.send(t, "POST", "/faults", `{"body": "`+strings.Repeat("x", 5<<20)+`"}`)
	assert.Equal(t, http.StatusBadRequest, large.Code)
}

func TestFaultsGoByName(t *testing.T) {
	t.Parallel()
	c := newControl(t, fakeentra.Config{})
	for _, name := range []string{"a", "b", "a"} {
		c.ok(t, "POST", "/faults", `{"name": "`+name+`", "drop": true}`)
	}
	c.ok(t, "DELETE", "/faults?name=a", "")
	assert.Len(t, c.Script().All(), 1)
	answer := c.send(t, "DELETE", "/faults?name=a", "")
	assert.Equal(t, http.StatusBadRequest, answer.Code)
	assert.Contains(t, answer.Body.String(), `no fault has the name \"a\"`)
	answer = c.send(t, "DELETE", "/faults?nam=b", "")
	assert.Equal(t, http.StatusBadRequest, answer.Code, "a slip of the pen removes nothing")
	assert.Len(t, c.Script().All(), 1)
}

func TestKeysAreListed(t *testing.T) {
	t.Parallel()
	c := newControl(t, fakeentra.Config{})
	keys := c.ok(t, "GET", "/keys", "").([]any)
	assert.Equal(t, "present", keys[0].(map[string]any)["use"])
	assert.Len(t, keys, 4)
}
