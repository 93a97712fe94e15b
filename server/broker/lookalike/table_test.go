package lookalike_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/idna"

	"mcpentra/server/broker/lookalike"
)

func load(t testing.TB) *lookalike.Table {
	t.Helper()
	table, err := lookalike.Load()
	require.NoError(t, err)
	return table
}

func TestClientFindsLikenesses(t *testing.T) {
	t.Parallel()
	table := load(t)
	for _, test := range []struct{ name, known string }{
		{"🅲🅻🅰🆄🅳🅴", "Claude"},
		{"🇨🇱🇦🇺🇩🇪", "Claude"},
		{"Ϲlaude", "Claude"},
		{"ϲlaude", "Claude"},
		{"ᑕlaude", "Claude"},
		{"MyСlaude", "Claude"},
		{"©laude", "Claude"},
		{"C❘aude", "Claude"},
		{"Claudⲉ", "Claude"},
		{"Microsoft", "Microsoft"},
		{"Micrоsoft", "Microsoft"},
		{"Microsoft Entra ID", "Microsoft Entra ID"},
		{"GitHub", "GitHub"},
		{"Google Support", "Google"},
		{"ꮯlaude", "Claude"},
		{"ⓒⓛⓐⓤⓓⓔ", "Claude"},
		{"Claude", "Claude"},
		{"CIaude", "Claude"},
		{"Claude (official)", "Claude"},
		{"Сlaude", "Claude"},
		{"CLAUDE", "Claude"},
		{"C l a u d e", "Claude"},
		{"Ｃｌａｕｄｅ", "Claude"},
		{"𝐂𝐥𝐚𝐮𝐝𝐞", "Claude"},
		{"Cla\u200bude", "Claude"},
		{"Cl\u00e1ude", "Claude"},
		{"\u202eClaude", "Claude"},
		{"Cl4ud3", "Claude"},
		{"ClaudeOfficial", "Claude"},
		{"C1aude!", "Claude"},
		{"claude.ai", "Claude AI"},
		{"Ⲥlaude", "Claude"},
		{"Ꮯlaude", "Claude"},
		{"Cl\u0430ude Desktop", "Claude Desktop"},
		{"Cla\u00adude", "Claude"},
		{"Claude Code", "Claude Code"},
		{"My Claude helper", "Claude"},
		{"С\u04cfаudе", "Claude"},
		{"C|aude", "Claude"},
		{"Chat GPT", "ChatGPT"},
		{"ChatGPT", "ChatGPT"},
		{"СhаtGРТ", "ChatGPT"},
		{"VSCode", "VS Code"},
		{"VS C0de", "VS Code"},
		{"Visual Studio Code", "Visual Studio Code"},
		{"Cursor", "Cursor"},
		{"Cursоr (official)", "Cursor"},
		{"Cursor 2.0", "Cursor"},
		{"GEMINI", "Gemini"},
		{"Gernini CLI", "Gemini CLI"},
		{"MCP Inspector", "MCP Inspector"},
		{"Copilot", "Copilot"},
		{"G\u0456tHub Copilot", "GitHub Copilot"},
		{"Clаudе\u3164", "Claude"},
		{"Claude\u2800", "Claude"},
	} {
		like := table.Client(test.name, "evil.example", false)
		if assert.NotNil(t, like, test.name) {
			assert.Equal(t, test.known, like.Name, test.name)
		}
	}
	for _, name := range []string{
		"", "Test client", "mcp-remote", "Database Cursor Viewer", "Cloud", "Claudette", "Zed's shop",
		"Precursor", "Codex Vaticanus",
		"Continue", "Copilots of the air", "日本語クライアント", "Клиент",
		"Goose Lake Weather", "Geminid Watcher", "MCP CLI Proxy",
		"\u200b\u200b", "(((", "Visual Studies", "openai-agents-tool", "Notes for Microsoft Teams",
	} {
		assert.Nil(t, table.Client(name, "evil.example", false), name)
	}
}

func TestKnownClientsMayUseTheirHosts(t *testing.T) {
	t.Parallel()
	table := load(t)
	for _, test := range []struct {
		name     string
		host     string
		loopback bool
	}{
		{"Claude", "claude.ai", false},
		{"Claude", "claude.com", false},
		{"Claude Code (github)", "localhost", true},
		{"ChatGPT", "chatgpt.com", false},
		{"Visual Studio Code", "127.0.0.1", true},
		{"Visual Studio Code", "vscode.dev", false},
		{"Cursor", "www.cursor.com", false},
		{"Cursor", "localhost", true},
		{"Codex", "127.0.0.1", true},
		{"Gemini CLI MCP Client", "localhost", true},
		{"MCP Inspector", "localhost", true},
		{"GitHub Copilot", "127.0.0.1", true},
		{"mcp-entra-client", "127.0.0.1", true},
	} {
		assert.Nil(t, table.Client(test.name, test.host, test.loopback), test)
	}
	assert.NotNil(t, table.Client("Claude", "claude.ai.evil.example", false))
	assert.NotNil(t, table.Client("ChatGPT", "127.0.0.1", true), "ChatGPT is never on the person's computer")
	assert.NotNil(t, table.Client("Claude Сode", "127.0.0.1", true), "the real name has Latin letters")
	assert.NotNil(t, table.Client("Visual Studio Code", "claude.ai", false))
}

func TestHostFindsLikenesses(t *testing.T) {
	t.Parallel()
	table := load(t)
	for _, test := range []struct {
		shown string
		want  *lookalike.HostProblem
	}{
		{"сlаude.ai", &lookalike.HostProblem{MixesScripts: true, LooksLike: "claude.ai"}},
		{"ciaude.ai", &lookalike.HostProblem{LooksLike: "claude.ai"}},
		{"аррӏе.com", &lookalike.HostProblem{LooksLike: "apple.com"}},
		{"pаypal.com", &lookalike.HostProblem{MixesScripts: true, LooksLike: "paypal.com"}},
		{"claude.ai", nil},
		{"cursor.com", nil},
		{"www.claude.ai", nil},
		{"api.claude.ai", nil},
		{"claude.ai.evil.example", &lookalike.HostProblem{LooksLike: "claude.ai"}},
		{"login.ciaude.ai.evil.example", &lookalike.HostProblem{LooksLike: "claude.ai"}},
		{"claude.ai-login.example", &lookalike.HostProblem{LooksLike: "claude.ai"}},
		{"login.microsoftonline.com.evil.example", &lookalike.HostProblem{LooksLike: "login.microsoftonline.com"}},
		{"iogin.microsoftonline.com", &lookalike.HostProblem{LooksLike: "login.microsoftonline.com"}},
		{"mcp.contoso.com.evil.example", &lookalike.HostProblem{LooksLike: "mcp.contoso.com"}},
		{"mcp.contoso.com", nil},
		{"ラインline.example", nil},
		{"example.com", nil},
		{"bücher.example", nil},
		{"пример.рф", nil},
		{"日本語カナ.jp", nil},
		{"한국漢字.kr", nil},
		{"δοκιμή.example", nil},
	} {
		host, err := idna.Punycode.ToASCII(test.shown)
		require.NoError(t, err)
		assert.Equal(t, test.want, table.Host(host, "mcp.contoso.com"), test.shown)
	}
}

func TestMixesScriptsFindsWords(t *testing.T) {
	t.Parallel()
	table := load(t)
	for _, name := range []string{"Pаypal", "Acme Εxpense", "My 𐌂alendar", "Nоtes-App", "Аcme"} {
		assert.True(t, table.MixesScripts(name), name)
	}
	for _, name := range []string{
		"", "Acme", "Яндекс Cloud", "Café", "Cafe\u0301", "LINEの窓口", "µTorrent", "日本語 Client",
		"α tester", "Kim의 App", "עוזר AI", "Notes 2.0 🎉",
	} {
		assert.False(t, table.MixesScripts(name), name)
	}
}

func FuzzClient(f *testing.F) {
	table := load(f)
	f.Add("Claude", "xn--80ak6aa92e.com")
	f.Fuzz(func(_ *testing.T, name, host string) {
		table.Client(name, host, false)
		table.Host(host)
	})
}

func TestLongNamesAreBounded(t *testing.T) {
	t.Parallel()
	assert.Nil(t, load(t).Client(strings.Repeat("a ", 1<<16), "evil.example", false))
}
