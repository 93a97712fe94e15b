package client_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
)

func TestStepUpKeepsEarlierScopes(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.mcp = demanding(env, func(int) string { return "b c" })
	_, through := env.client(func(config *client.Config) { config.RedirectURI = keptRedirectURI(t) })
	code, text := post(t, through, env.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, "done", text)
	require.Len(t, env.pages(), 2)
	assert.ElementsMatch(t, []string{"a", "b", "c"}, strings.Fields(env.pages()[1].Get("scope")))
	assert.Zero(t, env.count("refresh_token"), "a refresh brings no more scopes")
	assert.Equal(t, 1, env.count("POST /register"))
}

// TestStepUpReadsMalformedChallenge: the server breaks the rules for the address of its metadata.
func TestStepUpReadsMalformedChallenge(t *testing.T) {
	t.Parallel()
	for name, challenge := range map[string]string{
		"no quotes":             `Bearer error="insufficient_scope", scope="b", resource_metadata=URL`,
		"no quotes, in front":   `Bearer resource_metadata=URL, error="insufficient_scope", scope="b"`,
		"two addresses":         `Bearer resource_metadata=x, resource_metadata=y, error=insufficient_scope, scope=b`,
		"single quotes":         `Bearer resource_metadata='URL', error='insufficient_scope', scope='b'`,
		"a relative address":    `Bearer error="insufficient_scope", scope="b", resource_metadata="//x/y"`,
		"an address cut off":    `Bearer error="insufficient_scope", scope="b", resource_metadata="URL`,
		"a semicolon behind it": `Bearer resource_metadata="URL"; error="insufficient_scope", scope="b"`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			at := env.URL + "/.well-known/oauth-protected-resource/mcp"
			env.mcp = func(w http.ResponseWriter, _ *http.Request) {
				if len(env.pages()) < 2 {
					w.Header().Set("WWW-Authenticate", strings.ReplaceAll(challenge, "URL", at))
					w.WriteHeader(http.StatusForbidden)
				}
			}
			_, through := env.client(nil)
			code, _ := post(t, through, env.URL+"/mcp", "")
			assert.Equal(t, http.StatusOK, code)
			require.Len(t, env.pages(), 2)
			assert.ElementsMatch(t, []string{"a", "b"}, strings.Fields(env.pages()[1].Get("scope")))
		})
	}
}

// TestRegistrationNamesNoScopes: an authorization server may limit a client to the scopes in its
// registration.
func TestRegistrationNamesNoScopes(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.mcp = demanding(env, func(int) string { return "b c" })
	registered := ""
	env.replace["/register"] = func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		registered = string(text)
		env.json(w, 201, `{"client_id":"client-1"}`)
	}
	_, through := env.client(nil)
	code, _ := post(t, through, env.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	assert.NotContains(t, registered, `"scope"`)
}

func TestStepUpIsBounded(t *testing.T) {
	t.Parallel()
	numbered := func(n int) string { return fmt.Sprintf("more-%d", n) }
	tooMany := func(n int) string { return strings.Repeat("x", n) + manyScopes(200) }
	for _, c := range []struct {
		name   string
		demand func(signIns int) string
		pages  int
		says   string
	}{
		{"another scope each time", numbered, 4, "still demands more scopes: more-4"},
		{"no scopes", func(int) string { return `" error_description="x` }, 1, "names none"},
		{"invalid scopes", func(int) string { return "\u202eü" }, 1, "names none"},
		{"too many scopes", tooMany, 1, "at most 100 are requested"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			env.mcp = demanding(env, c.demand)
			if c.says == "names none" {
				env.mcp = func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="`+c.demand(0)+`"`)
					w.WriteHeader(http.StatusForbidden)
				}
			}
			_, through := env.client(nil)
			failed := refused(t, through, env.URL+"/mcp")
			assert.ErrorContains(t, failed, c.says)
			assert.Less(t, len(failed.Error()), 300)
			assert.Len(t, env.pages(), c.pages)
		})
	}
}

// manyScopes returns a list of n scopes.
func manyScopes(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("s%d", i))
	}
	return strings.Join(all, " ")
}

func TestStepUpRequestsScopesOnce(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.mcp = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="b"`)
		w.WriteHeader(http.StatusForbidden)
	}
	_, through := env.client(nil)
	assert.ErrorContains(t, refused(t, through, env.URL+"/mcp"), "still demands more scopes: b")
	assert.Len(t, env.pages(), 2)
	refused(t, through, env.URL+"/mcp")
	assert.Len(t, env.pages(), 2)
}

// TestStepUpsAreCountedByOperation: the server demands another scope for a tool each time. The
// person is not asked again for each call, but is for another tool.
func TestStepUpsAreCountedByOperation(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	satisfied := false
	env.mcp = func(w http.ResponseWriter, r *http.Request) {
		if satisfied {
			return
		}
		demanding(env, func(n int) string { return fmt.Sprintf("more-%d", n) })(w, r)
	}
	under, through := env.client(nil)
	call := func(tool string) error {
		message := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + tool + `"}}`
		response, err := through.Post(env.URL+"/mcp", "application/json", strings.NewReader(message))
		if err == nil {
			_ = response.Body.Close()
		}
		return err
	}
	for range 4 {
		require.ErrorContains(t, call("one"), "still demands more scopes")
	}
	assert.Len(t, env.pages(), 4, "one sign-in, and three step-ups that did not help")
	require.Error(t, call("two"))
	assert.Len(t, env.pages(), 7)
	satisfied = true
	require.NoError(t, call("one"))
	satisfied = false
	require.Error(t, call("one"))
	assert.Len(t, env.pages(), 10, "after a success the count starts again")
	under.Reset()
	require.Error(t, call("two"))
	assert.Len(t, env.pages(), 13)
}

// TestConcurrentRequestsShareStepUp: ten requests meet the same demand, and share one sign-in.
func TestConcurrentRequestsShareStepUp(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.mcp = func(http.ResponseWriter, *http.Request) {}
	_, through := env.client(nil)
	code, _ := post(t, through, env.URL+"/mcp", "{}")
	require.Equal(t, http.StatusOK, code)
	var waiting sync.WaitGroup
	const all = 10
	waiting.Add(all)
	env.mcp = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer secret-access-1" {
			waiting.Done()
			waiting.Wait()
			w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="b"`)
			w.WriteHeader(http.StatusForbidden)
		}
	}
	var group sync.WaitGroup
	for range all {
		group.Go(func() {
			code, _ := post(t, through, env.URL+"/mcp", "{}")
			assert.Equal(t, http.StatusOK, code)
		})
	}
	group.Wait()
	assert.Len(t, env.pages(), 2)
}

func TestOtherRefusalsReachCaller(t *testing.T) {
	t.Parallel()
	for name, challenge := range map[string]string{
		"without a challenge":        "",
		"with another error":         `Bearer error="access_denied"`,
		"with another scheme":        `Basic error="insufficient_scope"`,
		"with a challenge of errors": `Bearer error="insufficient_scope`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			env.mcp = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("WWW-Authenticate", challenge)
				w.WriteHeader(http.StatusForbidden)
				_, _ = w.Write([]byte("not you"))
			}
			_, through := env.client(nil)
			code, text := post(t, through, env.URL+"/mcp", "")
			assert.Equal(t, http.StatusForbidden, code)
			assert.Equal(t, "not you", text)
			assert.Len(t, env.pages(), 1)
		})
	}
}
