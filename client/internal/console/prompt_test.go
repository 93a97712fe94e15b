package console_test

import (
	"bytes"
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/internal/console"
)

func TestPromptReturnsFirstError(t *testing.T) {
	t.Parallel()
	session := connected(t, "")
	var tool *console.ErrTool
	var usage *console.ArgumentsError
	for _, c := range []struct {
		name  string
		lines []string
		as    any
	}{
		{"a tool's error, and then quit", []string{"call fail", "call echo", "quit"}, &tool},
		{"a tool's error at the end", []string{"call echo", "call fail"}, &tool},
		{"the first of two", []string{"call fail", "call echo ["}, &tool},
		{"the first of two others", []string{"call echo [", "call fail"}, &usage},
	} {
		output, err := piped(t, session, c.lines...)
		var failed *console.CommandError
		require.ErrorAs(t, err, &failed, c.name)
		require.ErrorAs(t, err, c.as, c.name)
		assert.Contains(t, output, failed.Error(), c.name)
		if len(c.lines) == 3 {
			assert.Contains(t, output, "null", "the next commands run")
		}
	}
	_, err := piped(t, session, "frobnicate")
	require.Error(t, err)
	_, err = piped(t, session, "call echo", "", "help", "quit", "call fail")
	require.NoError(t, err)
}

func TestPromptRunsScript(t *testing.T) {
	t.Parallel()
	session := connected(t, "")
	for _, c := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"a call", []string{`call echo {"a": "b c"}`}, "{\"a\":\"b c\"}\n"},
		{"a call without arguments", []string{`  call   echo  `}, "null\n"},
		{"a call with words", []string{`call echo a=b "c=d e" n=12345678901234567890 x={"y":[1]}`},
			`{"a":"b","c":"d e","n":12345678901234567890,"x":{"y":[1]}}` + "\n"},
		{"a call of nothing", []string{"call"},
			"call needs the name of a tool: call <tool> [name=value]; list shows the tools\n"},
		{"a tool without call", []string{"echo", "echo a=b", "ehco"},
			"echo is a tool; to call it, type: call echo\n" +
				"echo is a tool; to call it, type: call echo a=b\n" +
				"there is no command \"ehco\"; did you mean the tool echo? Type: call echo\n"},
		{"no lines", nil, ""},
		{"blank lines", []string{"", "  ", "\t"}, ""},
		{"lines after quit", []string{"quit", "call echo"}, ""},
		{"a typing error", []string{"lsit", "cal echo", "hepl", "qiut"},
			"there is no command \"lsit\"; did you mean list?\n" +
				"there is no command \"cal\"; did you mean call?\n" +
				"there is no command \"hepl\"; did you mean help?\n" +
				"there is no command \"qiut\"; did you mean quit?\n"},
		{"an unknown command", []string{"frobnicate", "x"},
			"there is no command \"frobnicate\"; the commands are list, describe, call, help, quit\n" +
				"there is no command \"x\"; the commands are list, describe, call, help, quit\n"},
		{"an error between commands", []string{"call echo [", "call echo {}"},
			"want name=value words, or a JSON object such as {\"name\": \"value\"}; got [\n{}\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.want, prompt(t, session, c.lines...))
		})
	}
	assert.Contains(t, prompt(t, session, "help"), "call <tool> [name=value]")
	assert.Contains(t, prompt(t, session, "list"), "1. echo\n   Repeats its arguments.\n2. evil\n")
	assertTame(t, prompt(t, session, "\x1b[2J", "call \x1b[2J", "call evil", "call fail"))
}

func TestPromptEndsWithContext(t *testing.T) {
	t.Parallel()
	session := connected(t, "")
	in, typed, err := os.Pipe()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	err = console.Prompt(ctx, session, console.Streams{In: in, Out: &out, Err: &out})
	require.EqualError(t, err, "interrupted")
	require.NoError(t, typed.Close()) // ends the abandoned read
	t.Cleanup(func() { _ = in.Close() })
}
