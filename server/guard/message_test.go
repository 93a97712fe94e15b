package guard_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAMessageIsHandedOnReencoded(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ body, want string }{
		"blanks go":                 {" { \"jsonrpc\" : \"2.0\",\n\"id\":1, \"method\":\"ping\" } ", ping},
		"strings have one spelling": {`{"jsonrpc":"2.0","id":1,"\u006dethod":"p\u0069ng"}`, ping},
		"numbers stay": {
			`{"jsonrpc":"2.0","id":1,"method":"x","params":{"arguments":{"a":1e2,"b":12345678901234567890}}}`,
			`{"jsonrpc":"2.0","id":1,"method":"x","params":{"arguments":{"a":1e2,"b":12345678901234567890}}}`,
		},
		"a notification": {
			`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
			`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		},
		"a response": {
			`{"jsonrpc":"2.0","id":"a","result":{}}`,
			`{"jsonrpc":"2.0","id":"a","result":{}}`,
		},
		"arguments may differ by case": {
			`{"jsonrpc":"2.0","id":1,"method":"x","params":{"arguments":{"a":1,"A":2}}}`,
			`{"jsonrpc":"2.0","id":1,"method":"x","params":{"arguments":{"a":1,"A":2}}}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, next := serve(t, config(), request(http.MethodPost, test.body))
			require.Equal(t, http.StatusOK, w.Code, w.Body)
			assert.Equal(t, []string{test.want}, next.bodies)
			assert.EqualValues(t, len(test.want), next.requests[0].ContentLength)
		})
	}
}

func TestAMessageThatTwoReadersCouldReadDifferently(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"empty":                        ``,
		"not JSON":                     `hello`,
		"two documents":                ping + ping,
		"a number":                     `1`,
		"a method twice":               `{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}`,
		"a method twice, once escaped": `{"jsonrpc":"2.0","id":1,"method":"tools/list","\u006dethod":"tools/call"}`,
		"params twice":                 `{"jsonrpc":"2.0","id":1,"method":"x","params":{},"params":{}}`,
		"a name twice, deep inside":    `{"jsonrpc":"2.0","id":1,"method":"x","params":{"arguments":{"a":{"b":1,"b":2}}}}`,
		"a twin of the method":         `{"jsonrpc":"2.0","id":1,"method":"tools/list","Method":"tools/call"}`,
		"a twin instead of the method": `{"jsonrpc":"2.0","id":1,"Method":"tools/call"}`,
		"a twin of params":             `{"jsonrpc":"2.0","id":1,"method":"x","Params":{}}`,
		"a twin with a long s":         `{"jsonrpc":"2.0","id":1,"method":"x","paramſ":{}}`,
		"a twin of the tool's name":    `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}}`,
		"a twin of the arguments":      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Arguments":{}}}`,
		"twins in _meta":               `{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{"a":1,"A":2}}}`,
		"a NUL in a name":              "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"a\x00\":1}",
		"bad UTF-8":                    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"a\":\"\xff\"}}",
		"a lone surrogate":             `{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":"\ud800"}}`,
		"nested too deep": `{"jsonrpc":"2.0","id":1,"method":"x","params":{"arguments":` + strings.Repeat(
			"[",
			63,
		) + strings.Repeat(
			"]",
			63,
		) + `}}`,
		"nested far too deep":      strings.Repeat("[", 200000),
		"no version":               `{"id":1,"method":"ping"}`,
		"another version":          `{"jsonrpc":"1.0","id":1,"method":"ping"}`,
		"an id of an object":       `{"jsonrpc":"2.0","id":{},"method":"ping"}`,
		"an id of null":            `{"jsonrpc":"2.0","id":null,"method":"ping"}`,
		"a method of a number":     `{"jsonrpc":"2.0","id":1,"method":1}`,
		"an empty method":          `{"jsonrpc":"2.0","id":1,"method":""}`,
		"a request and a response": `{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}`,
		"a result and an error":    `{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}`,
		"neither":                  `{"jsonrpc":"2.0","id":1}`,
		"params of an array":       `{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}`,
	}
	for name, body := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, next := serve(t, config(), request(http.MethodPost, body))
			assert.Equal(t, http.StatusBadRequest, w.Code)
			assert.Empty(t, next.requests)
			var answer struct {
				Version string `json:"jsonrpc"`
				Error   struct{ Code int }
			}
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
			assert.Equal(t, "2.0", answer.Version)
			assert.Contains(t, []int{-32700, -32600}, answer.Error.Code)
		})
	}
}

func TestHeadersThatSayHowToReadAreThereOnce(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Content-Type", "Mcp-Protocol-Version", "Mcp-Method", "Mcp-Name", "Mcp-Session-Id"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := request(http.MethodPost, ping)
			r.Header[name] = []string{"application/json", "application/json"}
			w, next := serve(t, config(), r)
			assert.Equal(t, http.StatusBadRequest, w.Code)
			assert.Empty(t, next.requests)
		})
	}
}

func TestOnlyPlainJSONIsRead(t *testing.T) {
	t.Parallel()
	for name, header := range map[string][2]string{
		"text":       {"Content-Type", "text/plain"},
		"a form":     {"Content-Type", "application/x-www-form-urlencoded"},
		"nothing":    {"Content-Type", ""},
		"compressed": {"Content-Encoding", "gzip"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := request(http.MethodPost, ping)
			r.Header.Set(header[0], header[1])
			w, next := serve(t, config(), r)
			assert.Equal(t, http.StatusUnsupportedMediaType, w.Code)
			assert.Contains(t, w.Body.String(), `"error":"invalid_request"`)
			assert.Empty(t, next.requests)
		})
	}
	// Handlers that decode by the charset would read other messages than the guard.
	for _, written := range []string{
		"application/json; charset=utf-8", "application/json;charset=utf-7", "application/json; charset=\"UTF-16\"",
		"application/json; charset*=utf-7''x", "Application/JSON", "application/json; boundary=x",
	} {
		r := request(http.MethodPost, ping)
		r.Header.Set("Content-Type", written)
		r.Header.Set("Content-Encoding", "identity")
		w, next := serve(t, config(), r)
		assert.Equal(t, http.StatusOK, w.Code, written)
		assert.Equal(t, []string{"application/json"}, next.requests[0].Header["Content-Type"], written)
		assert.NotContains(t, next.requests[0].Header, "Content-Encoding")
	}
}

// answering gives each request an answer that depends on its method.
func answering(w http.ResponseWriter, r *http.Request, body string) {
	var m struct {
		ID     json.RawMessage
		Method string
	}
	_ = json.Unmarshal([]byte(body), &m)
	switch {
	case m.ID == nil:
		w.WriteHeader(http.StatusAccepted)
	case m.Method == "stream":
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = fmt.Fprintf(w, "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n")
		w.(http.Flusher).Flush()
		_, _ = fmt.Fprintf(
			w,
			"event: message\r\ndata: {\"jsonrpc\":\"2.0\",\r\ndata: \"id\":%s,\"result\":{\"streamed\":true}}\r\n\r\n",
			m.ID,
		)
	case m.Method == "refused":
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no such method"}}`, m.ID)
	case m.Method == "broken":
		http.Error(w, "oops", http.StatusInternalServerError)
	case m.Method == "endless":
		_, _ = io.WriteString(w, strings.Repeat(" ", 5<<20))
	case m.Method == "another":
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":"somebody else's","result":{}}`)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": m.ID, "result": map[string]any{}})
	}
}

func serveBatch(t *testing.T, version, body string) (*httptest.ResponseRecorder, *recorder) {
	t.Helper()
	next := &recorder{}
	next.answer = func(w http.ResponseWriter, r *http.Request) { answering(w, r, next.bodies[len(next.bodies)-1]) }
	r := request(http.MethodPost, body)
	if version != "" {
		r.Header.Set("Mcp-Protocol-Version", version)
	}
	w := httptest.NewRecorder()
	newGuard(t, config(), next).ServeHTTP(w, r)
	return w, next
}

func rpc(id, method string) string {
	if id == "" {
		return `{"jsonrpc":"2.0","method":"` + method + `"}`
	}
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"` + method + `"}`
}

func TestABatchIsSplitAndItsAnswersJoined(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"", "2025-03-26"} {
		t.Run("version "+version, func(t *testing.T) {
			t.Parallel()
			batch := "[" + strings.Join([]string{
				rpc(
					"1",
					"ping",
				), rpc("", "notifications/x"), rpc(`"a<b"`, "stream"), rpc("3", "refused"), rpc("4", "broken"), rpc("5", "endless"), rpc("6", "another"),
			}, ",") + "]"
			w, next := serveBatch(t, version, batch)
			require.Equal(t, http.StatusOK, w.Code)
			require.Len(t, next.bodies, 7, "one request for each message")
			assert.JSONEq(t, `[
				{"jsonrpc":"2.0","id":1,"result":{}},
				{"jsonrpc":"2.0","id":"a<b","result":{"streamed":true}},
				{"jsonrpc":"2.0","id":3,"error":{"code":-32601,"message":"no such method"}},
				{"jsonrpc":"2.0","id":4,"error":{"code":-32603,"message":"the message was not answered"}},
				{"jsonrpc":"2.0","id":5,"error":{"code":-32603,"message":"the message was not answered"}},
				{"jsonrpc":"2.0","id":6,"error":{"code":-32603,"message":"the message was not answered"}}
			]`, w.Body.String())
			for _, inner := range next.requests {
				assert.Empty(t, inner.Header.Get("Authorization"))
			}
			require.NotNil(t, next.identity)
		})
	}
}

func TestABatchGetsAnAnswerToEachMessage(t *testing.T) {
	t.Parallel()
	r := request(http.MethodPost, "["+rpc("1", "broken")+","+rpc("2", "ping")+"]")
	r.Header.Set("Accept-Encoding", "gzip")
	cfg := config()
	var coded []string
	g := newGuard(t, cfg, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		coded = append(coded, r.Header["Accept-Encoding"]...)
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "broken") {
			_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{}}`)
			panic(http.ErrAbortHandler) // as a proxy whose upstream cut its answer off
		}
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":2,"result":{}}`)
	}))
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	assert.Empty(t, coded, "the guard reads no compressed answers")
	assert.JSONEq(t, `[{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"the message was not answered"}},
		{"jsonrpc":"2.0","id":2,"result":{}}]`, w.Body.String())
}

func TestAnswersOfABatchAreFoundInAnyStream(t *testing.T) {
	t.Parallel()
	for _, stream := range []string{
		"data: {\"jsonrpc\":\"2.0\",\ndata: \"id\":1,\"result\":{}}\n\n", "\ufeffdata: ANSWER\n\n",
		"data:ANSWER\r\n\r\n", "id: 1\rdata\r\r: note\rdata: ANSWER\r\r",
		"data: {\"jsonrpc\":\"2.0\",\"method\":\"n\"}\r\rdata: ANSWER\r\r", "data: ANSWER",
	} {
		g := newGuard(t, config(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, strings.ReplaceAll(stream, "ANSWER", `{"jsonrpc":"2.0","id":1,"result":{}}`))
		}))
		w := httptest.NewRecorder()
		g.ServeHTTP(w, request(http.MethodPost, "["+ping+"]"))
		assert.JSONEq(t, `[{"jsonrpc":"2.0","id":1,"result":{}}]`, w.Body.String(), "%q", stream)
	}
}

func TestABatchOfNotificationsIsAccepted(t *testing.T) {
	t.Parallel()
	w, next := serveBatch(t, "", "["+rpc("", "notifications/a")+","+rpc("", "notifications/b")+"]")
	assert.Equal(t, http.StatusAccepted, w.Code)
	assert.Empty(t, w.Body.String())
	assert.Len(t, next.bodies, 2)
}

func TestABatchIsJudgedBeforeAnythingRuns(t *testing.T) {
	t.Parallel()
	many := func(n int) string { return "[" + strings.Repeat(rpc("1", "ping")+",", n-1) + rpc("1", "ping") + "]" }
	w, _ := serveBatch(t, "", many(50))
	assert.Equal(t, http.StatusOK, w.Code)
	tests := map[string]struct{ version, body string }{
		"of a revision without batches": {"2025-06-18", many(2)},
		"of the one after":              {"2025-11-25", many(2)},
		"of the latest":                 {"2026-07-28", many(2)},
		"empty":                         {"", "[]"},
		"of 51":                         {"", many(51)},
		"of very many":                  {"", many(10000)},
		"with a bad message at the end": {
			"",
			"[" + rpc("1", "ping") + `,{"jsonrpc":"2.0","id":2,"method":"x","Method":"y"}]`,
		},
		"with a number":   {"", "[" + rpc("1", "ping") + ",1]"},
		"in a batch":      {"", "[[" + rpc("1", "ping") + "]]"},
		"with initialize": {"", "[" + rpc("1", "initialize") + "]"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, next := serveBatch(t, test.version, test.body)
			assert.Equal(t, http.StatusBadRequest, w.Code)
			assert.Empty(t, next.requests)
			assert.Contains(t, w.Body.String(), `"jsonrpc":"2.0"`)
		})
	}
}

// FuzzMessage holds the guard to its promise: what the handler gets is strict JSON, with the same
// meaning for a reader that minds case and one that does not.
func FuzzMessage(f *testing.F) {
	for _, seed := range []string{ping, "[" + ping + "]", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":{"a":[1,2]},"_meta":{"p":1}}}`, `{"Method":"x"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		w, next := serve(t, config(), request(http.MethodPost, body))
		for _, got := range next.bodies {
			var lax struct {
				Version string `json:"jsonrpc"`
				Method  string `json:"method"`
			}
			require.NoError(t, json.Unmarshal([]byte(got), &lax))
			require.Equal(t, "2.0", lax.Version)
			var exact map[string]json.RawMessage
			require.NoError(t, json.Unmarshal([]byte(got), &exact))
			var method string
			if raw, there := exact["method"]; there {
				require.NoError(t, json.Unmarshal(raw, &method))
			}
			require.Equal(t, method, lax.Method)
		}
		if len(next.bodies) == 0 {
			require.GreaterOrEqual(t, w.Code, 400)
		}
	})
}
