package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCommandRefusesBadUsage(t *testing.T) {
	t.Parallel()
	const help = "mcp-auth-conformance --help lists the "
	for _, test := range []struct{ line, want string }{
		{"serve", `there is no command "serve"; ` + help + "commands"},
		{"--port 1", "there is no flag --port; " + help + "flags"},
		{"-x", "there is no flag -x; " + help + "flags"},
		{"server", "server wants the URL of one MCP endpoint, got nothing"},
		{"server a b", `endpoint, got 2 arguments: ["a" "b"]`},
		{"server localhost", "want an MCP endpoint's URL, for example http"},
		{"server http://a/mcp#tools", `URL without a fragment, got "http://a/mcp#tools"`},
		{"server a --timeout x", `--timeout: want a duration like 30s or 5m, got "x"`},
		{"server a --local=maybe", `--local: want true or false, got "maybe"`},
		{"server a --token-file", "--token-file needs a value: FILE"},
		{"server a --level maybe", `--level: want must, should or policy, got "maybe"`},
		{"server a --role x", `--role: want server or authorization-server, got "x"`},
		{"server a --only x", `no check has the ID "x"`},
		{"server http://a --revision x", `2025-06-18, 2025-11-25, 2026-07-28, got "x"`},
		{"server http://a --expired-token-file x", "--expired-token-file: stat x"},
		{"server http://a --client-id x", "--client-id names the client of a sign-in; give --sign-in too"},
		{"server http://a --sign-in --client-secret-file x", "--client-secret-file needs the ID of its client"},
		{"server http://a --sign-in --client-id x --client-secret-file y", "--client-secret-file: stat y"},
		{"issuer", "issuer wants the issuer identifier of one authorization server, got nothing"},
		{"issuer http://a?b", "want an issuer identifier, for example https://as.example.com, got"},
		{"issuer http://a --field b", "--field: want NAME=VALUE"},
		{"issuer http://a --field b=c --sign-in", "use only one of them"},
		{"issuer http://a --scripted --sign-in", "use only one of them"},
		{"issuer http://a --rig-start x", "--rig-start needs the address of the third party; give --rig too"},
		{"issuer http://a --rig 127.0.0.1:0 --rig-claims x", "--rig-claims: want a JSON object"},
		{"issuer http://a --rig nowhere", "--rig: rig: listen tcp"},
		{"issuer http://a --revision x", "--revision: want one of 2025-03-26"},
		{"issuer http://a --client-id x --client-secret-file y", "--client-secret-file: stat y"},
		{"issuer http://a --key-client x", "--key-client needs the private key of the client; give"},
		{"issuer http://a --key-client-key y", "--key-client-key needs the ID of its client; give --key-client too"},
		{"issuer http://a --key-client x --key-client-key y", "--key-client-key: stat y"},
		{"server http://a --canary-tool x", "--canary-tool and --canary-log need each other; give both"},
		{"server http://a --canary-tool x --canary-log y", "--canary-log: want a file that the server writes to"},
		{"server http://a --rounds-expire x", "--rounds-expire needs --rounds-tool"},
		{"server http://a --rounds-tool x --rounds-answers y", "--rounds-answers: want a JSON object"},
		{"server http://a --fakeentra http://127.0.0.1:1", "--fakeentra: fakeentra: Get"},
		{"client", "client wants the command of an MCP client after --, got nothing"},
		{"client --level x -- a", `--level: want must, should or policy, got "x"`},
		{"client --supports x -- a", `there is no ability "x"; client --help lists the abilities`},
		{"client --revision x -- a", "--revision: want one of 2025-03-26"},
		{"list x", `list wants no arguments, got 1 arguments: ["x"]`},
		{"compare x", "compare wants the files of an old and a new JSON report, got 1 arguments"},
		{"compare x y", "open x: "},
		{"explain", "explain wants one ID, as printed by list, got nothing"},
		{"aadsts", "aadsts wants a code, a text, or - for the standard input, got nothing"},
		{"aadsts --x 1", "there is no flag --x"},
	} {
		command := newCommand()
		command.SetArgs(strings.Fields(test.line))
		err := command.ExecuteContext(t.Context())
		require.ErrorContains(t, err, test.want, test.line)
		assert.NotContains(t, err.Error(), "\n", test.line)
	}
}

func TestCommandPrintsVersion(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	command := newCommand()
	command.SetOut(&out)
	command.SetArgs([]string{"--version"})
	require.NoError(t, command.ExecuteContext(t.Context()))
	assert.Regexp(t, `^mcp-auth-conformance version \S+\n$`, out.String())
}
