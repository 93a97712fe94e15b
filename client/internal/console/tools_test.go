package console_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
	"mcpentra/client/internal/console"
)

// scripted is a session with a server of MCP 2025-11-25 that answers a method with a result, as
// text in JSON. PAGE in it is the number of the request.
func scripted(t *testing.T, results map[string]string) (*console.Session, *atomic.Int64) {
	t.Helper()
	results["initialize"] = `{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},
		"serverInfo":{"name":"s","version":"1"}}`
	var asked atomic.Int64
	listening := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			ID     json.RawMessage `json:"id"`
			Method string          `json:"method"`
			Params struct {
				Arguments json.RawMessage `json:"arguments"`
			} `json:"params"`
		}
		result := ""
		if json.NewDecoder(r.Body).Decode(&request) == nil {
			result = results[request.Method]
		}
		if result == "" {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		page := fmt.Sprint(asked.Add(1))
		w.Header().Set("Content-Type", "application/json")
		arguments := strconv.Quote(string(request.Params.Arguments))
		result = strings.NewReplacer("PAGE", page, "ARGUMENTS", arguments).Replace(result)
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, request.ID, result)
	}))
	t.Cleanup(listening.Close)
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	under, err := client.New(client.Config{Server: listening.URL, Base: base})
	require.NoError(t, err)
	session, err := console.Connect(t.Context(), listening.URL, under, console.Options{Revision: "2025-11-25"})
	require.NoError(t, err)
	t.Cleanup(session.Close)
	asked.Store(0)
	return session, &asked
}

func TestCallListsTheToolsFirst(t *testing.T) {
	t.Parallel()
	session, asked := scripted(t, map[string]string{
		"tools/list": `{"tools":[{"name":"ping","inputSchema":{"type":"object"}}]}`,
		"tools/call": `{"content":[{"type":"text","text":"request PAGE"}]}`,
	})
	for _, want := range []string{"request 2", "request 3"} {
		text, err := session.Call(t.Context(), "ping", "")
		require.NoError(t, err)
		assert.Equal(t, want, text, "the list is asked for once")
	}
	_, err := session.Call(t.Context(), "pong", "")
	var missing *console.NoToolError
	require.ErrorAs(t, err, &missing)
	assert.Equal(t, "ping", missing.Nearest)
	assert.EqualValues(t, 4, asked.Load(), "a tool may be new, so the list is asked for again")
}

func TestCallOfNoTool(t *testing.T) {
	t.Parallel()
	session := connected(t, "")
	for name, want := range map[string]string{
		"ehco":       "did you mean echo?",
		"ec":         "did you mean echo?",
		"ai":         "did you mean fail?",
		"frobnicate": "list shows those that it has",
		"\x1b[2J":    "list shows those that it has",
	} {
		var out bytes.Buffer
		err := console.Call(t.Context(), session, name, "", &out)
		require.ErrorContains(t, err, want, name)
		assertTame(t, err.Error())
	}
}

func TestListsWithoutAnEnd(t *testing.T) {
	t.Parallel()
	many := strings.Repeat(`{"name":"x","inputSchema":{"type":"object"}},`, 1000)
	large := `{"name":"x","inputSchema":{"type":"object"},"description":"` + strings.Repeat("x", 8<<20) + `"}`
	for name, c := range map[string]struct{ tools, says string }{
		"of pages":       {``, "more than 100 pages"},
		"of tools":       {strings.TrimSuffix(many, ","), "more than 10000 tools or 64 MiB"},
		"of large tools": {large, "more than 10000 tools or 64 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page := `{"tools":[` + c.tools + `],"nextCursor":"PAGE"}`
			session, asked := scripted(t, map[string]string{"tools/list": page})
			_, err := session.Tools(t.Context())
			require.ErrorContains(t, err, c.says)
			assert.LessOrEqual(t, asked.Load(), int64(100))
		})
	}
}
