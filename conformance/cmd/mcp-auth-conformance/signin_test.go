package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// follow opens a page as $BROWSER.
func follow(page string) {
	response, err := http.Get(page)
	if err != nil {
		os.Exit(1)
	}
	_ = response.Body.Close()
}

// startOpaque starts an MCP server that refuses each opaque token of its authorization server. The
// authorization server answers with these parameters.
func startOpaque(t *testing.T, response url.Values) string {
	t.Helper()
	var origin string
	answer := func(status int, document map[string]any) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			text, _ := json.Marshal(document)
			_, _ = w.Write([]byte(strings.ReplaceAll(string(text), "{origin}", origin)))
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/mcp", func(w http.ResponseWriter, r *http.Request) {
		challenge := `Bearer resource_metadata="` + origin + `/metadata"`
		if r.Header.Get("Authorization") != "" {
			challenge += `, error="invalid_token", error_description="The token is unknown"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
		w.WriteHeader(http.StatusUnauthorized)
	})
	mux.HandleFunc("/metadata", answer(http.StatusOK, map[string]any{
		"resource":              "{origin}/mcp",
		"authorization_servers": []string{"{origin}"},
	}))
	mux.HandleFunc("/.well-known/oauth-authorization-server", answer(http.StatusOK, map[string]any{
		"issuer":                 "{origin}",
		"authorization_endpoint": "{origin}/authorize",
		"token_endpoint":         "{origin}/token",
		"registration_endpoint":  "{origin}/register",
	}))
	mux.HandleFunc("/register", answer(http.StatusCreated, map[string]any{"client_id": "a client"}))
	mux.HandleFunc("/token", answer(http.StatusOK, map[string]any{"access_token": "opaque", "token_type": "Bearer"}))
	mux.HandleFunc("/authorize", func(w http.ResponseWriter, r *http.Request) {
		if response == nil {
			http.Error(w, "You may not sign in here.", http.StatusBadRequest)
			return
		}
		target := url.Values{"state": {r.FormValue("state")}}
		for name, values := range response {
			target[name] = values
		}
		http.Redirect(w, r, r.FormValue("redirect_uri")+"?"+target.Encode(), http.StatusFound)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	origin = server.URL
	return origin + "/mcp"
}

// TestRefusedSignInEndsWithServersText wants status 3 and the server's own words if a sign-in is
// refused: by the authorization server, or by the MCP server that gets the opaque token.
func TestRefusedSignInEndsWithServersText(t *testing.T) {
	t.Setenv("BROWSER", "'"+os.Args[0]+"' browse")
	for _, test := range []struct {
		name     string
		response url.Values
		want     string
	}{
		{
			"a denial",
			url.Values{"error": {"access_denied"}, "error_description": {"not today"}},
			`the server refuses the authorization: error "access_denied": "not today"`,
		},
		{"a page", nil, `the authorization with status 400: "You may not sign in here."`},
		{
			"a token that the server refuses",
			url.Values{"code": {"a code"}},
			`refuses the token of the sign-in: "the server answers 401 (invalid_token: The token is unknown)"`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out, log bytes.Buffer
			command := newCommand()
			command.SetOut(&out)
			command.SetErr(&log)
			endpoint := startOpaque(t, test.response)
			command.SetArgs([]string{"server", endpoint, "--sign-in", "--only", "server/token/accepted"})
			err := command.ExecuteContext(t.Context())
			assert.ErrorContains(t, err, test.want, "%s\n%s", out.String(), log.String())
			assert.Equal(t, exitRefused, status(err))
		})
	}
}
