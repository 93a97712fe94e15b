package console_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
	"mcpentra/client/internal/console"
)

const evil = "nice\x1b[2J\x07 \u202etxt.exe\u202c\x9b31m\r\nline"

// connected is a session with a server that has three tools: echo, fail and evil.
func connected(t *testing.T, revision string) *console.Session {
	tools := mcpserver.NewMCPServer("tools\x1b]0;title\x07", "1.0")
	tools.AddTool(mcp.NewTool("echo", mcp.WithDescription("Repeats its arguments.")),
		func(_ context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			text, err := json.Marshal(request.GetRawArguments())
			return mcp.NewToolResultText(string(text)), err
		})
	tools.AddTool(mcp.NewTool("fail"), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultError("it is broken" + evil), nil
	})
	tools.AddTool(mcp.NewTool("evil", mcp.WithDescription(evil)),
		func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{
				mcp.NewTextContent(
					evil,
				), mcp.NewImageContent("AAAA", "image/png"+evil), mcp.NewAudioContent("AAAA", "audio/wav"),
				mcp.NewEmbeddedResource(mcp.TextResourceContents{URI: "x:" + evil, Text: evil}),
			}}, nil
		})
	listening := httptest.NewServer(mcpserver.NewStreamableHTTPServer(tools, mcpserver.WithStateLess(true)))
	t.Cleanup(listening.Close)
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	under, err := client.New(client.Config{Server: listening.URL + "/mcp", Base: base})
	require.NoError(t, err)
	session, err := console.Connect(
		t.Context(),
		listening.URL+"/mcp",
		under,
		console.Options{Revision: revision, Version: "1.0"},
	)
	require.NoError(t, err)
	t.Cleanup(session.Close)
	return session
}

// assertTame fails for text that a terminal would act on.
func assertTame(t *testing.T, text string) {
	t.Helper()
	assert.NotRegexp(t, "[\x00-\x08\x0b-\x1f\x7f\u0080-\u009f\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069]", text)
}

func TestEveryRevisionIsSpoken(t *testing.T) {
	t.Parallel()
	for _, revision := range console.Revisions() {
		t.Run(revision, func(t *testing.T) {
			t.Parallel()
			session := connected(t, revision)
			assert.Equal(t, revision, session.Revision)
			var out bytes.Buffer
			require.NoError(t, console.Call(t.Context(), session, "echo", `{"n":12345678901234567890,"s":"x"}`, &out))
			assert.JSONEq(t, `{"n":12345678901234567890,"s":"x"}`, out.String())
			assert.Contains(t, out.String(), "12345678901234567890", "a number arrives as it was typed")
		})
	}
}

func TestTextOfAServerDoesNothingToTheTerminal(t *testing.T) {
	t.Parallel()
	session := connected(t, "")
	assertTame(t, session.Name)
	var out bytes.Buffer
	require.NoError(t, console.List(t.Context(), session, &out))
	require.NoError(t, console.Call(t.Context(), session, "evil", "", &out))
	err := console.Call(t.Context(), session, "fail", "", &out)
	var failed *console.ErrTool
	require.ErrorAs(t, err, &failed)
	assert.Contains(t, failed.Text, "it is broken")
	assertTame(t, failed.Text)
	assertTame(t, out.String())
	assert.Contains(t, out.String(), `nice\u001b[2J\u0007 \u202etxt.exe`)
	assert.Contains(t, out.String(), "[image, ")

	var steps bytes.Buffer
	told := console.NewSteps(&steps, false)
	for _, event := range []client.Event{
		client.Challenged{Method: "GET", URL: evil, Challenge: evil}, client.ResourceFound{Location: evil, Resource: evil, AuthorizationServers: []string{evil}},
		client.IssuerFound{Location: evil, Issuer: evil, AuthorizationEndpoint: evil, TokenEndpoint: evil},
		client.Registered{ClientID: evil, AuthMethod: evil}, client.PageReady{URL: evil}, client.Answered{Issuer: evil},
		client.Issued{Scopes: []string{evil}},
	} {
		told.Trace(event)
	}
	told.Connected(session)
	assertTame(t, steps.String())
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain, Grüße, 你好, 🙂\n\tx": "plain, Grüße, 你好, 🙂\n\tx",
		"\x1b[31m":                 `\u001b[31m`,
		"a\rb\bc\x00":              `a\u000db\u0008c\u0000`,
		"\u009b2J":                 `\u009b2J`,
		"\u202egpj.exe":            `\u202egpj.exe`,
		"\u200b\ufeff\u2028":       `\u200b\ufeff\u2028`,
		"\xff":                     "\ufffd",
	} {
		got := console.Printable(text)
		assertTame(t, got)
		if text != "\xff" {
			assert.Equal(t, want, got)
		}
	}
}

func TestStepsAreNumberedAndPlain(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	steps := console.NewSteps(&out, true)
	steps.Trace(client.Challenged{Method: "POST", URL: "http://localhost:8000/mcp", Status: 401})
	steps.Trace(client.ResourceFound{})
	steps.Trace(
		client.IssuerFound{
			AuthorizationEndpoint: "http://localhost:8000/authorize",
			TokenEndpoint:         "http://localhost:8000/token",
		},
	)
	steps.Trace(client.Registered{ClientID: "f5a3", AuthMethod: "none", Preregistered: true})
	steps.Trace(
		client.PageReady{URL: "http://localhost:8000/authorize?x=y", RedirectURI: "http://localhost:3000/callback"},
	)
	steps.Trace(client.Answered{})
	steps.Trace(client.Issued{Scopes: []string{"a", "b"}, Lifetime: 10 * time.Minute, Renewable: true})
	steps.Trace(client.Issued{Refreshed: true})
	assert.Equal(t, ` 1. POST http://localhost:8000/mcp
    answer: 401
    WWW-Authenticate: (none)
 2. No protected resource metadata: the server is taken for one of MCP 2025-03-26, its own authorization server
 3. No authorization server metadata: the default paths of MCP 2025-03-26 are used
    authorization: http://localhost:8000/authorize
    token: http://localhost:8000/token
 4. Known to the authorization server beforehand
    client ID: f5a3
    authentication: none
 5. Open this page to sign in and approve
    http://localhost:8000/authorize?x=y
    waiting for the answer at http://localhost:3000/callback
 6. The answer has arrived: its state is right, and it does not say who it is from
 7. Got an access token
    type: Bearer, scopes: a b, good for 10m0s, with a refresh token
 8. Got a new access token with the refresh token
    type: Bearer, scopes: (none)
`, out.String())
}

func TestArgumentsThatAreNoObject(t *testing.T) {
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

// prompt pipes lines into a prompt, and returns all that it says.
func prompt(t *testing.T, session *console.Session, lines ...string) string {
	said, _ := piped(t, session, lines...)
	return said
}

// piped returns the error of the prompt as well.
func piped(t *testing.T, session *console.Session, lines ...string) (string, error) {
	in, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	defer in.Close()
	_, err = in.WriteString(strings.Join(lines, "\n"))
	require.NoError(t, err)
	_, err = in.Seek(0, 0)
	require.NoError(t, err)
	var out bytes.Buffer
	err = console.Prompt(t.Context(), session, console.Streams{In: in, Out: &out, Err: &out})
	return out.String(), err
}

func TestPipedCommandsThatFail(t *testing.T) {
	t.Parallel()
	session := connected(t, "")
	var tool *console.ErrTool
	var usage *console.ArgumentsError
	for name, c := range map[string]struct {
		lines []string
		as    any
	}{
		"a tool's error, and then quit": {[]string{"call fail", "call echo", "quit"}, &tool},
		"a tool's error at the end":     {[]string{"call echo", "call fail"}, &tool},
		"the first of two":              {[]string{"call fail", "call echo ["}, &tool},
		"the first of two others":       {[]string{"call echo [", "call fail"}, &usage},
	} {
		said, err := piped(t, session, c.lines...)
		var failed *console.CommandError
		require.ErrorAs(t, err, &failed, name)
		require.ErrorAs(t, err, c.as, name)
		assert.Contains(t, said, failed.Error(), name)
		if len(c.lines) == 3 {
			assert.Contains(t, said, "null", "the next commands run")
		}
	}
	_, err := piped(t, session, "frobnicate")
	require.Error(t, err)
	_, err = piped(t, session, "call echo", "", "help", "quit", "call fail")
	require.NoError(t, err)
}

func TestPromptOfAScript(t *testing.T) {
	t.Parallel()
	session := connected(t, "")
	for name, c := range map[string]struct {
		lines []string
		want  string
	}{
		"a call":                    {[]string{`call echo {"a": "b c"}`}, "{\"a\":\"b c\"}\n"},
		"a call without arguments":  {[]string{`  call   echo  `}, "null\n"},
		"nothing":                   {nil, ""},
		"blank lines":               {[]string{"", "  ", "\t"}, ""},
		"whatever comes after quit": {[]string{"quit", "call echo"}, ""},
		"a call of nothing": {
			[]string{"call"}, "call needs the name of a tool: call <tool> [name=value]; list shows the tools\n",
		},
		"a tool without call": {
			[]string{"echo", "echo a=b", "ehco"}, "echo is a tool; to call it, type: call echo\n" +
				"echo is a tool; to call it, type: call echo a=b\n" +
				"there is no command \"ehco\"; did you mean the tool echo? Type: call echo\n",
		},
		"words": {[]string{`call echo a=b "c=d e" n=12345678901234567890 x={"y":[1]}`}, `{"a":"b","c":"d e",` +
			`"n":12345678901234567890,"x":{"y":[1]}}` + "\n"},
		"a typing error": {[]string{"lsit", "cal echo", "hepl", "qiut"}, `there is no command "lsit"; did you mean list?
there is no command "cal"; did you mean call?
there is no command "hepl"; did you mean help?
there is no command "qiut"; did you mean quit?
`},
		"something else": {[]string{"frobnicate", "x"},
			`there is no command "frobnicate"; the commands are list, describe, call, help, quit
there is no command "x"; the commands are list, describe, call, help, quit
`},
		"an error, and then it goes on": {[]string{"call echo [", "call echo {}"},
			"the arguments have to be name=value words, or a JSON object such as {\"name\": \"value\"}; got [\n{}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.want, prompt(t, session, c.lines...))
		})
	}
	assert.Contains(t, prompt(t, session, "help"), "call <tool> [name=value]")
	assert.Contains(t, prompt(t, session, "list"), "1. echo\n   Repeats its arguments.\n2. evil\n")
	assertTame(t, prompt(t, session, "\x1b[2J", "call \x1b[2J", "call evil", "call fail"))
}

func TestPromptEndsWithItsContext(t *testing.T) {
	t.Parallel()
	session := connected(t, "")
	in, typed, err := os.Pipe()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	err = console.Prompt(ctx, session, console.Streams{In: in, Out: &out, Err: &out})
	require.EqualError(t, err, "interrupted")
	require.NoError(t, typed.Close()) // ends the read that nobody waits for any more
	t.Cleanup(func() { _ = in.Close() })
}

func TestServersThatRefuse(t *testing.T) {
	t.Parallel()
	listening := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://example.com/", http.StatusTemporaryRedirect)
	}))
	defer listening.Close()
	base := &http.Transport{}
	defer base.CloseIdleConnections()
	under, err := client.New(client.Config{Server: listening.URL, Base: base})
	require.NoError(t, err)
	_, err = console.Connect(t.Context(), listening.URL, under, console.Options{Version: "1.0"})
	require.ErrorContains(t, err, "redirects to example.com, which is not followed")

	_, err = console.Connect(t.Context(), listening.URL, under, console.Options{Revision: "1999-01-01"})
	require.Error(t, err)
}

// TestMessagesWithoutAnEnd are given up with a clear error, before they fill the memory.
func TestMessagesWithoutAnEnd(t *testing.T) {
	t.Parallel()
	const chunk = 1 << 20
	for name, c := range map[string]struct{ kind, begin, piece string }{
		"an answer":        {"application/json", `{"jsonrpc":"2.0","id":1,"result":{"x":"`, strings.Repeat("x", chunk)},
		"a line":           {"text/event-stream", "data: ", strings.Repeat("x", chunk)},
		"an event of many": {"text/event-stream", "", strings.Repeat("data: "+strings.Repeat("x", 1000)+"\n", chunk/1000)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent := 0
			listening := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPost {
					w.WriteHeader(http.StatusMethodNotAllowed)
					return
				}
				w.Header().Set("Content-Type", c.kind)
				_, _ = w.Write([]byte(c.begin))
				for r.Context().Err() == nil {
					if _, err := w.Write([]byte(c.piece)); err != nil {
						return
					}
					sent++
				}
			}))
			defer listening.Close()
			base := &http.Transport{}
			defer base.CloseIdleConnections()
			under, err := client.New(client.Config{Server: listening.URL, Base: base})
			require.NoError(t, err)
			_, err = console.Connect(t.Context(), listening.URL, under, console.Options{})
			require.ErrorContains(t, err, "more than 16 MiB")
			assert.Less(t, len(err.Error()), 300)
		})
	}
}

// TestAnswersToOtherRequests are not taken, and the right one is waited for where it can come.
func TestAnswersToOtherRequests(t *testing.T) {
	t.Parallel()
	const other = `{"jsonrpc":"2.0","id":"another","result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"false","version":"1"}}}`
	for name, c := range map[string]struct {
		kind, before string
		waits        bool
	}{
		"an answer":                     {"application/json", other, false},
		"an event":                      {"text/event-stream", "data: " + other + "\n\n", true},
		"an event of many lines":        {"text/event-stream", "id: 1\r\ndata: {\r\ndata:" + other[1:] + "\r\n\r\n", true},
		"an event longer than a buffer": {"text/event-stream", "data: " + strings.Repeat(" ", 1<<16) + other + "\n\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listening := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var asked struct {
					ID     json.RawMessage `json:"id"`
					Method string          `json:"method"`
				}
				if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || asked.Method != "initialize" {
					w.WriteHeader(http.StatusAccepted)
					return
				}
				w.Header().Set("Content-Type", c.kind)
				fmt.Fprint(w, c.before)
				if c.waits {
					fmt.Fprintf(
						w,
						"data: %s\n\n",
						strings.NewReplacer(`"another"`, string(asked.ID), "false", "true").Replace(other),
					)
				}
			}))
			defer listening.Close()
			base := &http.Transport{}
			defer base.CloseIdleConnections()
			under, err := client.New(client.Config{Server: listening.URL, Base: base})
			require.NoError(t, err)
			session, err := console.Connect(t.Context(), listening.URL, under, console.Options{Revision: "2025-11-25"})
			if !c.waits {
				require.ErrorContains(t, err, "answers another request")
				return
			}
			require.NoError(t, err)
			session.Close()
		})
	}
}

// TestManyMessagesOfAStream may be as long together as they like.
func TestManyMessagesOfAStream(t *testing.T) {
	t.Parallel()
	tools := mcpserver.NewMCPServer("chatty", "1.0")
	tools.AddTool(mcp.NewTool("talk"), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		for range 20 {
			_ = mcpserver.ServerFromContext(ctx).
				SendNotificationToClient(ctx, "notifications/message", map[string]any{"level": "info", "data": strings.Repeat("x", 1<<20)})
		}
		return mcp.NewToolResultText("done"), nil
	})
	listening := httptest.NewServer(mcpserver.NewStreamableHTTPServer(tools, mcpserver.WithStateLess(true)))
	defer listening.Close()
	base := &http.Transport{}
	defer base.CloseIdleConnections()
	under, err := client.New(client.Config{Server: listening.URL + "/mcp", Base: base})
	require.NoError(t, err)
	session, err := console.Connect(t.Context(), listening.URL+"/mcp", under, console.Options{Revision: "2025-11-25"})
	require.NoError(t, err)
	defer session.Close()
	text, err := session.Call(t.Context(), "talk", "")
	require.NoError(t, err)
	assert.Equal(t, "done", text)
}
