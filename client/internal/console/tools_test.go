package console_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/internal/console"
)

func TestCallListsToolsFirst(t *testing.T) {
	t.Parallel()
	session, answers := scripted(t, map[string]string{
		"tools/list": `{"tools":[{"name":"ping","inputSchema":{"type":"object"}}]}`,
		"tools/call": `{"content":[{"type":"text","text":"request PAGE"}]}`,
	})
	for _, want := range []string{"request 2", "request 3"} {
		text, err := session.Call(t.Context(), "ping", "")
		require.NoError(t, err)
		assert.Equal(t, want, text, "the list is requested once")
	}
	_, err := session.Call(t.Context(), "pong", "")
	var missing *console.NoToolError
	require.ErrorAs(t, err, &missing)
	assert.Equal(t, "ping", missing.Nearest)
	assert.EqualValues(t, 4, answers.Load(), "a tool may be new, so the list is requested again")
}

func TestCallSuggestsTool(t *testing.T) {
	t.Parallel()
	session := connected(t, "")
	for name, want := range map[string]string{
		"ehco":       "did you mean echo?",
		"ec":         "did you mean echo?",
		"ai":         "did you mean fail?",
		"frobnicate": "list shows its tools",
		"\x1b[2J":    "list shows its tools",
	} {
		var out bytes.Buffer
		err := console.Call(t.Context(), session, name, "", &out)
		require.ErrorContains(t, err, want, name)
		assertTame(t, err.Error())
	}
}

func TestCallRefusesOtherJSON(t *testing.T) {
	t.Parallel()
	session := connected(t, "")
	for _, text := range []string{`[1]`, `"x"`, `null`, `{`, `{"a":1} {}`, `{"a":1}x`, `name`, `=value`, "{\"\x1b\""} {
		var out bytes.Buffer
		err := console.Call(t.Context(), session, "echo", text, &out)
		var wrong *console.ArgumentsError
		require.ErrorAs(t, err, &wrong, text)
		assert.Contains(t, err.Error(), `such as {"name": "value"}`)
		assertTame(t, err.Error())
		assert.Empty(t, out.String())
	}
	object, err := console.ReadArguments("")
	require.NoError(t, err)
	assert.Nil(t, object)
}

func TestToolsEndsEndlessLists(t *testing.T) {
	t.Parallel()
	small := `{"name":"x","inputSchema":{"type":"object"}}`
	large := `{"name":"x","inputSchema":{"type":"object"},"description":"` + strings.Repeat("x", 8<<20) + `"}`
	for _, c := range []struct{ name, tools, says string }{
		{"of pages", ``, "more than 100 pages"},
		{"of tools", strings.Repeat(small+",", 999) + small, "more than 10000 tools or 64 MiB"},
		{"of large tools", large, "more than 10000 tools or 64 MiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			page := `{"tools":[` + c.tools + `],"nextCursor":"PAGE"}`
			session, answers := scripted(t, map[string]string{"tools/list": page})
			_, err := session.Tools(t.Context())
			require.ErrorContains(t, err, c.says)
			assert.LessOrEqual(t, answers.Load(), int64(100))
		})
	}
}
