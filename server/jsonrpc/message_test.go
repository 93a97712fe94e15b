package jsonrpc_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/jsonrpc"
)

const ping = `{"jsonrpc":"2.0","id":1,"method":"ping"}`

func decode(body string) (jsonrpc.Message, []*jsonrpc.Message, *jsonrpc.Error) {
	var single jsonrpc.Message
	batch, refused := jsonrpc.Decode([]byte(body), &single)
	return single, batch, refused
}

func TestDecodeEncodesCanonically(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, body, want string }{
		{"blanks", " { \"jsonrpc\" : \"2.0\",\n\"id\":1, \"method\":\"ping\" } ", ping},
		{"escapes", `{"jsonrpc":"2.0","id":1,"\u006dethod":"p\u0069ng"}`, ping},
		{
			"numbers keep their spelling",
			`{"jsonrpc":"2.0","id":1,"method":"x","params":{"arguments": {"a":1e2,"b":12345678901234567890}}}`,
			`{"jsonrpc":"2.0","id":1,"method":"x","params":{"arguments":{"a":1e2,"b":12345678901234567890}}}`,
		},
		{
			"notification",
			`{"jsonrpc":"2.0", "method":"notifications/initialized"}`,
			`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		},
		{
			"response",
			`{"jsonrpc":"2.0", "id":"a","result":{}}`,
			`{"jsonrpc":"2.0","id":"a","result":{}}`,
		},
		{
			"arguments that differ by case",
			`{"jsonrpc":"2.0","id":1,"method":"x","params":{"arguments":{"a":1,"A":2}}}`,
			`{"jsonrpc":"2.0","id":1,"method":"x","params":{"arguments":{"a":1,"A":2}}}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			message, batch, refused := decode(test.body)
			require.Nil(t, refused)
			assert.Nil(t, batch)
			assert.Equal(t, test.want, string(message.Encoded))
		})
	}
}

func TestDecodeTellsMessagesApart(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, body string
		method, id string
		isRequest  bool
	}{
		{"request", `{"jsonrpc":"2.0","id":7,"method":"a\"b"}`, `a"b`, "7", true},
		{"notification", `{"jsonrpc":"2.0","method":"n"}`, "n", "", false},
		{"response", `{"jsonrpc":"2.0","id":"x","result":{}}`, "", `"x"`, false},
		{"error without ID", `{"jsonrpc":"2.0","id":null,"error":{}}`, "", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			message, _, refused := decode(test.body)
			require.Nil(t, refused)
			assert.Equal(t, test.method, string(message.Method))
			assert.Equal(t, test.id, string(message.ID))
			assert.Equal(t, test.isRequest, message.IsRequest())
			assert.Equal(t, test.method != "", message.Is(test.method) && message.Method != nil)
		})
	}
}

// TestDecodeRefuses has the texts that two parsers could read differently, and those that are not
// messages of JSON-RPC 2.0.
func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	arrays := strings.Repeat("[", 63) + strings.Repeat("]", 63)
	const (
		parse   = jsonrpc.CodeParse
		invalid = jsonrpc.CodeInvalidRequest
	)
	for _, test := range []struct {
		name string
		code int
		body string
	}{
		{"empty", parse, ``},
		{"not JSON", parse, `hello`},
		{"two documents", parse, ping + ping},
		{"number", invalid, `1`},
		{"method twice", parse, `{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}`},
		{"method twice, once escaped", parse, `{"jsonrpc":"2.0","id":1,"method":"a","\u006dethod":"b"}`},
		{"params twice", parse, `{"jsonrpc":"2.0","id":1,"method":"x","params":{},"params":{}}`},
		{"name twice, deep inside", parse, `{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":{"b":{"c":1,"c":2}}}}`},
		{"NUL in a name", parse, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"a\x00\":1}"},
		{"invalid UTF-8", parse, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"a\":\"\xff\"}}"},
		{"lone surrogate", parse, `{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":"\ud800"}}`},
		{"nested too deep", parse, `{"jsonrpc":"2.0","id":1,"method":"x","params":{"arguments":` + arrays + `}}`},
		{"nested far too deep", parse, strings.Repeat("[", 200000)},
		{"method in two cases", invalid, `{"jsonrpc":"2.0","id":1,"method":"tools/list","Method":"tools/call"}`},
		{"method in another case", invalid, `{"jsonrpc":"2.0","id":1,"Method":"tools/call"}`},
		{"params in another case", invalid, `{"jsonrpc":"2.0","id":1,"method":"x","Params":{}}`},
		{"params with a long s", invalid, `{"jsonrpc":"2.0","id":1,"method":"x","paramſ":{}}`},
		{"tool name in two cases", invalid, `{"jsonrpc":"2.0","id":1,"method":"x","params":{"name":"a","Name":"b"}}`},
		{"arguments in another case", invalid, `{"jsonrpc":"2.0","id":1,"method":"x","params":{"Arguments":{}}}`},
		{"_meta with two cases", invalid, `{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{"a":1,"A":2}}}`},
		{"no version", invalid, `{"id":1,"method":"ping"}`},
		{"another version", invalid, `{"jsonrpc":"1.0","id":1,"method":"ping"}`},
		{"object as id", invalid, `{"jsonrpc":"2.0","id":{},"method":"ping"}`},
		{"null as id", invalid, `{"jsonrpc":"2.0","id":null,"method":"ping"}`},
		{"number as method", invalid, `{"jsonrpc":"2.0","id":1,"method":1}`},
		{"empty method", invalid, `{"jsonrpc":"2.0","id":1,"method":""}`},
		{"request and response", invalid, `{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}`},
		{"result and error", invalid, `{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}`},
		{"neither method nor result", invalid, `{"jsonrpc":"2.0","id":1}`},
		{"array as params", invalid, `{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, batch, refused := decode(test.body)
			require.NotNil(t, refused)
			assert.Nil(t, batch)
			assert.Equal(t, test.code, refused.Code, refused.Message)
		})
	}
}

func TestDecodeNamesTheRequest(t *testing.T) {
	t.Parallel()
	_, _, refused := decode(`{"jsonrpc":"2.0","id":"a7","method":"x","params":[]}`)
	require.NotNil(t, refused)
	assert.Equal(t, `"a7"`, string(refused.ID))
	assert.EqualError(t, refused, refused.Message)
}

func TestDecodeReadsBatch(t *testing.T) {
	t.Parallel()
	_, batch, refused := decode(`[` + ping + `, {"jsonrpc":"2.0","method":"n"}]`)
	require.Nil(t, refused)
	require.Len(t, batch, 2)
	assert.Equal(t, ping, string(batch[0].Encoded))
	assert.True(t, batch[1].Is("n"))
	assert.False(t, batch[1].IsRequest())
	_, batch, refused = decode(batchOf(jsonrpc.MaxBatch))
	require.Nil(t, refused)
	assert.Len(t, batch, jsonrpc.MaxBatch)
}

func batchOf(n int) string { return "[" + strings.Repeat(ping+",", n-1) + ping + "]" }

func TestDecodeRefusesBatch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, body string }{
		{"empty", "[]"},
		{"51 messages", batchOf(jsonrpc.MaxBatch + 1)},
		{"very many messages", batchOf(10000)},
		{"bad message at the end", `[` + ping + `,{"jsonrpc":"2.0","id":2,"method":"x","Method":"y"}]`},
		{"number", "[" + ping + ",1]"},
		{"batch in a batch", "[[" + ping + "]]"},
		{"initialize", `[{"jsonrpc":"2.0","id":1,"method":"initialize"}]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, batch, refused := decode(test.body)
			require.NotNil(t, refused)
			assert.Nil(t, batch)
			assert.Equal(t, jsonrpc.CodeInvalidRequest, refused.Code)
		})
	}
}

func TestReadResponse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, want string }{
		{"response", ` {"jsonrpc":"2.0", "id":"a","result":{}} `, `{"jsonrpc":"2.0","id":"a","result":{}}`},
		{"escaped ID", `{"jsonrpc":"2.0","id":"\u0061","error":{}}`, `{"jsonrpc":"2.0","id":"a","error":{}}`},
		{"another ID", `{"jsonrpc":"2.0","id":"b","result":{}}`, ""},
		{"request", `{"jsonrpc":"2.0","id":"a","method":"ping"}`, ""},
		{"not JSON", `oops`, ""},
		{"duplicate name", `{"jsonrpc":"2.0","id":"a","result":{},"result":{}}`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			response, found := jsonrpc.ReadResponse([]byte(test.text), jsontext.Value(`"a"`))
			assert.Equal(t, test.want != "", found)
			assert.Equal(t, test.want, string(response))
		})
	}
}

func TestErrorResponse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, want string
		err        jsonrpc.Error
	}{
		{
			name: "no ID",
			err:  jsonrpc.Error{Code: jsonrpc.CodeParse, Message: "m"},
			want: `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"m"}}`,
		},
		{
			name: "ID and data",
			err:  jsonrpc.Error{Code: 1, Message: "m", ID: jsontext.Value(`"a"`), Data: []int{2}},
			want: `{"jsonrpc":"2.0","id":"a","error":{"code":1,"message":"m","data":[2]}}`,
		},
		{
			name: "data that cannot be encoded",
			err:  jsonrpc.Error{Data: func() {}},
			want: `{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"internal error"}}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, string(test.err.Response()))
		})
	}
}

// FuzzDecode checks that what Decode accepts is strict JSON, and that a parser that ignores case
// finds the same method as one that does not.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		ping,
		"[" + ping + "]",
		`{"jsonrpc":"2.0","id":1,"method":"x","params":{"name":"x","arguments":{"a":[1,2]},"_meta":{"p":1}}}`,
		`{"Method":"x"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		single, messages, refused := decode(body)
		if refused != nil {
			return
		}
		if messages == nil {
			messages = []*jsonrpc.Message{&single}
		}
		for _, message := range messages {
			var lax struct {
				Version string `json:"jsonrpc"`
				Method  string `json:"method"`
			}
			require.NoError(t, json.Unmarshal(message.Encoded, &lax))
			require.Equal(t, "2.0", lax.Version)
			var exact map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(message.Encoded, &exact))
			var method string
			if raw, found := exact["method"]; found {
				require.NoError(t, json.Unmarshal(raw, &method))
			}
			require.Equal(t, method, lax.Method)
			require.Equal(t, method, string(message.Method))
		}
	})
}
