package guard_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/guard"
	"mcpentra/server/token"
)

// crowd verifies tokens of the form user-client-anything.
func crowd(_ context.Context, raw string) (*guard.Identity, error) {
	parts := strings.Split(raw, "-")
	if len(parts) != 3 {
		return nil, token.NewInvalidError(token.BadSignature)
	}
	id := adele
	id.ObjectID = parts[0]
	id.ClientID = parts[1]
	id.TokenID = parts[2]
	return &id, nil
}

// sessions is a handler that gives each initialize a session, and knows those it gave.
func sessions() *recorder {
	next := &recorder{}
	next.answer = func(w http.ResponseWriter, r *http.Request) {
		body := next.bodies[len(next.bodies)-1]
		if strings.Contains(body, `"initialize"`) {
			w.Header().Set("Mcp-Session-Id", "inner-1")
		}
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("Cache-Control", "public")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,"result":{"session":%q}}`, r.Header.Get("Mcp-Session-Id"))
	}
	return next
}

func stateful(edit func(*guard.Config)) guard.Config {
	cfg := config()
	cfg.Verify = crowd
	cfg.Stateful = true
	cfg.SessionKeys = [][]byte{[]byte(strings.Repeat("k", 32))}
	if edit != nil {
		edit(&cfg)
	}
	return cfg
}

func ask(h http.Handler, method, raw, session, body string, headers ...string) *httptest.ResponseRecorder {
	r := request(method, body)
	r.Header.Set("Authorization", "Bearer "+raw)
	if session != "" {
		r.Header.Set("Mcp-Session-Id", session)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestASessionBelongsToItsCaller(t *testing.T) {
	t.Parallel()
	next := sessions()
	g := newGuard(t, stateful(nil), next)
	opened := ask(g, http.MethodPost, "ann-desk-1", "", rpc("1", "initialize"))
	require.Equal(t, http.StatusOK, opened.Code)
	session := opened.Header().Get("Mcp-Session-Id")
	require.NotEmpty(t, session)
	assert.NotEqual(t, "inner-1", session)
	for name, test := range map[string]struct {
		raw, session string
		want         int
	}{
		"its caller":                  {"ann-desk-1", session, 200},
		"its caller's next token":     {"ann-desk-2", session, 200},
		"somebody else":               {"bob-desk-1", session, 404},
		"another client of the same":  {"ann-phone-1", session, 404},
		"the handler's own id":        {"ann-desk-1", "inner-1", 404},
		"one that a caller made up":   {"ann-desk-1", "x." + strings.Repeat("A", 20), 404},
		"another id behind the mark":  {"ann-desk-1", strings.Replace(session, "inner-1", "inner-2", 1), 404},
		"the mark alone":              {"ann-desk-1", strings.TrimSuffix(session, "inner-1"), 404},
		"one far too long":            {"ann-desk-1", session + strings.Repeat("1", 600), 404},
		"no session":                  {"ann-desk-1", "", 400},
		"no token, whatever it knows": {"", session, 401},
	} {
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
			if test.raw == "" {
				r := request(method, ping)
				r.Header.Del("Authorization")
				r.Header.Set("Mcp-Session-Id", test.session)
				w := httptest.NewRecorder()
				g.ServeHTTP(w, r)
				assert.Equal(t, test.want, w.Code, name)
				continue
			}
			before := len(next.requests)
			w := ask(g, method, test.raw, test.session, ping)
			assert.Equal(t, test.want, w.Code, "%s %s", method, name)
			if test.want != 200 {
				assert.Len(t, next.requests, before)
				assert.Contains(t, w.Body.String(), `"jsonrpc":"2.0"`)
				continue
			}
			assert.Contains(t, w.Body.String(), `"session":"inner-1"`)
		}
	}
	twin := newGuard(t, stateful(func(c *guard.Config) {
		c.SessionKeys = [][]byte{[]byte(strings.Repeat("n", 32)), []byte(strings.Repeat("k", 32))}
	}), sessions())
	assert.Equal(
		t,
		200,
		ask(twin, http.MethodPost, "ann-desk-1", session, ping).Code,
		"another replica, with a newer key in front",
	)
	stranger := newGuard(t, stateful(func(c *guard.Config) { c.SessionKeys = nil }), sessions())
	assert.Equal(t, 404, ask(stranger, http.MethodPost, "ann-desk-1", session, ping).Code)
}

func TestARevisionWithoutSessionsHasNone(t *testing.T) {
	t.Parallel()
	next := sessions()
	g := newGuard(t, stateful(nil), next)
	for _, session := range []string{"", "made-up", "inner-1"} {
		w := ask(
			g,
			http.MethodPost,
			"ann-desk-1",
			session,
			rpc("1", "initialize"),
			"Mcp-Protocol-Version",
			"2026-07-28",
		)
		assert.Equal(t, 200, w.Code)
		assert.Empty(t, w.Header().Get("Mcp-Session-Id"), "neither given nor repeated")
		assert.Contains(t, w.Body.String(), `"session":""`)
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		before := len(next.requests)
		w := ask(g, method, "ann-desk-1", "", "", "Mcp-Protocol-Version", "2026-07-28")
		assert.Equal(t, 405, w.Code)
		assert.Equal(t, "POST, OPTIONS", w.Header().Get("Allow"))
		assert.Len(t, next.requests, before, "a stream outside of sessions would be everybody's")
	}
}

func TestWithoutSessionsNothingNeedsOne(t *testing.T) {
	t.Parallel()
	g := newGuard(t, stateful(func(c *guard.Config) { c.Stateful = false }), sessions())
	assert.Equal(t, 200, ask(g, http.MethodPost, "ann-desk-1", "", ping).Code)
	assert.Equal(t, 404, ask(g, http.MethodPost, "ann-desk-1", "of another server", ping).Code)
}

func TestWhatOnlyTheGuardSays(t *testing.T) {
	t.Parallel()
	w := ask(newGuard(t, stateful(nil), sessions()), http.MethodPost, "ann-desk-1", "", rpc("1", "initialize"))
	assert.Equal(t, []string{"no-store"}, w.Header()["Cache-Control"])
	assert.Empty(t, w.Header()["Access-Control-Allow-Origin"])
	assert.Empty(t, w.Header()["Set-Cookie"])
	w = ask(
		newGuard(t, stateful(nil), sessions()),
		http.MethodPost,
		"ann-desk-1",
		"",
		rpc("1", "initialize"),
		"Origin",
		"https://inspector.example",
	)
	assert.Equal(t, []string{"https://inspector.example"}, w.Header()["Access-Control-Allow-Origin"])
}

// TestWhatOnlyTheGuardSaysWhenNothingIsWritten has a handler that sets headers and returns, so that
// net/http begins the answer.
func TestWhatOnlyTheGuardSaysWhenNothingIsWritten(t *testing.T) {
	t.Parallel()
	spelling := "set-cookie"
	g := newGuard(t, stateful(nil), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()[spelling] = []string{"a=b"}
		w.Header().Set("Mcp-Session-Id", "inner-1")
	}))
	w := ask(g, http.MethodPost, "ann-desk-1", "", rpc("1", "initialize"))
	assert.Empty(t, w.Header()[spelling])
	assert.Equal(t, []string{"no-store"}, w.Header()["Cache-Control"])
	session := w.Header().Get("Mcp-Session-Id")
	assert.NotEqual(t, "inner-1", session)
	assert.Equal(t, http.StatusOK, ask(g, http.MethodPost, "ann-desk-1", session, ping).Code)
}

func TestATokenInTheQueryGoesNoFurther(t *testing.T) {
	t.Parallel()
	next := &recorder{}
	g := newGuard(t, config(), next)
	r := request(http.MethodPost, ping)
	r.URL.RawQuery = "a=1&access_token=canary&acc%65ss_token=canary&b=%32;ACCESS_TOKEN=canary&%zz"
	g.ServeHTTP(httptest.NewRecorder(), r)
	require.Len(t, next.requests, 1)
	assert.Equal(t, "a=1&b=%32", next.requests[0].URL.RawQuery)
	assert.Contains(t, r.URL.RawQuery, "canary", "the caller's request is left as it was")
}

func TestShortSessionKeysAreRefused(t *testing.T) {
	t.Parallel()
	_, err := guard.New(stateful(func(c *guard.Config) { c.SessionKeys = [][]byte{[]byte("short")} }), &recorder{})
	assert.ErrorContains(t, err, "session key")
}
