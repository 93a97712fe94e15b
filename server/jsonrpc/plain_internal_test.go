package jsonrpc

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// encode is the path that isPlain avoids. It returns the canonical encoding, and reports whether
// the body is strict JSON that is not nested too deep.
func encode(body string) (string, bool) {
	value := jsontext.Value(strings.Clone(body))
	err := value.Compact(
		jsontext.AllowDuplicateNames(false),
		jsontext.AllowInvalidUTF8(false),
		jsontext.PreserveRawStrings(false),
	)
	return string(value), err == nil && depth(value) <= MaxDepth
}

// plainTexts are messages as SDKs write them, and other objects that are canonical.
var plainTexts = []string{
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"}}}`,
	`{"jsonrpc":"2.0","id":"a","result":{"content":[{"text":"a \"quoted\" line\nand\ta\\b\b\f\r"}],"isError":false}}`,
	`{"method":"x","params":{"_meta":{"progressToken":0},"n":[-0,0.5,1e2,1.25E-3,12345678901234567890]}}`,
	`{"words":[true,false,null,[],{}]}`,
	"{\"ä\":\"Zoë 😀\",\"a\":\"\u2028\x7f\"}", // the separator itself, not its escape
	`{}`,
}

func nested(objects int) string {
	return strings.Repeat(`{"a":`, objects) + `{}` + strings.Repeat(`}`, objects)
}

func TestIsPlainAcceptsUsualMessages(t *testing.T) {
	t.Parallel()
	for _, text := range append(plainTexts, nested(plainDepth-1)) {
		assert.True(t, isPlain([]byte(text)), text)
		encoded, strict := encode(text)
		assert.True(t, strict)
		assert.Equal(t, text, encoded)
	}
}

func TestIsPlainRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text string }{
		{"empty text", ""},
		{"array", `[]`},
		{"blank", `{"a": 1}`},
		{"blank at the end", `{} `},
		{"two texts", `{}{}`},
		{"open object", `{"a":1`},
		{"no value", `{"a":}`},
		{"no name", `{:1}`},
		{"comma at the end", `{"a":1,}`},
		{"comma too many", `{"a":[1,]}`},
		{"name twice", `{"a":1,"b":2,"a":3}`},
		{"name twice inside", `{"a":[{"b":1,"b":1}]}`},
		{"escape in a name", `{"\n":1}`},
		{"another spelling", `{"a":"\u0061"}`},
		{"solidus", `{"a":"\/"}`},
		{"control character", "{\"a\":\"\x1f\"}"},
		{"invalid UTF-8", "{\"a\":\"\xff\"}"},
		{"half a surrogate", "{\"a\":\"\xed\xa0\x80\"}"},
		{"escape at the end", `{"a":"\`},
		{"leading zero", `{"a":01}`},
		{"plus", `{"a":+1}`},
		{"dot at the end", `{"a":1.}`},
		{"no exponent", `{"a":1e}`},
		{"minus", `{"a":-}`},
		{"half a word", `{"a":tru}`},
		{"word in capitals", `{"a":True}`},
		{"NaN", `{"a":NaN}`},
		{"too deep", nested(plainDepth)},
		{"too many names", `{"` + strings.Join(strings.Split("abcdefghijklmnopq", ""), `":1,"`) + `":1}`},
	} {
		assert.False(t, isPlain([]byte(test.text)), test.name)
	}
}

// FuzzPlain checks that encoding changes no byte of a text that isPlain accepts.
func FuzzPlain(f *testing.F) {
	for _, text := range plainTexts {
		f.Add(text)
	}
	for _, text := range []string{
		`{"a":1,"a":1}`,
		`{"a":"\/"}`,
		"{\"a\":\"\x7f\"}",
		"{\"a\":\"\xed\xa0\x80\"}",
		`{"a":-0.0e+00}`,
		`{"a":[[[[]]]]}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, text := range []string{text, spelled(text)} {
			if !isPlain([]byte(text)) {
				continue
			}
			encoded, strict := encode(text)
			require.True(t, strict, text)
			require.Equal(t, text, encoded)
		}
	})
}

// spelled makes a text from pieces of JSON: each byte names one. The result is valid JSON more
// often than random bytes.
func spelled(bytes string) string {
	pieces := []string{
		`{`, `}`, `[`, `]`, `,`, `:`, `{"a":`, `,"b":`, `"a"`, `"\n"`, `"\/"`, `"\u00e9"`, `"é"`, "\"\xff\"", `0`, `-`,
		`1.5`, `e9`, `true`, `null`, ` `,
	}
	var text strings.Builder
	for i := range len(bytes) {
		text.WriteString(pieces[int(bytes[i])%len(pieces)])
	}
	return text.String()
}
