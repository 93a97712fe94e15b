package console_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/internal/console"
)

const plans = `{
	"type": "object",
	"properties": {
		"query": {"type": "string", "description": "What to look for.\nIn any language."},
		"limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 10},
		"ratio": {"type": "number"},
		"exact": {"type": "boolean"},
		"tags": {"type": "array", "items": {"type": "string"}},
		"sizes": {"type": "array", "items": {"type": "integer"}},
		"kind": {"enum": ["a", "b", 3]},
		"filter": {"$ref": "#/$defs/filter"},
		"owner": {"anyOf": [{"type": "string"}, {"type": "null"}]},
		"id": {"type": ["integer", "string"]},
		"any": {}
	},
	"required": ["query"],
	"$defs": {"filter": {"type": "object", "required": ["from"], "properties": {
		"from": {"type": "string", "format": "date"},
		"inner": {"$ref": "#/$defs/filter"}
	}}}
}`

func TestListShowsParameters(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, console.List(t.Context(), withTool(t, plans), &out))
	assert.Equal(t, `1. search
   Searches
   plans.
   takes: query (string, required), limit (integer), ratio (number), exact (boolean), tags (list of string), `+
		`sizes (list of integer), kind (one of "a", "b", 3), filter (object), owner (string or null), `+
		`id (integer or string), any (anything)
`, out.String())
}

func TestDescribeShowsSchema(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	session := withTool(t, plans)
	require.NoError(t, console.Describe(t.Context(), session, "search", &out))
	for _, want := range []string{
		"search\n   Searches\n   plans.\n",
		"   query: string, required\n      What to look for.\n      In any language.\n",
		"   limit: integer, at least 1, at most 100, default 10\n",
		"   filter: object\n      from: string, required, format \"date\"\n      inner: object\n",
		"Type: call search query=…\n",
	} {
		assert.Contains(t, out.String(), want)
	}
	require.ErrorContains(t, console.Describe(t.Context(), session, "saerch", &out), "did you mean search?")
	assert.Contains(t, prompt(t, session, "describe search"), "query: string, required")
	assert.Contains(t, prompt(t, session, "describe"), "describe needs the name of a tool")
}

// generated is a schema in the style of generators of other languages.
const generated = `{
	"type": "object",
	"properties": {
		"kind": {"$ref": "#/$defs/kind", "description": "Which one.", "default": "1"},
		"old": {"allOf": [{"$ref": "#/$defs/kind"}], "title": "Old way"},
		"page": {"anyOf": [{"$ref": "#/$defs/page"}, {"type": "null"}], "default": null},
		"level": {"enum": ["1", 2]},
		"fixed": {"const": "7"}
	},
	"required": ["kind", "elsewhere"],
	"$defs": {
		"kind": {"type": "string", "description": "Not this.", "enum": ["1", "2"]},
		"page": {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}
	}
}`

func TestSchemaOfGenerators(t *testing.T) {
	t.Parallel()
	session := withTool(t, generated)
	var out bytes.Buffer
	require.NoError(t, console.Describe(t.Context(), session, "search", &out))
	assert.Equal(t, `search
   Searches
   plans.
   kind: one of "1", "2", required, default "1"
      Which one.
   old: one of "1", "2"
      Not this.
   page: object or null, default null
      number: integer, required
   level: one of "1", 2
   fixed: always "7"
   elsewhere: anything, required
Type: call search kind=… elsewhere=…
`, out.String())
	for typed, want := range map[string]string{
		`kind=1 elsewhere=2 level=1 fixed=7`:       `{"kind":"1","elsewhere":2,"level":"1","fixed":"7"}`,
		`kind=1 elsewhere=x old=2 level=2`:         `{"kind":"1","elsewhere":"x","old":"2","level":2}`,
		`kind=1 elsewhere=true page={"number": 4}`: `{"kind":"1","elsewhere":true,"page":{"number":4}}`,
		"\tkind=1\telsewhere=null\tpage=null":      `{"kind":"1","elsewhere":null,"page":null}`,
	} {
		out.Reset()
		require.NoError(t, console.Call(t.Context(), session, "search", typed, &out), typed)
		assert.JSONEq(t, want, out.String(), typed)
	}
	assert.Contains(t, prompt(t, session, "call\tsearch kind=1\telsewhere=2"), `"elsewhere":2`)
	err := console.Call(t.Context(), session, "search", "kind=1", &out)
	require.ErrorContains(t, err, "search needs elsewhere (anything)")
}

func TestWordsBecomeTypedArguments(t *testing.T) {
	t.Parallel()
	session := withTool(t, plans)
	for typed, want := range map[string]string{
		`query=5`:                                  `{"query":"5"}`,
		`query="a b" limit=5`:                      `{"query":"a b","limit":5}`,
		`query='{"a":1}'`:                          `{"query":"{\"a\":1}"}`,
		`query=a=b`:                                `{"query":"a=b"}`,
		`query=`:                                   `{"query":""}`,
		`query=x ratio=-1.50 exact=true`:           `{"query":"x","ratio":-1.50,"exact":true}`,
		`query=x tags=a tags=2`:                    `{"query":"x","tags":["a","2"]}`,
		`query=x tags='["a b","c"]'`:               `{"query":"x","tags":["a b","c"]}`,
		`query=x sizes=1 sizes=2`:                  `{"query":"x","sizes":[1,2]}`,
		`query=x filter={\"from\":\"2026-01-01\"}`: `{"query":"x","filter":{"from":"2026-01-01"}}`,
		`query=x filter={"from": "2026 01"} tags=["a b"]`: `{"query":"x","filter":{"from":"2026 01"},"tags":["a b"]}`,
		`query={"a"`:                      `{"query":"{a"}`,
		`query=x owner=null`:              `{"query":"x","owner":null}`,
		`query=x owner=adele`:             `{"query":"x","owner":"adele"}`,
		`query=x id=12345678901234567890`: `{"query":"x","id":12345678901234567890}`,
		`query=x id=12a`:                  `{"query":"x","id":"12a"}`,
		`query=x any=[1] kind=3`:          `{"query":"x","any":[1],"kind":3}`,
		`query=x kind=a`:                  `{"query":"x","kind":"a"}`,
		`{"limit": "the server judges this", "other": 1}`: `{"limit":"the server judges this","other":1}`,
	} {
		var out bytes.Buffer
		require.NoError(t, console.Call(t.Context(), session, "search", typed, &out), typed)
		assert.JSONEq(t, want, out.String(), typed)
	}
	for typed, says := range map[string]string{
		``:                   "search needs query (string): type call search query=…",
		`limit=5`:            "search needs query (string)",
		`query=x limit=ten`:  `limit: want integer, got "ten"`,
		`query=x limit=1.5`:  `limit: want integer, got "1.5"`,
		`query=x limit=1e1`:  `limit: want integer, got "1e1"`,
		`query=x exact=yes`:  `exact: want boolean, got "yes"`,
		`query=x sizes=a`:    `sizes: want list of integer, got the item "a"`,
		`query=x filter=x`:   `filter: want object, got "x"`,
		`query=x query=y`:    "query is given twice",
		`qeury=x`:            `search takes no parameter "qeury"; did you mean query?`,
		`query=x colour=red`: `search takes no parameter "colour"; it takes query (string, required), limit`,
		`query=x limit`:      "name=value words, or a JSON object",
		`query="x`:           "a quote or backslash without an end",
	} {
		var out bytes.Buffer
		require.ErrorContains(t, console.Call(t.Context(), session, "search", typed, &out), says, typed)
		assert.Empty(t, out.String())
	}
}

func TestSchemaOfHostileServer(t *testing.T) {
	t.Parallel()
	many := func(n int, template string) string {
		var all []string
		for i := range n {
			all = append(all, strings.ReplaceAll(template, "N", fmt.Sprint(i)))
		}
		return strings.Join(all, ",")
	}
	const bad = `nice\u001b[2J\u0007 \u202etxt.exe\u009b31m\r\nline`
	object := func(properties, rest string) string {
		return `{"type":"object","properties":{` + properties + `}` + rest + `}`
	}
	word := `"` + bad + `"`
	tree := `{"anyOf":[` + many(30, `{"type":"array","items":{"$ref":"#/$defs/a"}}`) + `],` +
		`"properties":{` + many(60, `"pN":{"$ref":"#/$defs/a"}`) + `}}`
	for name, schema := range map[string]string{
		"terminal codes": object(
			word+`:{"type":`+word+`,"description":`+word+`,"default":`+word+`},"e":{"enum":[`+word+`]}`,
			`,"required":[`+word+`]`,
		),
		"a reference to itself":    object(`"a":{"$ref":"#/$defs/a"}`, `,"$defs":{"a":{"$ref":"#/$defs/a"}}`),
		"a tree without an end":    object(`"a":{"$ref":"#/$defs/a"}`, `,"$defs":{"a":`+tree+`}`),
		"a reference elsewhere":    object(`"a":{"$ref":"http://127.0.0.1:1/x"},"b":{"$ref":7}`, ``),
		"a huge enumeration":       object(`"a":{"enum":[`+many(10_000, `"value N"`)+`]}`, ``),
		"many parameters":          object(many(10_000, `"pN":{"type":"string"}`), ``),
		"many required ones":       object(many(10_000, `"pN":{}`), `,"required":[`+many(10_000, `"pN"`)+`]`),
		"a long text":              object(`"a":{"description":"`+strings.Repeat("x", 1<<20)+`"}`, ``),
		"a long name":              object(`"`+strings.Repeat("x", 1<<20)+`":{}`, ``),
		"many lines":               object(`"a":{"description":"`+strings.Repeat(`\n`, 1<<20)+`"}`, ``),
		"members of other types":   object(`"a":true,"b":[],"c":"x","d":{"type":[[1]],"enum":{},"anyOf":3}`, ``),
		"a schema of another type": object(`"a":null`, `,"required":["b"],"additionalProperties":"x"`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			session := withTool(t, schema)
			var out bytes.Buffer
			require.NoError(t, console.List(t.Context(), session, &out))
			require.NoError(t, console.Describe(t.Context(), session, "search", &out))
			assertTame(t, out.String())
			assert.Less(t, out.Len(), 100_000)
			assert.Less(t, strings.Count(out.String(), "\n"), 2_000)
			for _, typed := range []string{"a=1", "zzz=1"} {
				if err := console.Call(t.Context(), session, "search", typed, &out); err != nil {
					assertTame(t, err.Error())
					assert.Less(t, len(err.Error()), 10_000)
				}
			}
		})
	}
}
