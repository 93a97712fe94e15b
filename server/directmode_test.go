package server_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
	"mcpentra/conformance/servers/signin"
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/fault"
	"mcpentra/server"
)

func TestDirectModeFromChallengeToToolCall(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := newDirectEnv(t, func(config *server.Config) { config.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	require.NoError(t, s.server.Check(t.Context()))
	status, header, _ := s.call("", callUserName)
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.Contains(t, header.Get("WWW-Authenticate"), `scope="api://`+directory.DefaultAPIID+`/tool.read"`)
	resource := s.document(s.origin + "/.well-known/oauth-protected-resource/mcp")
	assert.Equal(t, []any{s.fake.Issuer(directory.DefaultTenantID)}, resource["authorization_servers"])
	assert.Equal(t, []any{"api://" + directory.DefaultAPIID + "/tool.read"}, resource["scopes_supported"])

	raw := s.mint(fakeentra.Token{})
	status, _, body := s.call(raw, callUserName)
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, "User name is Adele Vance", "Graph was asked on behalf of the caller")
	status, _, body = s.call(raw, callWhoami)
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, `"kind":"user"`)
	assert.NotContains(t, body, raw)
	assert.NotContains(t, log.String(), raw[len(raw)-40:])

	status, _, _ = s.send(http.MethodPost, s.origin+"/token", "")
	assert.Equal(t, http.StatusNotFound, status, "there is no authorization server here")
	_, _, page := s.send(http.MethodGet, s.origin+"/", "")
	assert.NotContains(t, page, "register itself")
}

func TestDirectModeChecksScopesAndRoles(t *testing.T) {
	t.Parallel()
	s := newDirectEnv(t, nil)
	app := func(roles ...string) fakeentra.Token {
		return fakeentra.Token{Edit: func(claims map[string]any) {
			delete(claims, "scp")
			claims["sub"] = claims["oid"]
			if roles != nil {
				claims["roles"] = roles
			}
		}}
	}
	const fullScope = "api://" + directory.DefaultAPIID + "/tool.read"
	scopes := func(scopes ...string) fakeentra.Token { return fakeentra.Token{Scopes: scopes} }
	edited := func(scopes []string, edit func(map[string]any)) fakeentra.Token {
		return fakeentra.Token{Scopes: scopes, Edit: edit}
	}
	withRoles := func(c map[string]any) { c["roles"] = []string{"Tool.Call", "tool.read"} }
	forSignIn := func(c map[string]any) { c["aud"] = directory.DefaultClientID }
	for _, test := range []struct {
		name   string
		token  fakeentra.Token
		status int
		want   string
	}{
		{"application without a role", app(), http.StatusForbidden, "app role"},
		{"application with another role", app("Tool.Admin"), http.StatusForbidden, "app role"},
		{"application with the role", app("Tool.Call"), http.StatusOK, "needs a person"},
		{"another scope of the API", scopes("tool.write"), http.StatusForbidden, "lacks a scope"},
		{"scope in capitals", scopes("TOOL.READ"), http.StatusForbidden, "lacks a scope"},
		{"scope in full", scopes(fullScope), http.StatusForbidden, "lacks a scope"},
		{"person with roles alone", edited([]string{}, withRoles), http.StatusForbidden, "lacks a scope"},
		{"sign-in application", edited(nil, forSignIn), http.StatusUnauthorized, "not meant for this server"},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, header, body := s.call(s.mint(test.token), callUserName)
			assert.Equal(t, test.status, status)
			if test.status == http.StatusOK {
				assert.Contains(t, body, "an application called for itself")
				return
			}
			assert.Contains(t, body, test.want)
			assert.Contains(t, header.Get("WWW-Authenticate"), "resource_metadata=")
		})
	}
}

func TestDirectModeRefusesUnlistedClient(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := newDirectEnv(t, func(config *server.Config) {
		config.Direct.Clients = []string{directory.DefaultAPIID}
		config.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	status, header, body := s.call(s.mint(fakeentra.Token{}), callUserName)
	assert.Equal(t, http.StatusForbidden, status)
	assert.Empty(t, header.Get("WWW-Authenticate"), "no new sign-in would help")
	assert.Contains(t, body, "access_denied")
	assert.Contains(t, log.String(), "setting=AUTH_ALLOWED_CLIENTS")
	assert.Contains(t, log.String(), "seen="+directory.DefaultClientID)
	assert.Contains(t, log.String(), "address=127.0.0.1")
}

func TestDirectModeRefusesPublicClient(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := newDirectEnv(t, func(config *server.Config) {
		config.Direct.ConfidentialClients = true
		config.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	status, _, _ := s.call(s.mint(fakeentra.Token{}), callUserName)
	assert.Equal(t, http.StatusOK, status)
	for name, edit := range map[string]func(map[string]any){
		"public client": func(c map[string]any) { c["azpacr"] = "0" },
		"no claim":      func(c map[string]any) { delete(c, "azpacr") },
		"claim of version 1.0": func(c map[string]any) {
			c["azpacr"] = "0"
			c["appidacr"] = "1"
		},
	} {
		status, header, body := s.call(s.mint(fakeentra.Token{Edit: edit}), callUserName)
		assert.Equal(t, http.StatusForbidden, status, name)
		assert.Empty(t, header.Get("WWW-Authenticate"), name)
		assert.Contains(t, body, "access_denied", name)
	}
	assert.Contains(t, log.String(), "AUTH_CONFIDENTIAL_CLIENTS")
}

func TestDirectModeExplainsGraphFailure(t *testing.T) {
	t.Parallel()
	withoutSecret := func(c *server.Config) { c.Entra.ClientSecret = "" }
	withoutConsent := func(c *server.Config) { c.Scopes[0].Upstream = []string{"Mail.Read"} }
	for name, test := range map[string]struct {
		edit func(*server.Config)
		want string
	}{
		"no secret":  {withoutSecret, "AUTH_CLIENT_SECRET"},
		"no consent": {withoutConsent, "an administrator has to grant"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newDirectEnv(t, test.edit)
			status, _, body := s.call(s.mint(fakeentra.Token{}), callUserName)
			assert.Equal(t, http.StatusOK, status)
			assert.Contains(t, body, `"isError":true`)
			assert.Contains(t, body, test.want)
		})
	}
}

func TestDirectModeNeedsKeys(t *testing.T) {
	t.Parallel()
	s := newDirectEnv(t, nil)
	raw := s.mint(fakeentra.Token{})
	s.fake.InjectFor(t, fault.Fault{Times: fault.Forever, Drop: true})
	status, header, _ := s.call(raw, callUserName)
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.NotEmpty(t, header.Get("Retry-After"))
	assert.Empty(t, header.Get("WWW-Authenticate"), "a challenge would make clients drop good tokens")
}

// TestClientSignsInAtEntra runs the whole flow of direct mode with a client that has an application
// ID in the tenant. The endpoint's URL is an identifier URI of the API, because Entra requires that
// for the parameter resource.
func TestClientSignsInAtEntra(t *testing.T) {
	t.Parallel()
	all := apiDirectory()
	fake := fakeentra.NewServer(fakeentra.Config{Directory: all})
	t.Cleanup(fake.Close)
	var endpoint string
	origin := startServer(t, func(config *server.Config) {
		direct(fake)(config)
		endpoint = config.PublicURL + "/mcp"
		config.Direct.IdentifierURI = endpoint
	})
	all.Tenants[0].Apps[1].IdentifierURIs = []string{endpoint}
	all.Tenants[0].Apps[1].PublicClient = []string{"http://localhost/callback"}
	require.NoError(t, fake.SetDirectory(all))
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	signedIn, err := client.New(client.Config{
		Server:       origin + "/mcp",
		Base:         base,
		ClientID:     directory.DefaultAPIID,
		ClientIssuer: fake.Issuer(directory.DefaultTenantID),
		Browser:      visit,
		Entra:        client.EntraExceptions{UnadvertisedPKCE: true},
	})
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint, strings.NewReader(callUserName))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Mcp-Protocol-Version", "2025-11-25")
	resp, err := (&http.Client{Transport: signedIn}).Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Contains(t, string(text), "User name is Adele Vance")
}

// TestRegisteredClientSignsIn lets the sign-in of package conformance use a client of the tenant,
// because Entra ID registers none. The fake refuses the parameter resource, as Entra ID does.
func TestRegisteredClientSignsIn(t *testing.T) {
	t.Parallel()
	s := newDirectEnv(t, nil)
	signIn := signin.SignIn{
		URL:         s.origin + "/mcp",
		Open:        visit,
		ClientID:    directory.DefaultAPIID,
		RedirectURI: "http://localhost/callback",
	}
	token, err := signIn.Token(t.Context())
	require.NoError(t, err)
	status, _, text := s.call(token, callWhoami)
	assert.Equal(t, http.StatusOK, status, text)
}
