package server_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/server"
	"mcpentra/server/upstream"
)

const guestHome = "5a1e0001-0000-4000-8000-00000000f00d"

// TestGuestsAreGuestsInBothModes checks what whoami and an upstream learn of a guest with a role
// and a group.
func TestGuestsAreGuestsInBothModes(t *testing.T) {
	t.Parallel()
	const group = "5a1e0006-0000-4000-8000-000000000001"
	guest := func(app int) directory.Directory {
		all := apiDirectory()
		tenant := &all.Tenants[0]
		tenant.Users[0].HomeTenant = guestHome
		tenant.Groups = []directory.Group{{ID: group, DisplayName: "Staff", Members: []string{directory.DefaultUserID}}}
		registered := &tenant.Apps[app]
		registered.Roles = append(registered.Roles, directory.Role{Value: "Admin"})
		registered.Assignments = []directory.Assignment{{Principal: directory.DefaultUserID, Role: "Admin"}}
		registered.GroupMembershipClaims = "SecurityGroup"
		return all
	}
	broker := func(t *testing.T, edit func(*server.Config)) (*env, string) {
		fake := fakeentra.NewServer(fakeentra.Config{Directory: guest(0)})
		t.Cleanup(fake.Close)
		s := newEnvOf(t, fake, edit)
		_, tokens := s.signIn()
		return s, tokens["access_token"].(string)
	}
	direct := func(t *testing.T, edit func(*server.Config)) (*env, string) {
		s := newDirectEnv(t, edit)
		require.NoError(t, s.fake.SetDirectory(guest(1)))
		return s, s.mint(fakeentra.Token{})
	}
	for name, mode := range map[string]func(*testing.T, func(*server.Config)) (*env, string){
		"broker": broker,
		"direct": direct,
	} {
		t.Run(name+" whoami", func(t *testing.T) {
			t.Parallel()
			s, token := mode(t, func(*server.Config) {})
			status, _, body := s.call(token, callWhoami)
			require.Equal(t, http.StatusOK, status, body)
			assert.Contains(t, body, `"kind":"guest"`)
			assert.Contains(t, body, `"kind_stated":true`)
			assert.Contains(t, body, `"roles":["Admin"]`)
			assert.Contains(t, body, `"groups":["`+group+`"]`)
			assert.NotContains(t, body, "groups_incomplete")
		})
		t.Run(name+" upstream", func(t *testing.T) {
			t.Parallel()
			callers := make(chan string, 1)
			behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				callers <- r.Header.Get(upstream.CallerHeader)
				_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":1,"result":{}}`))
			}))
			t.Cleanup(behind.Close)
			s, token := mode(t, func(config *server.Config) { config.Upstream = behind.URL })
			status, _, body := s.call(token, callUserName)
			require.Equal(t, http.StatusOK, status, body)
			payload, err := base64.RawURLEncoding.DecodeString(strings.Split(<-callers, ".")[1])
			require.NoError(t, err)
			var claims map[string]any
			require.NoError(t, json.Unmarshal(payload, &claims))
			assert.Equal(t, "guest", claims["kind"])
			assert.Equal(t, true, claims["kind_stated"])
			assert.Equal(t, []any{"Admin"}, claims["roles"])
			assert.Equal(t, []any{group}, claims["groups"])
			assert.NotContains(t, claims, "hasgroups")
		})
	}
}
