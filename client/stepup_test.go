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
)

// demanding answers with a demand for these scopes until the latest token has them all. The scopes
// of a page are those of the token that comes of it.
func demanding(s *site, scopes func(signIns int) string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		pages := s.pages()
		demand := scopes(len(pages))
		have := strings.Fields(pages[len(pages)-1].Get("scope"))
		for _, one := range strings.Fields(demand) {
			if !strings.Contains(" "+strings.Join(have, " ")+" ", " "+one+" ") {
				w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="`+demand+`"`)
				w.WriteHeader(http.StatusForbidden)
				return
			}
		}
		_, _ = w.Write([]byte("done"))
	}
}

func TestStepUpAsksForMoreAndTakesNothingAway(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.mcp = demanding(s, func(int) string { return "b c" })
	_, through := s.client(nil)
	code, text := post(t, through, s.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, "done", text)
	require.Len(t, s.pages(), 2)
	assert.ElementsMatch(t, []string{"a", "b", "c"}, strings.Fields(s.pages()[1].Get("scope")))
	assert.Zero(t, s.count("refresh_token"), "a refresh brings no more scopes")
	assert.Equal(t, 1, s.count("POST /register"))
}

// TestStepUpByAChallengeThatIsNotWellFormed has a server that breaks the rules for the address of
// its metadata.
func TestStepUpByAChallengeThatIsNotWellFormed(t *testing.T) {
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
			s := newSite(t)
			at := s.URL + "/.well-known/oauth-protected-resource/mcp"
			s.mcp = func(w http.ResponseWriter, _ *http.Request) {
				if len(s.pages()) < 2 {
					w.Header().Set("WWW-Authenticate", strings.ReplaceAll(challenge, "URL", at))
					w.WriteHeader(http.StatusForbidden)
				}
			}
			_, through := s.client(nil)
			code, _ := post(t, through, s.URL+"/mcp", "")
			assert.Equal(t, http.StatusOK, code)
			require.Len(t, s.pages(), 2)
			assert.ElementsMatch(t, []string{"a", "b"}, strings.Fields(s.pages()[1].Get("scope")))
		})
	}
}

// TestARegistrationLimitsNoStepUp has an authorization server hold a client to the scopes that it
// registered with.
func TestARegistrationLimitsNoStepUp(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.mcp = demanding(s, func(int) string { return "b c" })
	registered := ""
	s.replace["/register"] = func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		registered = string(text)
		s.json(w, 201, `{"client_id":"client-1"}`)
	}
	_, through := s.client(nil)
	code, _ := post(t, through, s.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	assert.NotContains(t, registered, `"scope"`)
}

func TestStepUpHasABudget(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		demand func(signIns int) string
		pages  int
		says   string
	}{
		"another scope each time": {func(n int) string { return fmt.Sprintf("more-%d", n) }, 4,
			"still demands more scopes: more-4"},
		"scopes that are never named": {func(int) string { return `" error_description="x` }, 1, "names none"},
		"scopes that cannot be any":   {func(int) string { return "\u202eü" }, 1, "names none"},
		"too many scopes": {func(n int) string { return strings.Repeat("x", n) + numbered(200) }, 1,
			"at most 100 are requested"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.mcp = demanding(s, c.demand)
			if c.says == "names none" {
				s.mcp = func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="`+c.demand(0)+`"`)
					w.WriteHeader(http.StatusForbidden)
				}
			}
			_, through := s.client(nil)
			failed := refused(t, through, s.URL+"/mcp")
			assert.ErrorContains(t, failed, c.says)
			assert.Less(t, len(failed.Error()), 300)
			assert.Len(t, s.pages(), c.pages)
		})
	}
}

func numbered(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("s%d", i))
	}
	return strings.Join(all, " ")
}

func TestSameScopesAreNotAskedForTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.mcp = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="b"`)
		w.WriteHeader(http.StatusForbidden)
	}
	_, through := s.client(nil)
	assert.ErrorContains(t, refused(t, through, s.URL+"/mcp"), "still demands more scopes: b")
	assert.Len(t, s.pages(), 2)
	refused(t, through, s.URL+"/mcp")
	assert.Len(t, s.pages(), 2)
}

// TestStepUpsAreCountedByOperation has a server want one more scope for a tool each time. The
// person is not asked anew for each call, and still is for another tool.
func TestStepUpsAreCountedByOperation(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	contented := false
	s.mcp = func(w http.ResponseWriter, r *http.Request) {
		if contented {
			return
		}
		demanding(s, func(n int) string { return fmt.Sprintf("more-%d", n) })(w, r)
	}
	under, through := s.client(nil)
	call := func(tool string) error {
		response, err := through.Post(
			s.URL+"/mcp",
			"application/json",
			strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"`+tool+`"}}`),
		)
		if err == nil {
			_ = response.Body.Close()
		}
		return err
	}
	for range 4 {
		require.ErrorContains(t, call("one"), "still demands more scopes")
	}
	assert.Len(t, s.pages(), 4, "one to sign in, and three that were in vain")
	require.Error(t, call("two"))
	assert.Len(t, s.pages(), 7)
	contented = true
	require.NoError(t, call("one"))
	contented = false
	require.Error(t, call("one"))
	assert.Len(t, s.pages(), 10, "what could be done begins anew")
	under.Reset()
	require.Error(t, call("two"))
	assert.Len(t, s.pages(), 13)
}

// TestStepUpOfManyRequestsAtOnce has ten requests meet the same demand. One sign-in is enough for
// all.
func TestStepUpOfManyRequestsAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.mcp = func(http.ResponseWriter, *http.Request) {}
	_, through := s.client(nil)
	code, _ := post(t, through, s.URL+"/mcp", "{}")
	require.Equal(t, http.StatusOK, code)
	var waiting sync.WaitGroup
	const all = 10
	waiting.Add(all)
	s.mcp = func(w http.ResponseWriter, r *http.Request) {
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
			code, _ := post(t, through, s.URL+"/mcp", "{}")
			assert.Equal(t, http.StatusOK, code)
		})
	}
	group.Wait()
	assert.Len(t, s.pages(), 2)
}

func TestOtherRefusalsAreTheCallers(t *testing.T) {
	t.Parallel()
	for name, challenge := range map[string]string{
		"without a challenge":        "",
		"with another error":         `Bearer error="access_denied"`,
		"with another scheme":        `Basic error="insufficient_scope"`,
		"with a challenge of errors": `Bearer error="insufficient_scope`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.mcp = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("WWW-Authenticate", challenge)
				w.WriteHeader(http.StatusForbidden)
				_, _ = w.Write([]byte("not you"))
			}
			_, through := s.client(nil)
			code, text := post(t, through, s.URL+"/mcp", "")
			assert.Equal(t, http.StatusForbidden, code)
			assert.Equal(t, "not you", text)
			assert.Len(t, s.pages(), 1)
		})
	}
}
