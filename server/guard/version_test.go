package guard_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/server/guard"
)

func TestOnlyKnownRevisionsPass(t *testing.T) {
	t.Parallel()
	const own = "inner-1"
	for version, want := range map[string]struct {
		status    int
		sessionID string // that the handler sees, of one that is not the caller's
	}{
		"2024-11-05":             {status: 404},
		"2025-03-26":             {status: 404},
		"2025-06-18":             {status: 404},
		"2025-11-25":             {status: 404},
		"2026-07-28":             {status: 200},
		"":                       {status: 404},
		"zzzz":                   {status: 400},
		"2026-07-28 ":            {status: 400},
		"2026-07-29":             {status: 400},
		"2026-07-28, 2025-11-25": {status: 400},
		"2999-01-01":             {status: 400},
		"9":                      {status: 400},
		"DRAFT-2026-v1":          {status: 400},
		"\xff":                   {status: 400},
		strings.Repeat("9", 999): {status: 400},
	} {
		for _, session := range []string{"", own} {
			for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
				next := sessions()
				g := newGuard(t, stateful(func(c *guard.Config) { c.Stateful = false }), next)
				r := request(method, ping)
				r.Header["Authorization"] = []string{"Bearer ann-desk-1"}
				r.Header["Mcp-Protocol-Version"] = []string{version}
				if session != "" {
					r.Header["Mcp-Session-Id"] = []string{session}
				}
				w := answerTo(g, r)
				status := want.status
				switch {
				case session != "" && status == 400:
					assert.Contains(t, []int{400, 404}, w.Code, "%q %s", version, method)
					assert.Empty(t, next.requests, "%q %s", version, method)
					continue
				case session == "" && status == 404:
					status = 200
				case version == "2026-07-28" && method != http.MethodPost:
					status = 405
				}
				assert.Equal(t, status, w.Code, "%q %s", version, method)
				if status != 200 {
					assert.Empty(t, next.requests)
					continue
				}
				assert.Empty(t, next.requests[0].Header["Mcp-Session-Id"], "somebody else's session")
			}
		}
	}
}

func TestAnUnknownRevisionIsAnsweredWithTheKnownOnes(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	cfg := config()
	cfg.Logger = slog.New(slog.NewTextHandler(&logged, nil))
	r := request(http.MethodPost, `{"jsonrpc":"2.0","id":"a7","method":"ping"}`)
	r.Header.Set("Mcp-Protocol-Version", "2031-01-01")
	w, _ := serve(t, cfg, r)
	assert.Equal(t, http.StatusBadRequest, w.Code)
	assert.JSONEq(t, `{"jsonrpc":"2.0","id":"a7","error":{"code":-32022,
		"message":"this server does not know the protocol version of the request",
		"data":{"supported":["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"],
		"requested":"2031-01-01"}}}`, w.Body.String())
	assert.Contains(t, logged.String(), "seen=2031-01-01")
}
