package guard_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/guard"
)

func TestSessionBelongsToItsCaller(t *testing.T) {
	t.Parallel()
	next := newSessionHandler()
	g := newGuard(t, statefulConfig(nil), next)
	opened := ask(g, http.MethodPost, "ann-desk-1", "", initialize)
	require.Equal(t, http.StatusOK, opened.Code)
	session := opened.Header().Get("Mcp-Session-Id")
	require.NotEmpty(t, session)
	assert.NotEqual(t, "inner-1", session)
	for _, test := range []struct {
		name, raw, session string
		want               int
	}{
		{"its caller", "ann-desk-1", session, 200},
		{"its caller's next token", "ann-desk-2", session, 200},
		{"another user", "bob-desk-1", session, 404},
		{"another client of the same", "ann-phone-1", session, 404},
		{"the handler's own id", "ann-desk-1", "inner-1", 404},
		{"ID that a caller made up", "ann-desk-1", "x." + strings.Repeat("A", 20), 404},
		{"another id behind the mark", "ann-desk-1", strings.Replace(session, "inner-1", "inner-2", 1), 404},
		{"the mark alone", "ann-desk-1", strings.TrimSuffix(session, "inner-1"), 404},
		{"far too long", "ann-desk-1", session + strings.Repeat("1", 600), 404},
		{"no session", "ann-desk-1", "", 400},
		{"no token, whatever it knows", "", session, 401},
	} {
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
			if test.raw == "" {
				r := request(method, ping)
				r.Header.Del("Authorization")
				r.Header.Set("Mcp-Session-Id", test.session)
				w := httptest.NewRecorder()
				g.ServeHTTP(w, r)
				assert.Equal(t, test.want, w.Code, test.name)
				continue
			}
			before := len(next.requests)
			w := ask(g, method, test.raw, test.session, ping)
			assert.Equal(t, test.want, w.Code, "%s %s", method, test.name)
			if test.want != 200 {
				assert.Len(t, next.requests, before)
				assert.Contains(t, w.Body.String(), `"jsonrpc":"2.0"`)
				continue
			}
			assert.Contains(t, w.Body.String(), `"session":"inner-1"`)
		}
	}
	replica := newGuard(t, statefulConfig(func(c *guard.Config) {
		c.SessionKeys = [][]byte{[]byte(strings.Repeat("n", 32)), []byte(strings.Repeat("k", 32))}
	}), newSessionHandler())
	answer := ask(replica, http.MethodPost, "ann-desk-1", session, ping)
	assert.Equal(t, 200, answer.Code, "another replica, with a newer key in front")
	stranger := newGuard(t, statefulConfig(func(c *guard.Config) { c.SessionKeys = nil }), newSessionHandler())
	assert.Equal(t, 404, ask(stranger, http.MethodPost, "ann-desk-1", session, ping).Code)
}

func TestSessionlessRevisionHasNone(t *testing.T) {
	t.Parallel()
	next := newSessionHandler()
	g := newGuard(t, statefulConfig(nil), next)
	for _, session := range []string{"", "made-up", "inner-1"} {
		w := ask(g, http.MethodPost, "ann-desk-1", session, initialize, "Mcp-Protocol-Version", "2026-07-28")
		assert.Equal(t, 200, w.Code)
		assert.Empty(t, w.Header().Get("Mcp-Session-Id"), "neither given nor repeated")
		assert.Contains(t, w.Body.String(), `"session":""`)
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		before := len(next.requests)
		w := ask(g, method, "ann-desk-1", "", "", "Mcp-Protocol-Version", "2026-07-28")
		assert.Equal(t, 405, w.Code)
		assert.Equal(t, "POST, OPTIONS", w.Header().Get("Allow"))
		assert.Len(t, next.requests, before, "all callers would share a stream without a session")
	}
}

func TestStatelessServerNeedsNoSession(t *testing.T) {
	t.Parallel()
	g := newGuard(t, statefulConfig(func(c *guard.Config) { c.Stateful = false }), newSessionHandler())
	assert.Equal(t, 200, ask(g, http.MethodPost, "ann-desk-1", "", ping).Code)
	assert.Equal(t, 404, ask(g, http.MethodPost, "ann-desk-1", "of another server", ping).Code)
}

func TestGuardedHeadersReplaceTheHandlers(t *testing.T) {
	t.Parallel()
	w := ask(newGuard(t, statefulConfig(nil), newSessionHandler()), http.MethodPost, "ann-desk-1", "", initialize)
	assert.Equal(t, []string{"no-store"}, w.Header()["Cache-Control"])
	assert.Empty(t, w.Header()["Access-Control-Allow-Origin"])
	assert.Empty(t, w.Header()["Set-Cookie"])
	g := newGuard(t, statefulConfig(nil), newSessionHandler())
	w = ask(g, http.MethodPost, "ann-desk-1", "", initialize, "Origin", "https://inspector.example")
	assert.Equal(t, []string{"https://inspector.example"}, w.Header()["Access-Control-Allow-Origin"])
}

// TestGuardedHeadersOfEmptyAnswer has a handler that sets headers and returns. net/http then starts
// the answer.
func TestGuardedHeadersOfEmptyAnswer(t *testing.T) {
	t.Parallel()
	spelling := "set-cookie"
	g := newGuard(t, statefulConfig(nil), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()[spelling] = []string{"a=b"}
		w.Header().Set("Mcp-Session-Id", "inner-1")
	}))
	w := ask(g, http.MethodPost, "ann-desk-1", "", initialize)
	assert.Empty(t, w.Header()[spelling])
	assert.Equal(t, []string{"no-store"}, w.Header()["Cache-Control"])
	session := w.Header().Get("Mcp-Session-Id")
	assert.NotEqual(t, "inner-1", session)
	assert.Equal(t, http.StatusOK, ask(g, http.MethodPost, "ann-desk-1", session, ping).Code)
}

func TestTokenInQueryReachesNoHandler(t *testing.T) {
	t.Parallel()
	next := &recorder{}
	g := newGuard(t, baseConfig(), next)
	r := request(http.MethodPost, ping)
	r.URL.RawQuery = "a=1&access_token=canary&acc%65ss_token=canary&b=%32;ACCESS_TOKEN=canary&%zz"
	g.ServeHTTP(httptest.NewRecorder(), r)
	require.Len(t, next.requests, 1)
	assert.Equal(t, "a=1&b=%32", next.requests[0].URL.RawQuery)
	assert.Contains(t, r.URL.RawQuery, "canary", "the caller's request is unchanged")
}

func TestSessionSurvivesNewKey(t *testing.T) {
	t.Parallel()
	old := []byte(strings.Repeat("o", 32))
	fresh := []byte(strings.Repeat("f", 32))
	keys := [][]byte{old}
	g := newGuard(t, statefulConfig(func(c *guard.Config) {
		c.CurrentSessionKeys = func() [][]byte { return keys }
	}), newSessionHandler())
	opened := ask(g, http.MethodPost, "ann-desk-1", "", initialize)
	require.Equal(t, http.StatusOK, opened.Code)
	session := opened.Header().Get("Mcp-Session-Id")
	for _, test := range []struct {
		keys [][]byte
		want int
	}{{[][]byte{fresh, old}, 200}, {[][]byte{fresh}, 404}} {
		keys = test.keys
		assert.Equal(t, test.want, ask(g, http.MethodPost, "ann-desk-1", session, ping).Code)
	}
}

func TestNewRefusesShortSessionKeys(t *testing.T) {
	t.Parallel()
	config := statefulConfig(nil)
	config.SessionKeys = [][]byte{[]byte("short")}
	_, err := guard.New(config, &recorder{})
	assert.ErrorContains(t, err, "session key")
}
