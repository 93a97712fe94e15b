package console_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/internal/console"
)

// asking starts a server of MCP 2025-11-25 with a tool that asks for a form, and returns the
// client's answer. The server asks on the stream that the client has opened. Without a stream it
// does not ask.
func asking(t *testing.T, schema string) *httptest.Server {
	questions := make(chan string, 1)
	answers := make(chan string, 1)
	listening := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			listening <- struct{}{}
			w.Header().Set("Content-Type", "text/event-stream")
			_ = http.NewResponseController(w).Flush()
			select {
			case question := <-questions:
				fmt.Fprintf(w, "event: message\ndata: %s\n\n", question)
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			case <-r.Context().Done():
			}
			return
		}
		if r.Method == http.MethodDelete {
			return
		}
		body, err := io.ReadAll(r.Body)
		if !assert.NoError(t, err) {
			return
		}
		var message struct {
			ID     json.RawMessage
			Method string
			Result json.RawMessage
		}
		_ = json.Unmarshal(body, &message)
		answer := func(result string) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, message.ID, result)
		}
		switch message.Method {
		case "initialize":
			w.Header().Set("Mcp-Session-Id", "one")
			answer(`{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},` +
				`"serverInfo":{"name":"asking","version":"1"}}`)
		case "tools/call":
			select {
			case <-listening:
				questions <- `{"jsonrpc":"2.0","id":77,"method":"elicitation/create",` +
					`"params":{"message":"?","requestedSchema":` + schema + `}}`
				answer(`{"content":[{"type":"text","text":` + strconv.Quote(<-answers) + `}]}`)
			default:
				answer(`{"content":[{"type":"text","text":"no stream is open"}]}`)
			}
		case "":
			answers <- string(message.Result)
			w.WriteHeader(http.StatusAccepted)
		case "notifications/initialized":
			w.WriteHeader(http.StatusAccepted)
		default:
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"unknown"}}`, message.ID)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// TestElicitDefaultsAnswersOnServersStream: a server of an older revision asks on its own stream.
// The revision may be named, or found out.
func TestElicitDefaultsAnswersOnServersStream(t *testing.T) {
	t.Parallel()
	const schema = `{"type":"object","properties":{"name":{"type":"string","default":"Adele"},` +
		`"age":{"type":"integer","default":30},"nick":{"type":"string"}},"required":["name"]}`
	for _, revision := range []string{"", "2025-11-25"} {
		t.Run("revision "+revision, func(t *testing.T) {
			t.Parallel()
			options := console.Options{Revision: revision, Elicitation: console.ElicitDefaults}
			session, err := connectTo(t, asking(t, schema).URL, options)
			require.NoError(t, err)
			answer, err := session.Call(t.Context(), "ask", "")
			require.NoError(t, err)
			assert.JSONEq(t, `{"action":"accept","content":{"name":"Adele","age":30}}`, answer)
		})
	}
}
