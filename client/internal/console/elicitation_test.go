package console_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
	"mcpentra/client/internal/console"
)

// asking is a server of 2025-11-25 that asks on the stream that the client has opened, and has a
// tool that answers with what it was told. A question that nobody listens to is lost.
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
			answer(
				`{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"asking","version":"1"}}`,
			)
		case "tools/call":
			select {
			case <-listening:
				questions <- `{"jsonrpc":"2.0","id":77,"method":"elicitation/create","params":{"message":"?","requestedSchema":` + schema + `}}`
				answer(`{"content":[{"type":"text","text":` + string(must(json.Marshal(<-answers))) + `}]}`)
			default:
				answer(`{"content":[{"type":"text","text":"nobody listens"}]}`)
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

func must(text []byte, _ error) []byte { return text }

// A form that a server of an older revision asks for on its own stream is answered with its
// defaults, whether the revision was named or found out.
func TestFormsOnTheStreamOfTheServerAreAnswered(t *testing.T) {
	t.Parallel()
	const schema = `{"type":"object","properties":{"name":{"type":"string","default":"Adele"},"age":{"type":"integer","default":30},"nick":{"type":"string"}},"required":["name"]}`
	for _, revision := range []string{"", "2025-11-25"} {
		t.Run("revision "+revision, func(t *testing.T) {
			t.Parallel()
			server := asking(t, schema)
			base := &http.Transport{}
			t.Cleanup(base.CloseIdleConnections)
			under, err := client.New(client.Config{Server: server.URL, Base: base})
			require.NoError(t, err)
			session, err := console.Connect(
				t.Context(),
				server.URL,
				under,
				console.Options{Revision: revision, Elicitation: console.ElicitDefaults},
			)
			require.NoError(t, err)
			defer session.Close()
			said, err := session.Call(t.Context(), "ask", "")
			require.NoError(t, err)
			assert.JSONEq(t, `{"action":"accept","content":{"name":"Adele","age":30}}`, said)
		})
	}
}
