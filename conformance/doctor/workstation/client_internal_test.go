package workstation

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mcpentra/client"
	"mcpentra/client/signin"
	"mcpentra/client/tokenstore"
)

// The tests in this file compare the rules of this package with the client's own.

const clientFolder = "../../../client/"

func source(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(clientFolder + name)
	require.NoError(t, err)
	return string(text)
}

func TestKeysAreTheClients(t *testing.T) {
	t.Parallel()
	list := regexp.MustCompile(`(?s)var keys = \[\]string\{(.*?)\n\}`)
	found := list.FindStringSubmatch(source(t, "cmd/mcp-entra-client/envfile.go"))
	require.NotNil(t, found)
	var theirs []string
	for _, quoted := range regexp.MustCompile(`"([A-Z_]+)"`).FindAllStringSubmatch(found[1], -1) {
		theirs = append(theirs, quoted[1])
	}
	assert.Equal(t, theirs, keys)
}

func TestConstantsAreTheClients(t *testing.T) {
	t.Parallel()
	for name, wanted := range map[string][]string{
		"config.go": {`const defaultRedirectURI = "` + defaultRedirectURI + `"`},
		"tokenstore/keychain.go": {
			`keychainService = "` + keychainService + `"`,
			`keychainUser    = "` + keychainUser + `"`,
		},
		"signin/browser.go": {
			`return []string{"` + systemOpener("linux")[0] + `"}`,
			`return []string{"` + systemOpener("darwin")[0] + `"}`,
			`return []string{"` + strings.Join(systemOpener("windows"), `", "`) + `"}`,
		},
		"cmd/mcp-entra-client/store.go": {`os.Getenv("` + busVariable + `")`, `os.Getenv("XDG_STATE_HOME")`},
	} {
		for _, line := range wanted {
			assert.Contains(t, source(t, name), line, name)
		}
	}
}

func TestFlagsInFixesExist(t *testing.T) {
	t.Parallel()
	flags := source(t, "cmd/mcp-entra-client/flags.go")
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, found := range regexp.MustCompile(`program \+ ?" --([a-z-]+)`).FindAllStringSubmatch(string(text), -1) {
			assert.Contains(t, flags, `"`+found[1]+`"`, file)
		}
	}
}

// commandLines are command lines with quotes, backslashes, separators and placeholders.
func commandLines() *rapid.Generator[string] {
	part := rapid.SampledFrom([]string{
		"firefox", " ", "  ", "\t", "\n", "'", `"`, `\`, "%s", "%%s", "%%", "%", ":", ";", "//", "https://x",
		"$(id)", "é",
	})
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(part, 0, 12).Draw(t, "parts"), "")
	})
}

func TestWordsAreSplitAsTheClientDoes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		line := commandLines().Draw(t, "line")
		theirs, theirErr := signin.SplitWords(line)
		ours, err := splitWords(line)
		require.Equal(t, theirErr == nil, err == nil, line)
		require.Equal(t, theirs, ours, line)
	})
}

func TestBrowserIsReadAsTheClientDoes(t *testing.T) {
	t.Parallel()
	separator := byte(':')
	if runtime.GOOS == "windows" {
		separator = ';'
	}
	rapid.Check(t, func(t *rapid.T) {
		list := commandLines().Draw(t, "list")
		_, theirErr := signin.OpenWith(list)
		_, err := browserCommands(list, separator)
		require.Equal(t, theirErr == nil, err == nil, "%q: %v, %v", list, theirErr, err)
	})
}

func TestAddressesAreJudgedAsTheClientDoes(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"https://mcp.example.com/mcp",
		"HTTPS://MCP.Example.com/Mcp#x",
		"http://localhost:8000/mcp",
		"http://LOCALHOST/",
		"http://127.0.0.1/mcp",
		"http://127.1.2.3",
		"http://[::1]:8000/mcp",
		"http://[::ffff:127.0.0.1]/",
		"http://mcp/mcp",
		"http://192.0.2.1",
		"https://u:p@mcp.example.com",
		"ftp://mcp.example.com",
		"mcp.example.com/mcp",
		"",
		"https://",
		"https://a:0/",
		"https://a:65536/",
		"https://a:65535/",
		"https:mcp",
		"http://localhost.example.com",
		"https://a:x/",
		"http://[::1%25eth0]/",
		"https://mcp.example.com/%zz",
		"http://0.0.0.0:8000",
	} {
		parsed, theirErr := client.ReadServerURL(address)
		wrong := wrongServerURL(address)
		assert.Equal(t, theirErr == nil, wrong == "", "%q: %v, %s", address, theirErr, wrong)
		if theirErr == nil {
			assert.Equal(t, parsed.String(), canonicalURL(address), address)
		}
	}
}

func TestRedirectURIsAreJudgedAsTheClientDoes(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"http://localhost/callback", "http://127.0.0.1/", "http://127.0.0.1", "http://[::ffff:127.0.0.1]/cb",
		"https://localhost/callback", "http://app.example.com/cb", "http://localhost/cb?x=1", "http://localhost/cb#x",
		"localhost/callback", "urn:ietf:wg:oauth:2.0:oob", "http://LOCALHOST/cb", "http:///cb", "cursor://x/y",
		"http://192.0.2.1/cb", "http://localhost:x/cb", "",
	} {
		callback, theirErr := signin.Listen(address)
		if theirErr == nil {
			callback.Close()
		}
		_, wrong := readRedirectURI(address)
		assert.Equal(t, theirErr == nil, wrong == "", "%q: %v, %s", address, theirErr, wrong)
	}
}

func TestRecordsAreNamedAsTheClientDoes(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "tokens")
	store, err := tokenstore.OpenFile(folder, nil)
	require.NoError(t, err)
	key, err := os.ReadFile(filepath.Join(folder, keyName))
	require.NoError(t, err)
	require.Len(t, key, keyLength)
	for _, where := range []tokenstore.Key{
		{Resource: "https://mcp.example.com/mcp"},
		{Resource: "https://mcp.example.com/mcp", Account: `wo"rk é`},
	} {
		require.NoError(t, store.Save(t.Context(), where, tokenstore.Record{}))
		assert.FileExists(t, filepath.Join(folder, recordName(key, where.Resource, where.Account)+recordSuffix))
		unlock, err := store.Lock(t.Context(), where)
		require.NoError(t, err)
		assert.FileExists(t, filepath.Join(folder, recordName(key, where.Resource, where.Account)+lockSuffix))
		unlock()
	}
}

// TestStateFolderIsTheClients runs the client, which makes its folder.
func TestStateFolderIsTheClients(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "mcp-entra-client")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/mcp-entra-client")
	build.Dir = clientFolder
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for name, variables := range map[string][]string{
		"home":              nil,
		"state folder":      {"XDG_STATE_HOME=STATE"},
		"relative folder":   {"XDG_STATE_HOME=state"},
		"folder of its own": {"MCP_TOKEN_STORE=file:STATE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			environ := []string{"HOME=" + home, "USERPROFILE=" + home}
			for _, variable := range variables {
				environ = append(environ, strings.ReplaceAll(variable, "STATE", filepath.Join(home, "elsewhere")))
			}
			run := exec.CommandContext(t.Context(), program, "accounts")
			run.Env = environ
			run.Dir = home
			out, err := run.CombinedOutput()
			require.NoError(t, err, "%s", out)
			m := newMachine(Config{Environ: environ, WorkingFolder: home})
			folder := strings.TrimPrefix(m.env["MCP_TOKEN_STORE"], "file:")
			if folder == "" {
				state, err := m.stateFolder()
				require.NoError(t, err)
				folder = filepath.Join(state, tokensName)
			}
			assert.FileExists(t, filepath.Join(folder, keyName), "in %s", folder)
		})
	}
}
