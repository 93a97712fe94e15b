package guard_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/guard"
)

func TestOnlyPublishedRevisionsPass(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"", "2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"} {
		for _, method := range sessionMethods {
			answer, handled := askWithVersion(t, method, version, "")
			assert.Equal(t, 200, answer.Code, "%q %s", version, method)
			assert.Len(t, handled, 1)
			answer, handled = askWithVersion(t, method, version, "inner-1")
			assert.Equal(t, 404, answer.Code, "%q %s", version, method)
			assert.Empty(t, handled)
		}
	}
	for _, version := range []string{
		"zzzz",
		"2026-07-28 ",
		"2026-07-29",
		"2026-07-28, 2025-11-25",
		"2999-01-01",
		"9",
		"DRAFT-2026-v1",
		"\xff",
		strings.Repeat("9", 999),
	} {
		for _, method := range sessionMethods {
			answer, handled := askWithVersion(t, method, version, "")
			assert.Equal(t, 400, answer.Code, "%q %s", version, method)
			assert.Empty(t, handled)
			answer, handled = askWithVersion(t, method, version, "inner-1")
			assert.Contains(t, []int{400, 404}, answer.Code, "%q %s", version, method)
			assert.Empty(t, handled)
		}
	}
}

// TestSessionlessRevisionIgnoresSessions has a session ID that belongs to another caller.
func TestSessionlessRevisionIgnoresSessions(t *testing.T) {
	t.Parallel()
	for _, session := range []string{"", "inner-1"} {
		answer, handled := askWithVersion(t, http.MethodPost, "2026-07-28", session)
		assert.Equal(t, 200, answer.Code)
		require.Len(t, handled, 1)
		assert.Empty(t, handled[0].Header["Mcp-Session-Id"])
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			answer, handled := askWithVersion(t, method, "2026-07-28", session)
			assert.Equal(t, 405, answer.Code)
			assert.Empty(t, handled)
		}
	}
}

var sessionMethods = []string{http.MethodPost, http.MethodGet, http.MethodDelete}

// askWithVersion sends a ping of a revision to a handler without sessions. It returns the answer
// and the requests that reached the handler.
func askWithVersion(t *testing.T, method, version, session string) (*httptest.ResponseRecorder, []*http.Request) {
	t.Helper()
	next := newSessionHandler()
	g := newGuard(t, statefulConfig(func(c *guard.Config) { c.Stateful = false }), next)
	r := request(method, ping)
	r.Header["Authorization"] = []string{"Bearer ann-desk-1"}
	r.Header["Mcp-Protocol-Version"] = []string{version}
	if session != "" {
		r.Header["Mcp-Session-Id"] = []string{session}
	}
	return answerTo(g, r), next.requests
}

func TestUnknownRevisionIsAnsweredWithKnownOnes(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	config := baseConfig()
	config.Logger = slog.New(slog.NewTextHandler(&logged, nil))
	r := request(http.MethodPost, `{"jsonrpc":"2.0","id":"a7","method":"ping"}`)
	r.Header.Set("Mcp-Protocol-Version", "2031-01-01")
	w, _ := serve(t, config, r)
	assert.Equal(t, http.StatusBadRequest, w.Code)
	assert.JSONEq(t, `{"jsonrpc":"2.0","id":"a7","error":{"code":-32022,
		"message":"this server does not know the protocol version of the request",
		"data":{"supported":["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"],
		"requested":"2031-01-01"}}}`, w.Body.String())
	assert.Contains(t, logged.String(), "seen=2031-01-01")
}
