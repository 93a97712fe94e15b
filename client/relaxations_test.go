package client_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
)

func TestSignInReadsMalformedChallenge(t *testing.T) {
	t.Parallel()
	for name, challenge := range map[string]string{
		"two addresses":            `Bearer resource_metadata="URL", resource_metadata="https://evil.example.com/x"`,
		"two challenges":           `Bearer resource_metadata="URL", Bearer resource_metadata="https://evil.test/x"`,
		"a relative address":       `Bearer resource_metadata="/.well-known/oauth-protected-resource/mcp"`,
		"no quotes":                `Bearer resource_metadata=URL`,
		"single quotes":            `Bearer resource_metadata='URL'`,
		"one quote":                `Bearer resource_metadata="URL`,
		"no quotes, elsewhere":     `Bearer resource_metadata=https://evil.example.com/about`,
		"single quotes, elsewhere": `Bearer resource_metadata='https://evil.example.com/about'`,
		"nothing but a scheme":     `Bearer`,
		"no scheme":                `resource_metadata="URL"`,
		"something else":           `Please sign in!`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			at := env.URL + "/.well-known/oauth-protected-resource/mcp"
			env.challenge = strings.ReplaceAll(challenge, "URL", at)
			_, through := env.client(nil)
			code, _ := post(t, through, env.URL+"/mcp", "{}")
			assert.Equal(t, http.StatusOK, code)
			assert.Len(t, env.pages(), 1)
			assert.Equal(t, 1, env.count("GET /.well-known/oauth-protected-resource/mcp"))
		})
	}
}

func TestServerURLMayHaveQuery(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	_, through := env.client(func(config *client.Config) { config.Server += "?key=1" })
	code, _ := post(t, through, env.URL+"/mcp?key=1", "{}")
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, env.URL+"/mcp", env.pages()[0].Get("resource"), "the metadata's resource, not the address")
}

// created answers with 201 instead of the handler's status.
type created struct{ http.ResponseWriter }

func (c created) WriteHeader(int) { c.ResponseWriter.WriteHeader(http.StatusCreated) }

func TestSignInAcceptsOther2xx(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.replace["/register"] = func(w http.ResponseWriter, _ *http.Request) {
		env.json(w, 202, `{"client_id":"client-1"}`)
	}
	env.replace["/token"] = func(w http.ResponseWriter, r *http.Request) {
		env.token(created{w}, r)
	}
	_, through := env.client(nil)
	code, _ := post(t, through, env.URL+"/mcp", "{}")
	assert.Equal(t, http.StatusOK, code)

	for path, step := range map[string]string{"/token": "token refused", "/register": "registration refused"} {
		env := newEnv(t)
		env.replace[path] = func(w http.ResponseWriter, _ *http.Request) {
			env.json(w, 200, `{"error":"bad_thing","error_description":"as it is"}`)
		}
		_, through := env.client(nil)
		assert.ErrorContains(t, refused(t, through, env.URL+"/mcp"), step+": bad_thing (as it is)")
	}
}

// refusingResource is a token endpoint that refuses the parameter resource, as Entra ID does.
func refusingResource(env *testEnv) {
	env.replace["/token"] = func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("resource") != "" {
			env.json(w, 400, `{"error":"invalid_target","error_description":"AADSTS9010010: No match."}`)
			return
		}
		env.token(w, r)
	}
}

// slashIssuer names an issuer with a slash at its end.
func slashIssuer(env *testEnv) {
	env.replace["/.well-known/oauth-authorization-server"] = func(w http.ResponseWriter, _ *http.Request) {
		env.json(w, 200, `{"issuer":"ORIGIN/","authorization_endpoint":"ORIGIN/authorize",
			"token_endpoint":"ORIGIN/token","registration_endpoint":"ORIGIN/register",
			"code_challenge_methods_supported":["S256"]}`)
	}
}

// originMetadata describes the server's origin instead of the server.
func originMetadata(env *testEnv) {
	env.replace["/.well-known/oauth-protected-resource/mcp"] = func(w http.ResponseWriter, _ *http.Request) {
		env.json(w, 200, `{"resource":"ORIGIN","authorization_servers":["ORIGIN"]}`)
	}
}

// TestRefusalNamesFlag: a refusal names the flag that relaxes it, and the sign-in succeeds with the
// flag.
func TestRefusalNamesFlag(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		spoil func(env *testEnv)
		flag  string
		relax func(config *client.Config)
		iss   string // after the origin
	}{
		{"an issuer with a slash", slashIssuer, "--issuer-root-slash",
			func(config *client.Config) { config.Relax.IssuerRootSlash = true }, "/"},
		{"metadata of the origin", originMetadata, "--resource-above",
			func(config *client.Config) { config.Relax.ResourceAbove = true }, ""},
		{"no PKCE", func(env *testEnv) { env.metadata("") }, "--entra-unadvertised-pkce",
			func(config *client.Config) { config.Entra.UnadvertisedPKCE = true }, ""},
		{"a refused resource", refusingResource, "--entra-no-resource",
			func(config *client.Config) { config.Entra.NoResource = true }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			c.spoil(env)
			_, through := env.client(nil)
			_, err := through.Get(env.URL + "/mcp")
			require.ErrorContains(t, err, c.flag)
			env.iss = env.URL + c.iss
			_, through = env.client(c.relax)
			code, _ := post(t, through, env.URL+"/mcp", "{}")
			assert.Equal(t, http.StatusOK, code)
		})
	}
}

// TestIssStaysExact: the metadata's issuer has a slash at its end, and the answer's iss has none.
func TestIssStaysExact(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	slashIssuer(env)
	_, through := env.client(func(config *client.Config) { config.Relax.IssuerRootSlash = true })
	assert.ErrorContains(t, refused(t, through, env.URL+"/mcp"), "want iss "+env.URL+"/")
	assert.Zero(t, env.count("POST /token"))
}
