package broker_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A realClient is a client as it registers itself.
type realClient struct {
	name string
	body string
	// uses are redirect URIs of authorization requests. Programs take a free port at each start.
	uses []string
}

// codeClient is the end of most registrations of public clients.
const codeClient = `"grant_types":["authorization_code","refresh_token"],"response_types":["code"],` +
	`"token_endpoint_auth_method":"none"`

// realClients are registrations that were captured, or read in the source of the client. The source
// stands above each. "Entra" is the name that a person has given to the server.
var realClients = []realClient{
	// Captured: https://github.com/erp-mafia/accounted/pull/2225 and
	// https://github.com/soflyy/agent-connector-for-wp/issues/111
	{
		"Cursor",
		`{"client_name":"Cursor","redirect_uris":["` + cursorURI + `",` +
			`"https://www.cursor.com/agents/mcp/oauth/callback","http://localhost:8787/callback"],` + codeClient + `}`,
		[]string{cursorURI, "https://www.cursor.com/agents/mcp/oauth/callback", "http://localhost:8787/callback"},
	},
	// Before the callbacks on loopback and on the web:
	// https://github.com/modelcontextprotocol/python-sdk/issues/897
	{
		"Cursor, earlier",
		`{"client_name":"Cursor","redirect_uris":["` + cursorURI + `"],` + codeClient + `}`,
		[]string{cursorURI},
	},
	// fetchDynamicRegistration in src/vs/base/common/oauth.ts of
	// https://github.com/microsoft/vscode at 05f882b02c51633f2e1e8252722f8c3b626d74a9
	{
		"VS Code",
		`{"client_name":"Visual Studio Code","client_uri":"https://code.visualstudio.com",` +
			`"grant_types":["authorization_code","refresh_token","urn:ietf:params:oauth:grant-type:device_code"],` +
			`"response_types":["code"],"redirect_uris":["https://insiders.vscode.dev/redirect",` +
			`"https://vscode.dev/redirect","http://127.0.0.1/","http://127.0.0.1:33418/"],"scope":"user.read",` +
			`"token_endpoint_auth_method":"none","application_type":"native"}`,
		[]string{"https://vscode.dev/redirect", "https://insiders.vscode.dev/redirect", "http://127.0.0.1:49152/"},
	},
	// The same function before application_type.
	{
		"VS Code, earlier",
		`{"client_name":"Visual Studio Code","client_uri":"https://code.visualstudio.com",` +
			`"grant_types":["authorization_code","refresh_token","urn:ietf:params:oauth:grant-type:device_code"],` +
			`"response_types":["code"],"redirect_uris":["https://insiders.vscode.dev/redirect",` +
			`"https://vscode.dev/redirect","http://localhost/","http://127.0.0.1/","http://localhost:33418/",` +
			`"http://127.0.0.1:33418/"],"scope":"user.read","token_endpoint_auth_method":"none"}`,
		[]string{"http://localhost:33418/", "http://localhost:49152/"},
	},
	// Captured: https://github.com/elmohq/elmo/pull/684 (application type and redirect URI)
	{
		"Claude Code",
		`{"client_name":"Claude Code (Entra)","redirect_uris":["http://localhost:3118/callback"],` +
			`"application_type":"native",` + codeClient + `}`,
		[]string{"http://localhost:3118/callback", "http://localhost:53123/callback"},
	},
	// Captured: https://github.com/anthropics/claude-ai-mcp/issues/1043 (client_secret_post, on the
	// web and in Claude Desktop)
	{
		"Claude on the web and Claude Desktop",
		`{"client_name":"Claude","redirect_uris":["https://claude.ai/api/mcp/auth_callback"],` +
			`"grant_types":["authorization_code","refresh_token"],"response_types":["code"],` +
			`"token_endpoint_auth_method":"client_secret_post"}`,
		[]string{"https://claude.ai/api/mcp/auth_callback"},
	},
	// The same without a secret: https://github.com/anthropics/claude-code/issues/30511
	{
		"Claude, public",
		`{"client_name":"Claude","redirect_uris":["https://claude.ai/api/mcp/auth_callback"],` + codeClient + `}`,
		[]string{"https://claude.ai/api/mcp/auth_callback"},
	},
	// Captured: https://github.com/elmohq/elmo/pull/684 (application type and redirect URI)
	{
		"Codex",
		`{"client_name":"Codex","redirect_uris":["http://127.0.0.1:37819/callback/8f2c"],` +
			`"application_type":"native",` + codeClient + `}`,
		[]string{"http://127.0.0.1:37819/callback/8f2c"},
	},
	// packages/core/src/mcp/oauth-provider.ts of https://github.com/google-gemini/gemini-cli
	{
		"Gemini CLI",
		`{"client_name":"Gemini CLI MCP Client","redirect_uris":["http://localhost:7777/oauth/callback"],` +
			codeClient + `,"scope":""}`,
		[]string{"http://localhost:7777/oauth/callback", "http://localhost:65290/oauth/callback"},
	},
	// Captured: https://github.com/dozigden/boardoil/issues/11. It uses another port than the
	// registered one: https://github.com/github/copilot-cli/issues/1951
	{
		"GitHub Copilot CLI",
		`{"client_name":"GitHub Copilot CLI","redirect_uris":["http://127.0.0.1:56679/"],` +
			`"application_type":"native",` + codeClient + `}`,
		[]string{"http://127.0.0.1:56679/", "http://127.0.0.1:49152/"},
	},
	// clientMetadata in npm's @modelcontextprotocol/inspector 2.12.0
	{
		"MCP Inspector",
		`{"redirect_uris":["http://127.0.0.1:6276/oauth/callback"],` + codeClient + `,` +
			`"client_name":"MCP Inspector","client_uri":"https://github.com/modelcontextprotocol/inspector",` +
			`"scope":"","application_type":"native"}`,
		[]string{"http://127.0.0.1:6276/oauth/callback"},
	},
	// clientMetadata in npm's mcp-remote 0.15.1
	{
		"mcp-remote",
		`{"redirect_uris":["http://localhost:3334/oauth/callback"],` + codeClient + `,` +
			`"client_name":"MCP CLI Client","client_uri":"https://github.com/modelcontextprotocol/mcp-cli",` +
			`"software_id":"2e6dc280-f3c3-4e01-99a7-8181dbd1d23d","software_version":"0.15.1",` +
			`"application_type":"native"}`,
		[]string{"http://localhost:3334/oauth/callback"},
	},
}

// TestRealClientsSignIn registers each real client with its own metadata, and signs it in: the
// consent page, the code, its tokens, and a refresh.
func TestRealClientsSignIn(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	for _, real := range realClients {
		made, status := e.register(real.body)
		require.Equal(t, http.StatusCreated, status, "%s: %s", real.name, made.Error)
		for _, uri := range made.RedirectURIs {
			assert.Contains(t, real.body, `"`+uri+`"`, real.name)
		}
		for _, uri := range real.uses {
			e.signsIn(made, uri, real.name)
		}
	}
}

// signsIn signs a client in at a redirect URI, redeems the code and refreshes the tokens.
func (e *env) signsIn(c registered, uri, name string) {
	e.t.Helper()
	b := e.browser()
	page := b.get(e.request(c, "redirect_uri", uri), "Sec-Fetch-Site", "cross-site")
	require.Equal(e.t, http.StatusOK, page.status, "%s at %s: %s", name, uri, page.body)
	assert.NotContains(e.t, page.body, "Warning:", "%s at %s", name, uri)
	at, err := url.Parse(uri)
	require.NoError(e.t, err)
	switch at.Scheme {
	case "https":
		assert.Contains(e.t, page.body, "You will be sent to <strong>"+at.Host+"</strong>", name)
	case "http":
		assert.Contains(e.t, page.body, "You will be sent to a program <strong>on this computer</strong>", name)
	default:
		assert.Contains(e.t, page.body, "Approving opens the program <strong>on this computer</strong>", name)
	}
	back := b.get(e.signIn(b, e.approve(b, page), ""))
	landed := back.header.Get("Location")
	if landed == "" {
		landed = linkOf(e.t, back) // a page, because the browser asks before it opens a program
	}
	to, err := url.Parse(landed)
	require.NoError(e.t, err)
	require.Equal(e.t, at.Scheme+"://"+at.Host+at.Path, to.Scheme+"://"+to.Host+to.Path, name)
	form := redemption(c, to.Query().Get("code"))
	form.Set("redirect_uri", uri)
	e.tokensOf(c, form, name)
}

// tokensOf redeems a code, and refreshes the tokens.
func (e *env) tokensOf(c registered, form url.Values, name string) {
	e.t.Helper()
	authenticated := func(form url.Values) url.Values {
		if c.Secret != "" {
			form.Set("client_secret", c.Secret)
		}
		return form
	}
	got, status := e.token(authenticated(form))
	require.Equal(e.t, http.StatusOK, status, "%s: %s", name, got.Error)
	require.True(e.t, e.good(got.Access), name)
	got, status = e.token(authenticated(refreshing(c, got.Refresh)))
	require.Equal(e.t, http.StatusOK, status, "%s: %s", name, got.Error)
	assert.True(e.t, e.good(got.Access), name)
}

// TestRealDocumentsSignIn signs in by the client ID metadata documents of real clients. The site of
// the test serves them below example.com.
func TestRealDocumentsSignIn(t *testing.T) {
	t.Parallel()
	for _, real := range []struct {
		name      string
		redirects []string
		use       string
	}{
		// https://claude.ai/oauth/claude-code-client-metadata
		{
			"Claude Code",
			[]string{"http://localhost/callback", "http://127.0.0.1/callback"},
			"http://localhost:3118/callback",
		},
		// The members that MCP Inspector registers, with its own callback.
		{
			"MCP Inspector",
			[]string{"http://127.0.0.1:6276/oauth/callback"},
			"http://127.0.0.1:6276/oauth/callback",
		},
	} {
		e, site, client := newDocumentEnv(t, options{})
		site.set("client_name", real.name)
		site.set("redirect_uris", real.redirects)
		site.set("response_types", []string{"code"})
		site.set("token_endpoint_auth_method", "none")
		e.signsIn(client, real.use, real.name)
	}
}
