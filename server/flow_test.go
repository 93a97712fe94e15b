package server_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/server"
	"mcpentra/server/guard"
)

func TestBrokerModeFromChallengeToToolCall(t *testing.T) {
	t.Parallel()
	s := newEnv(t, nil)
	clientID, tokens := s.signIn()
	access := tokens["access_token"].(string)
	status, _, body := s.call(access, callUserName)
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, "User name is Adele Vance")
	status, _, body = s.call(access, callWhoami)
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, s.fake.Tenant().Users[0].ID)

	status, _, _ = s.postForm(s.origin+"/revoke", url.Values{
		"client_id": {clientID},
		"token":     {tokens["refresh_token"].(string)},
	})
	assert.Equal(t, http.StatusOK, status)
	status, header, _ := s.call(access, callUserName)
	assert.Equal(t, http.StatusUnauthorized, status, "a revocation counts at once")
	assert.Contains(t, header.Get("WWW-Authenticate"), `error="invalid_token"`)
}

func TestHandlerGetsCallerAndGraphToken(t *testing.T) {
	t.Parallel()
	var s *env
	s = newEnv(t, func(config *server.Config) {
		config.MCP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			caller, _ := guard.FromContext(r.Context())
			graph, err := s.server.GraphToken(r.Context())
			if err == nil {
				_, err = s.profile(r.Context(), graph)
			}
			fmt.Fprintf(w, "%s, %v, %q", caller.Name, err, r.Header.Get("Authorization"))
		})
	})
	_, tokens := s.signIn()
	status, _, body := s.call(tokens["access_token"].(string), `{"jsonrpc":"2.0","id":1,"method":"ping"}`)
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, `Adele Vance, <nil>, ""`, body)
}
