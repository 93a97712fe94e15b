package guard

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// thorough is the long way: what a body is handed on as, and whether it is strict JSON that is not
// nested too deep.
func thorough(body string) (string, bool) {
	value := jsontext.Value(strings.Clone(body))
	strict := value.Compact(
		jsontext.AllowDuplicateNames(false),
		jsontext.AllowInvalidUTF8(false),
		jsontext.PreserveRawStrings(false),
	) == nil
	return string(value), strict && depth(value) <= maxDepth
}

// plainTexts are messages as SDKs write them, and what is no message and plain nevertheless.
var plainTexts = []string{
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"}}}`,
	`{"jsonrpc":"2.0","id":"a","result":{"content":[{"type":"text","text":"a \"quoted\" line\nand\ta\\b\b\f\r"}],"isError":false}}`,
	`{"method":"x","params":{"_meta":{"progressToken":0},"n":[-0,0.5,1e2,1.25E-3,12345678901234567890,true,false,null,[],{}]}}`,
	"{\"ä\":\"Zoë 😀\",\"a\":\"\u2028\x7f\"}", // the separator itself, not its escape
	`{}`,
}

func TestMostMessagesArePlain(t *testing.T) {
	t.Parallel()
	for _, text := range append(plainTexts, strings.Repeat(`{"a":`, plainDepth-1)+`{}`+strings.Repeat(`}`, plainDepth-1)) {
		assert.True(t, isPlain([]byte(text)), text)
		handedOn, fine := thorough(text)
		assert.True(t, fine)
		assert.Equal(t, text, handedOn)
	}
}

func TestWhatIsNotPlain(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":              "",
		"no object":            `[]`,
		"a blank":              `{"a": 1}`,
		"a blank at the end":   `{} `,
		"two texts":            `{}{}`,
		"not closed":           `{"a":1`,
		"no value":             `{"a":}`,
		"no name":              `{:1}`,
		"a comma at the end":   `{"a":1,}`,
		"a comma too many":     `{"a":[1,]}`,
		"a name twice":         `{"a":1,"b":2,"a":3}`,
		"a name twice inside":  `{"a":[{"b":1,"b":1}]}`,
		"an escape in a name":  `{"\n":1}`,
		"another spelling":     `{"a":"\u0061"}`,
		"a solidus":            `{"a":"\/"}`,
		"a control character":  "{\"a\":\"\x1f\"}",
		"no UTF-8":             "{\"a\":\"\xff\"}",
		"half a surrogate":     "{\"a\":\"\xed\xa0\x80\"}",
		"an escape at the end": `{"a":"\`,
		"a zero in front":      `{"a":01}`,
		"a plus":               `{"a":+1}`,
		"a dot at the end":     `{"a":1.}`,
		"no exponent":          `{"a":1e}`,
		"a minus":              `{"a":-}`,
		"half a word":          `{"a":tru}`,
		"a word in capitals":   `{"a":True}`,
		"NaN":                  `{"a":NaN}`,
		"too deep":             strings.Repeat(`{"a":`, plainDepth) + `{}` + strings.Repeat(`}`, plainDepth),
		"too many names":       `{"` + strings.Join(strings.Split("abcdefghijklmnopq", ""), `":1,"`) + `":1}`,
	} {
		assert.False(t, isPlain([]byte(text)), name)
	}
}

// FuzzPlain holds the short way to the long one: whatever is plain, the long way lets through, and
// changes no byte of it.
func FuzzPlain(f *testing.F) {
	for _, text := range plainTexts {
		f.Add(text)
	}
	for _, text := range []string{`{"a":1,"a":1}`, `{"a":"\/"}`, "{\"a\":\"\x7f\"}", "{\"a\":\"\xed\xa0\x80\"}", `{"a":-0.0e+00}`, `{"a":[[[[]]]]}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, text := range []string{text, spelled(text)} {
			if !isPlain([]byte(text)) {
				continue
			}
			handedOn, fine := thorough(text)
			require.True(t, fine, text)
			require.Equal(t, text, handedOn)
		}
	})
}

// spelled makes a text of pieces of JSON, which is valid more often than bytes are: each byte names
// one.
func spelled(bytes string) string {
	pieces := []string{
		`{`,
		`}`,
		`[`,
		`]`,
		`,`,
		`:`,
		`{"a":`,
		`,"b":`,
		`"a"`,
		`"\n"`,
		`"\/"`,
		`"\u00e9"`,
		`"é"`,
		"\"\xff\"",
		`0`,
		`-`,
		`1.5`,
		`e9`,
		`true`,
		`null`,
		` `,
	}
	var text strings.Builder
	for i := range len(bytes) {
		text.WriteString(pieces[int(bytes[i])%len(pieces)])
	}
	return text.String()
}
