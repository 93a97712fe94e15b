package clientsettings_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/gkampitakis/go-snaps/snaps"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mcpentra/client/signin"
	"mcpentra/conformance/doctor/clientsettings"
)

// The servers of the snapshots.
var (
	broker = clientsettings.Server{
		Name:             "entra",
		URL:              "https://mcp.example.com/mcp",
		RegistersClients: true,
		AcceptsDocuments: true,
	}
	direct = clientsettings.Server{
		URL:      "https://mcp.example.com/mcp",
		ClientID: "f5a3c0de-0000-4000-8000-000000000000",
		Scopes:   []string{"api://9d2b8a36-0000-4000-8000-000000000000/user.read", "offline_access"},
		Entra:    true,
	}
	hostile = clientsettings.Server{
		Name:     "--help'; rm -rf ~ #\n$(id) `id` \"__proto__",
		URL:      "http://127.0.0.1:8000/a'b\"c$HOME/${input:x}?q=`id`;$(id)&x=%0a!#'\"",
		ClientID: "-x;id",
		Scopes:   []string{"user.read", "two words", "quote'", "$(id)", ""},
	}
)

func TestSettingsOfServers(t *testing.T) {
	t.Parallel()
	legacy := broker
	legacy.Legacy = true
	legacy.URL = "http://localhost:8000/sse"
	documents := broker
	documents.RegistersClients = false
	registered := direct
	registered.RedirectURIs = []string{
		"http://localhost:3118/callback",
		"http://127.0.0.1:33418/",
		"https://vscode.dev/redirect",
		"http://localhost:8787/callback",
	}
	for name, server := range map[string]clientsettings.Server{
		"broker":       broker,
		"documents":    documents,
		"direct":       direct,
		"registered":   registered,
		"no-client-id": {URL: direct.URL, Entra: true},
		"legacy":       legacy,
		"hostile":      hostile,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sheet, err := clientsettings.For(server)
			require.NoError(t, err)
			checkTexts(t, sheet.Settings)
			matchSnapshot(t, "clientsettings-"+name, textOf(sheet))
		})
	}
}

func textOf(sheet *clientsettings.Sheet) string {
	var text strings.Builder
	for _, note := range sheet.Notes {
		fmt.Fprintf(&text, "%s\n", note)
	}
	for _, settings := range sheet.Settings {
		fmt.Fprintf(&text, "## %s: %s\n", settings.Client, settings.Where)
		if settings.Cannot != "" {
			fmt.Fprintf(&text, "cannot: %s\n", settings.Cannot)
		}
		if settings.Text != "" {
			fmt.Fprintf(&text, "%s\n", settings.Text)
		}
		for _, note := range settings.Notes {
			fmt.Fprintf(&text, "- %s\n", note)
		}
		text.WriteString("\n")
	}
	return text.String()
}

func matchSnapshot(t *testing.T, name, text string) {
	t.Helper()
	snaps.WithConfig(
		snaps.Dir("../../../testdata/snapshots"),
		snaps.Filename(name),
		snaps.Ext(".txt"),
	).MatchStandaloneSnapshot(t, text)
}

// testing.T and rapid.T have these methods.
type failer interface {
	Helper()
	Errorf(format string, arguments ...any)
	FailNow()
}

// checkTexts reads each text as its client does.
func checkTexts(t failer, all []clientsettings.Settings) {
	t.Helper()
	for _, settings := range all {
		hasText := settings.Text != ""
		assert.NotEqual(t, hasText, settings.Cannot != "", "%s: a text, or why there is none", settings.Client)
		switch {
		case !hasText || settings.Where == "dialog":
		case settings.Where == "command":
			checkCommands(t, settings)
		case strings.HasSuffix(settings.Where, ".toml"):
			var file struct {
				Servers map[string]map[string]any `toml:"mcp_servers"`
			}
			require.NoError(t, toml.Unmarshal([]byte(settings.Text), &file), settings.Text)
			checkEntries(t, settings, file.Servers)
		default:
			var file map[string]map[string]map[string]any
			require.NoError(t, json.Unmarshal([]byte(settings.Text), &file), settings.Text)
			require.Len(t, file, 1)
			key := "mcpServers"
			if strings.HasPrefix(settings.Client, "VS Code") {
				key = "servers"
			}
			checkEntries(t, settings, file[key])
		}
	}
}

var (
	safeName    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	shellSpaces = regexp.MustCompile("[$`\"\\\\!{}\n]")
)

func checkEntries(t failer, settings clientsettings.Settings, entries map[string]map[string]any) {
	t.Helper()
	require.Len(t, entries, 1, settings.Client)
	for name, entry := range entries {
		assert.Regexp(t, safeName, name)
		if arguments, ok := entry["args"].([]any); ok {
			assert.Equal(t, "npx", entry["command"])
			assert.Equal(t, []any{"-y", "mcp-remote"}, arguments[:2])
			continue
		}
		address := entry["url"]
		if address == nil {
			address = entry["httpUrl"]
		}
		require.IsType(t, "", address, settings.Text)
		assert.NotRegexp(t, shellSpaces, address, "clients expand variables")
	}
}

// programs are the words that a command may begin with.
var programs = regexp.MustCompile(`^(claude mcp (add|login) |npx @modelcontextprotocol/inspector )`)

func checkCommands(t failer, settings clientsettings.Settings) {
	t.Helper()
	for line := range strings.SplitSeq(settings.Text, "\n") {
		words, err := signin.SplitWords(line)
		require.NoError(t, err, line)
		assert.Regexp(t, programs, strings.Join(words, " ")+" ")
		outside := regexp.MustCompile(`'[^']*'`).ReplaceAllString(line, "")
		assert.NotRegexp(t, "[^A-Za-z0-9_./:=@ -]", outside, "outside quotes")
	}
}

func TestSettingsOfAnyServerCanBeRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		server := clientsettings.Server{
			Name:             rapid.String().Draw(t, "name"),
			URL:              "https://mcp.example.com/" + rapid.String().Draw(t, "path"),
			ClientID:         rapid.String().Draw(t, "client ID"),
			RedirectURIs:     rapid.SliceOf(rapid.String()).Draw(t, "redirect URIs"),
			Scopes:           rapid.SliceOf(rapid.String()).Draw(t, "scopes"),
			RegistersClients: rapid.Bool().Draw(t, "registers"),
			AcceptsDocuments: rapid.Bool().Draw(t, "documents"),
			Entra:            rapid.Bool().Draw(t, "Entra"),
			OmitsIssuer:      rapid.Bool().Draw(t, "no iss"),
			Legacy:           rapid.Bool().Draw(t, "legacy"),
		}
		sheet, err := clientsettings.For(server)
		if err == nil {
			checkTexts(t, sheet.Settings)
		}
	})
}

func TestUnusableServersAreRefused(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]clientsettings.Server{
		"no URL":            {},
		"path alone":        {URL: "/mcp"},
		"another scheme":    {URL: "ftp://mcp.example.com/mcp"},
		"script":            {URL: "javascript:alert(1)"},
		"password":          {URL: "https://user:hunter2@mcp.example.com/mcp"},
		"command in a host": {URL: "https://$(id).example.com/mcp"},
		"long URL":          {URL: "https://mcp.example.com/" + strings.Repeat("a", 3000)},
		"line feed":         {URL: "https://mcp.example.com/mcp", ClientID: "a\nb"},
		"quote":             {URL: "https://mcp.example.com/mcp", ClientID: "a'b"},
		"variable":          {URL: "https://mcp.example.com/mcp", ClientID: "${input:x}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := clientsettings.For(server)
			require.Error(t, err)
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestNamesAreMadeOfHosts(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://mcp.example.com/mcp": `"mcp-example-com": {`,
		"http://localhost:8000/mcp":   `"localhost": {`,
		"http://[::1]:8000/mcp":       `"mcp-1": {`,
	} {
		sheet, err := clientsettings.For(clientsettings.Server{URL: address, RegistersClients: true})
		require.NoError(t, err)
		assert.Contains(t, sheet.Settings[0].Text, want)
	}
}

func TestPortsOfOtherRedirectURIsAreIgnored(t *testing.T) {
	t.Parallel()
	server := direct
	server.RedirectURIs = []string{
		"http://localhost:1111/elsewhere",
		"https://localhost:2222/callback",
		"http://evil.example:3333/callback",
		"http://localhost:99999/callback",
		"http://localhost/callback",
		"http://localhost:4444/callback",
	}
	sheet, err := clientsettings.For(server)
	require.NoError(t, err)
	assert.Equal(t, "Claude Code", sheet.Settings[1].Client)
	assert.Contains(t, sheet.Settings[1].Text, "--callback-port 4444 ")
}
