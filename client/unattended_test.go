package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
)

// withSecret configures client credentials with a secret.
func withSecret(_ *testEnv, config *client.Config) {
	config.ClientID = "known"
	config.ClientSecret = "secret-of-client"
	config.Unattended = client.ClientCredentials{}
}

// withScope is withSecret for a scope that the operator names.
func withScope(env *testEnv, config *client.Config) {
	withSecret(env, config)
	config.Scopes = []string{"api://x/.default"}
}

func withWorkload(_ *testEnv, config *client.Config) {
	config.Unattended = client.Workload{Assertion: constant("secret-jwt")}
}

// withEnterprise adds an identity provider, and configures a sign-in with it.
func withEnterprise(env *testEnv, config *client.Config) {
	env.replace["/idp/token"] = func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(env.t, "secret-id-token", r.FormValue("subject_token"))
		assert.Equal(env.t, env.URL, r.FormValue("audience"))
		assert.Equal(env.t, env.URL+"/mcp", r.FormValue("resource"))
		assert.Equal(env.t, "at-idp", r.FormValue("client_id"))
		env.json(w, 200, `{"issued_token_type":"urn:ietf:params:oauth:token-type:id-jag",
			"access_token":"secret-jag","token_type":"N_A"}`)
	}
	env.replace["/.well-known/oauth-authorization-server/idp"] = func(w http.ResponseWriter, _ *http.Request) {
		env.json(w, 200, `{"issuer":"ORIGIN/idp","token_endpoint":"ORIGIN/idp/token"}`)
	}
	config.ClientID = "known"
	config.ClientSecret = "secret-of-client"
	config.Unattended = client.Enterprise{
		IDToken:  constant("secret-id-token"),
		Issuer:   env.URL + "/idp",
		ClientID: "at-idp",
	}
}

func TestUnattendedNeedsNoPerson(t *testing.T) {
	t.Parallel()
	const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	secret := []string{"known:secret-of-client"}
	for _, c := range []struct {
		name string
		set  func(env *testEnv, config *client.Config)
		want url.Values
	}{
		{"client credentials with a secret", withSecret, url.Values{
			"grant_type": {"client_credentials"},
			"scope":      {"a"},
			"basic":      secret,
		}},
		{"client credentials for the operator's scope", withScope, url.Values{
			"grant_type": {"client_credentials"},
			"scope":      {"api://x/.default"},
			"basic":      secret,
		}},
		{"a workload", withWorkload, url.Values{
			"grant_type": {jwtBearer},
			"assertion":  {"secret-jwt"},
			"scope":      {"a"},
		}},
		{"an organisation", withEnterprise, url.Values{
			"grant_type": {jwtBearer},
			"assertion":  {"secret-jag"},
			"scope":      {"a"},
			"basic":      secret,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			sent := forms(env)
			// The metadata has no authorization endpoint and no PKCE, because there is no code to
			// protect.
			env.replace["/.well-known/oauth-authorization-server"] = func(w http.ResponseWriter, _ *http.Request) {
				env.json(w, 200, `{"issuer":"ORIGIN","token_endpoint":"ORIGIN/token",
					"registration_endpoint":"ORIGIN/register"}`)
			}
			_, through := env.client(func(config *client.Config) { c.set(env, config) })
			code, _ := post(t, through, env.URL+"/mcp", "")
			assert.Equal(t, http.StatusOK, code)
			c.want.Set("resource", env.URL+"/mcp")
			assert.Equal(t, []url.Values{c.want}, sent())
			assert.Empty(t, env.pages())
			assert.Zero(t, env.count("POST /register"))

			env.end() // the server demands another token
			env.pass(time.Hour)
			code, _ = post(t, through, env.URL+"/mcp", "")
			assert.Equal(t, http.StatusOK, code)
			for _, event := range env.told() {
				if event, ok := event.(client.Challenged); ok {
					assert.NotContains(t, event.Challenge, "secret-")
				}
			}
		})
	}
}

func TestRefusedWorkloadTriesNothingElse(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.replace["/token"] = func(w http.ResponseWriter, _ *http.Request) {
		env.json(w, 400, `{"error":"invalid_grant"}`)
	}
	_, through := env.client(func(config *client.Config) { withWorkload(env, config) })
	assert.ErrorContains(t, refused(t, through, env.URL+"/mcp"), "invalid_grant")
	refused(t, through, env.URL+"/mcp")
	assert.Equal(t, 1, env.count("POST /token"))
	assert.Empty(t, env.pages())

	env = newEnv(t)
	_, through = env.client(func(config *client.Config) {
		config.Unattended = client.Workload{
			Assertion: func(context.Context) (string, error) { return "", errors.New("the file is missing") },
		}
	})
	_, err := through.Get(env.URL + "/mcp")
	require.ErrorContains(t, err, "workload identity: the file is missing")
}

func TestUnattendedKeepsOperatorsScopes(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	sent := forms(env)
	env.mcp = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="b"`)
		w.WriteHeader(http.StatusForbidden)
	}
	_, through := env.client(func(config *client.Config) {
		config.ClientID = "known"
		config.ClientKey = newKey(t)
		config.Unattended = client.ClientCredentials{}
		config.Scopes = []string{"a"}
	})
	assert.ErrorContains(t, refused(t, through, env.URL+"/mcp"), "still demands more scopes: b")
	assert.LessOrEqual(t, len(sent()), 2)
	assert.NotEmpty(t, sent()[0].Get("client_assertion"))
}

func TestTokenFromConfig(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.good["secret-given-1"] = true
	env.good["secret-given-2"] = true
	given := "secret-given-1"
	_, through := env.client(func(config *client.Config) {
		config.Token = func(context.Context) (string, error) { return given, nil }
	})
	code, _ := post(t, through, env.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, 1, env.count("POST /mcp"), "the first request carries it")

	env.mu.Lock()
	env.good["secret-given-1"] = false
	env.mu.Unlock()
	given = "secret-given-2"
	code, _ = post(t, through, env.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code, "Config.Token returns another one now")

	env.end()
	assert.ErrorContains(t, refused(t, through, env.URL+"/mcp"), "refuses the given access token")
	sent := env.count("")
	refused(t, through, env.URL+"/mcp")
	assert.Equal(t, sent, env.count(""), "the client tries nothing else")
	assert.Empty(t, env.pages())
	assert.Zero(t, env.count("GET /.well-known"))

	for name, bad := range map[string]string{"empty": "", "two lines": "a\nb", "not ASCII": "ü"} {
		_, through = env.client(func(config *client.Config) { config.Token = constant(bad) })
		assert.ErrorContains(t, refused(t, through, env.URL+"/mcp"), "want an access token of visible ASCII", name)
	}
}

func TestNewRefusesContradictions(t *testing.T) {
	t.Parallel()
	anyWorkload := client.Workload{Assertion: constant("x")}
	noIssuer := client.Enterprise{IDToken: constant("x"), ClientID: "a"}
	withIssuer := noIssuer
	withIssuer.Issuer = "https://idp.example.com"
	for says, config := range map[string]client.Config{
		"more than one way":                        {DeviceCode: true, Unattended: anyWorkload},
		"at most one of Paste":                     {DeviceCode: true, Token: constant("x")},
		"a client key without a client ID":         {ClientKey: newKey(t)},
		"both a secret and a key":                  {ClientID: "a", ClientSecret: "s", ClientKey: newKey(t)},
		"an issuer of the client ID without":       {ClientIssuer: "https://login.example.com"},
		"want an https URL":                        {ClientDocument: "http://app.example.com/c"},
		"want a client ID, and a secret or a key":  {ClientID: "a", Unattended: client.ClientCredentials{}},
		"workload identity: want an assertion":     {Unattended: client.Workload{}},
		"want an ID token, and the client ID":      {Unattended: client.Enterprise{ClientID: "a"}},
		"want the issuer of the identity provider": {Unattended: noIssuer},
		"at the MCP server's authorization server": {Unattended: withIssuer},
	} {
		config.Server = "https://mcp.example.com/mcp"
		_, err := client.New(config)
		require.ErrorContains(t, err, says)
	}
}
