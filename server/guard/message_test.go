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

// TestMessageIsPassedOnCanonically has a message that is not canonical. Package jsonrpc tests the
// encoding.
func TestMessageIsPassedOnCanonically(t *testing.T) {
	t.Parallel()
	body := " { \"jsonrpc\" : \"2.0\",\n\"id\":1, \"\\u006dethod\":\"ping\" } "
	w, next := serve(t, baseConfig(), request(http.MethodPost, body))
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	assert.Equal(t, []string{ping}, next.bodies)
	assert.EqualValues(t, len(ping), next.requests[0].ContentLength)
}

// TestAmbiguousMessageIsRefused has messages that two parsers could read differently. Package
// jsonrpc tests them all.
func TestAmbiguousMessageIsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, body, want string }{
		{
			"not JSON",
			"hello",
			`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,` +
				`"message":"the body is not strict JSON: duplicate names and invalid UTF-8 are refused"}}`,
		},
		{
			"method in two cases",
			`{"jsonrpc":"2.0","id":1,"method":"tools/list","Method":"tools/call"}`,
			`{"jsonrpc":"2.0","id":null,"error":{"code":-32600,` +
				`"message":"the message is not a JSON-RPC object, ` +
				`or has a name that differs from another only by case"}}`,
		},
		{
			"tool name in two cases",
			`{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"a","Name":"b"}}`,
			`{"jsonrpc":"2.0","id":"a","error":{"code":-32600,` +
				`"message":"params is not an object, or has a name that differs from another only by case"}}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w, next := serve(t, baseConfig(), request(http.MethodPost, test.body))
			assert.Equal(t, http.StatusBadRequest, w.Code)
			assert.Equal(t, test.want+"\n", w.Body.String())
			assert.Empty(t, next.requests)
		})
	}
}

func TestRepeatedHeaderIsRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Content-Type", "Mcp-Protocol-Version", "Mcp-Method", "Mcp-Name", "Mcp-Session-Id"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := request(http.MethodPost, ping)
			r.Header[name] = []string{"application/json", "application/json"}
			w, next := serve(t, baseConfig(), r)
			assert.Equal(t, http.StatusBadRequest, w.Code)
			assert.Empty(t, next.requests)
		})
	}
}

func TestOtherMediaTypeIsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, header, value string }{
		{"text", "Content-Type", "text/plain"},
		{"form", "Content-Type", "application/x-www-form-urlencoded"},
		{"empty", "Content-Type", ""},
		{"compressed", "Content-Encoding", "gzip"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := request(http.MethodPost, ping)
			r.Header.Set(test.header, test.value)
			w, next := serve(t, baseConfig(), r)
			assert.Equal(t, http.StatusUnsupportedMediaType, w.Code)
			assert.Contains(t, w.Body.String(), `"error":"invalid_request"`)
			assert.Empty(t, next.requests)
		})
	}
}

// TestCharsetReachesNoHandler: a handler that decodes by the charset would read another message
// than the guard.
func TestCharsetReachesNoHandler(t *testing.T) {
	t.Parallel()
	for _, written := range []string{
		"application/json; charset=utf-8",
		"application/json;charset=utf-7",
		"application/json; charset=\"UTF-16\"",
		"application/json; charset*=utf-7''x",
		"Application/JSON",
		"application/json; boundary=x",
	} {
		r := request(http.MethodPost, ping)
		r.Header.Set("Content-Type", written)
		r.Header.Set("Content-Encoding", "identity")
		w, next := serve(t, baseConfig(), r)
		assert.Equal(t, http.StatusOK, w.Code, written)
		assert.Equal(t, []string{"application/json"}, next.requests[0].Header["Content-Type"], written)
		assert.NotContains(t, next.requests[0].Header, "Content-Encoding")
	}
}

// answering answers in the way that the message's method names.
func answering(w http.ResponseWriter, body string) {
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
		const response = "event: message\r\ndata: {\"jsonrpc\":\"2.0\",\r\n" +
			"data: \"id\":%s,\"result\":{\"streamed\":true}}\r\n\r\n"
		_, _ = fmt.Fprintf(w, response, m.ID)
	case m.Method == "refused":
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"unknown method"}}`, m.ID)
	case m.Method == "broken":
		http.Error(w, "oops", http.StatusInternalServerError)
	case m.Method == "endless":
		_, _ = io.WriteString(w, strings.Repeat(" ", 5<<20))
	case m.Method == "another":
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":"of another request","result":{}}`)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": m.ID, "result": map[string]any{}})
	}
}

// serveBatch sends a batch of a revision, which may be "", to a handler that answers.
func serveBatch(t *testing.T, version, body string) (*httptest.ResponseRecorder, *recorder) {
	t.Helper()
	next := &recorder{}
	next.answer = func(w http.ResponseWriter, _ *http.Request) { answering(w, next.bodies[len(next.bodies)-1]) }
	r := request(http.MethodPost, body)
	if version != "" {
		r.Header.Set("Mcp-Protocol-Version", version)
	}
	w := httptest.NewRecorder()
	newGuard(t, baseConfig(), next).ServeHTTP(w, r)
	return w, next
}

func TestBatchIsSplitAndJoined(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"", "2025-03-26"} {
		t.Run("version "+version, func(t *testing.T) {
			t.Parallel()
			batch := "[" + strings.Join([]string{
				rpc("1", "ping"),
				rpc("", "notifications/x"),
				rpc(`"a<b"`, "stream"),
				rpc("3", "refused"),
				rpc("4", "broken"),
				rpc("5", "endless"),
				rpc("6", "another"),
			}, ",") + "]"
			w, next := serveBatch(t, version, batch)
			require.Equal(t, http.StatusOK, w.Code)
			require.Len(t, next.bodies, 7, "one request for each message")
			assert.JSONEq(t, `[
				{"jsonrpc":"2.0","id":1,"result":{}},
				{"jsonrpc":"2.0","id":"a<b","result":{"streamed":true}},
				{"jsonrpc":"2.0","id":3,"error":{"code":-32601,"message":"unknown method"}},
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

func TestBatchAnswersEachMessage(t *testing.T) {
	t.Parallel()
	r := request(http.MethodPost, "["+rpc("1", "broken")+","+rpc("2", "ping")+"]")
	r.Header.Set("Accept-Encoding", "gzip")
	var encodings []string
	g := newGuard(t, baseConfig(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		encodings = append(encodings, r.Header["Accept-Encoding"]...)
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "broken") {
			_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{}}`)
			panic(http.ErrAbortHandler) // like a proxy whose upstream cuts its answer off
		}
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":2,"result":{}}`)
	}))
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	assert.Empty(t, encodings, "the guard reads no compressed answers")
	assert.JSONEq(t, `[{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"the message was not answered"}},
		{"jsonrpc":"2.0","id":2,"result":{}}]`, w.Body.String())
}

func TestBatchReadsEventStreams(t *testing.T) {
	t.Parallel()
	for _, stream := range []string{
		"data: {\"jsonrpc\":\"2.0\",\ndata: \"id\":1,\"result\":{}}\n\n",
		"\ufeffdata: ANSWER\n\n",
		"data:ANSWER\r\n\r\n",
		"id: 1\rdata\r\r: note\rdata: ANSWER\r\r",
		"data: {\"jsonrpc\":\"2.0\",\"method\":\"n\"}\r\rdata: ANSWER\r\r",
		"data: ANSWER",
	} {
		g := newGuard(t, baseConfig(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, strings.ReplaceAll(stream, "ANSWER", `{"jsonrpc":"2.0","id":1,"result":{}}`))
		}))
		w := httptest.NewRecorder()
		g.ServeHTTP(w, request(http.MethodPost, "["+ping+"]"))
		assert.JSONEq(t, `[{"jsonrpc":"2.0","id":1,"result":{}}]`, w.Body.String(), "%q", stream)
	}
}

func TestBatchOfNotificationsIsAccepted(t *testing.T) {
	t.Parallel()
	w, next := serveBatch(t, "", "["+rpc("", "notifications/a")+","+rpc("", "notifications/b")+"]")
	assert.Equal(t, http.StatusAccepted, w.Code)
	assert.Empty(t, w.Body.String())
	assert.Len(t, next.bodies, 2)
}

func TestBatchIsCheckedBeforeItRuns(t *testing.T) {
	t.Parallel()
	many := func(n int) string { return "[" + strings.Repeat(rpc("1", "ping")+",", n-1) + rpc("1", "ping") + "]" }
	w, _ := serveBatch(t, "", many(50))
	assert.Equal(t, http.StatusOK, w.Code)
	for _, test := range []struct{ name, version, body string }{
		{"of a revision without batches", "2025-06-18", many(2)},
		{"of the one after", "2025-11-25", many(2)},
		{"of the latest", "2026-07-28", many(2)},
		{"empty", "", "[]"},
		{"of 51 messages", "", many(51)},
		{
			"with a bad message at the end",
			"",
			"[" + rpc("1", "ping") + `,{"jsonrpc":"2.0","id":2,"method":"x","Method":"y"}]`,
		},
		{"with initialize", "", "[" + rpc("1", "initialize") + "]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w, next := serveBatch(t, test.version, test.body)
			assert.Equal(t, http.StatusBadRequest, w.Code)
			assert.Empty(t, next.requests)
			assert.Contains(t, w.Body.String(), `"jsonrpc":"2.0"`)
		})
	}
}
