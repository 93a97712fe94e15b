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
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/server"
	"mcpentra/server/broker"
	"mcpentra/server/entra"
)

const apiSecret = "secret of the api"

// apiDirectory has an API whose server may go on behalf of people, and an app role for
// applications.
func apiDirectory() directory.Directory {
	all := directory.Default()
	api := &all.Tenants[0].Apps[1]
	api.Secrets = []string{apiSecret}
	api.Consented = []string{"User.Read"}
	api.Roles = []directory.Role{{Value: "Tool.Call"}}
	return all
}

// direct turns a configuration into one of direct mode for the API of the directory.
func direct(fake *fakeentra.Server) func(*server.Config) {
	return func(config *server.Config) {
		config.Entra = entra.Config{
			Authority:           fake.URL,
			TenantID:            directory.DefaultTenantID,
			ClientID:            directory.DefaultAPIID,
			ClientSecret:        apiSecret,
			HTTPClient:          fake.Client(),
			TrustPublicFakeKeys: true,
		}
		config.Direct = &server.Direct{AppRoles: []string{"Tool.Call"}}
		config.Scopes = []broker.Scope{{Name: "tool.read", Upstream: []string{"User.Read"}}}
	}
}

func newDirectSite(t *testing.T, edit func(*server.Config)) *site {
	t.Helper()
	fake := fakeentra.NewServer(fakeentra.Config{Directory: apiDirectory()})
	t.Cleanup(fake.Close)
	s := newSite(t, func(config *server.Config) {
		direct(fake)(config)
		if edit != nil {
			edit(config)
		}
	})
	s.fake = fake
	return s
}

func (s *site) mint(want fakeentra.Token) string {
	s.t.Helper()
	raw, err := s.fake.Mint(want)
	require.NoError(s.t, err)
	return raw
}

func TestDirectModeFromChallengeToToolCall(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := newDirectSite(t, func(config *server.Config) { config.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
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
	status, _, body = s.call(raw, strings.Replace(callUserName, "get_user_name", "whoami", 1))
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, `"kind":"user"`)
	assert.NotContains(t, body, raw)
	assert.NotContains(t, log.String(), raw[len(raw)-40:])

	status, _, _ = s.send(http.MethodPost, s.origin+"/token", "")
	assert.Equal(t, http.StatusNotFound, status, "there is no authorization server here")
	_, _, page := s.send(http.MethodGet, s.origin+"/", "")
	assert.NotContains(t, page, "register itself")
}

func TestDirectModeTellsCallersApart(t *testing.T) {
	t.Parallel()
	s := newDirectSite(t, nil)
	app := func(roles ...string) fakeentra.Token {
		return fakeentra.Token{Edit: func(claims map[string]any) {
			delete(claims, "scp")
			claims["sub"] = claims["oid"]
			if roles != nil {
				claims["roles"] = roles
			}
		}}
	}
	for name, test := range map[string]struct {
		token  fakeentra.Token
		status int
		want   string
	}{
		"an application without a role":      {app(), http.StatusForbidden, "app role"},
		"an application with another role":   {app("Tool.Admin"), http.StatusForbidden, "app role"},
		"an application with the role":       {app("Tool.Call"), http.StatusOK, "needs a person"},
		"another scope of the API":           {fakeentra.Token{Scopes: []string{"tool.write"}}, http.StatusForbidden, "lacks a scope"},
		"a scope in capitals":                {fakeentra.Token{Scopes: []string{"TOOL.READ"}}, http.StatusForbidden, "lacks a scope"},
		"a scope in full":                    {fakeentra.Token{Scopes: []string{"api://" + directory.DefaultAPIID + "/tool.read"}}, http.StatusForbidden, "lacks a scope"},
		"a person with the role and nothing": {fakeentra.Token{Scopes: []string{}, Edit: func(c map[string]any) { c["roles"] = []string{"Tool.Call", "tool.read"} }}, http.StatusForbidden, "lacks a scope"},
		"for the sign-in application":        {fakeentra.Token{Edit: func(c map[string]any) { c["aud"] = directory.DefaultClientID }}, http.StatusUnauthorized, "not meant for this server"},
	} {
		t.Run(name, func(t *testing.T) {
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

func TestDirectModeRefusesAClientThatIsNotListed(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := newDirectSite(t, func(config *server.Config) {
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

func TestDirectModeRefusesPublicClientsWhereItIsToldTo(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := newDirectSite(t, func(config *server.Config) {
		config.Direct.ConfidentialClients = true
		config.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	status, _, _ := s.call(s.mint(fakeentra.Token{}), callUserName)
	assert.Equal(t, http.StatusOK, status)
	for name, edit := range map[string]func(map[string]any){
		"a public client":         func(c map[string]any) { c["azpacr"] = "0" },
		"a client that says none": func(c map[string]any) { delete(c, "azpacr") },
		"the claim of version 1.0": func(c map[string]any) {
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

func TestDirectModeSaysWhatGoesWrongBehindIt(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		edit func(*server.Config)
		want string
	}{
		"no secret":  {func(c *server.Config) { c.Entra.ClientSecret = "" }, "AUTH_CLIENT_SECRET"},
		"no consent": {func(c *server.Config) { c.Scopes[0].Upstream = []string{"Mail.Read"} }, "an administrator has to grant"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newDirectSite(t, test.edit)
			status, _, body := s.call(s.mint(fakeentra.Token{}), callUserName)
			assert.Equal(t, http.StatusOK, status)
			assert.Contains(t, body, `"isError":true`)
			assert.Contains(t, body, test.want)
		})
	}
}

func TestDirectModeIsClosedWhileKeysCannotBeHad(t *testing.T) {
	t.Parallel()
	s := newDirectSite(t, nil)
	raw := s.mint(fakeentra.Token{})
	s.fake.Close()
	status, header, _ := s.call(raw, callUserName)
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.NotEmpty(t, header.Get("Retry-After"))
	assert.Empty(t, header.Get("WWW-Authenticate"), "clients would throw good tokens away")
}

// TestAClientSignsInAtEntraItself goes the whole way of direct mode with a client that has an
// application ID in the tenant: the endpoint's URL is an identifier URI of the API, as Entra wants
// it for the parameter resource.
func TestAClientSignsInAtEntraItself(t *testing.T) {
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
