package doctor_test

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/doctor"
)

// TestWalkDeletesItsClient registers at a site that lets clients delete themselves (RFC 7592), and
// at one that then refuses.
func TestWalkDeletesItsClient(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		http.StatusNoContent:    "registration-deleted",
		http.StatusUnauthorized: "registration-kept",
	} {
		s := newSite(t)
		s.client["registration_client_uri"] = s.origin + "/register/1"
		s.client["registration_access_token"] = "secret-of-the-client"
		asked := make(chan string, 10)
		s.own["/register/1"] = func(w http.ResponseWriter, r *http.Request) {
			asked <- r.Method + " " + r.Header.Get("Authorization")
			w.WriteHeader(status)
		}
		report, err := doctor.Walk(t.Context(), s.config)
		require.NoError(t, err)
		assert.Equal(t, "DELETE Bearer secret-of-the-client", <-asked)
		assert.Contains(t, found(report, doctor.Fine), want)
		var out bytes.Buffer
		require.NoError(t, report.WriteJSON(&out))
		assert.NotContains(t, out.String(), "secret-of-the-client")
	}
}

// TestWalkHidesKeysOfTheAddress has keys in the query of the endpoint, and a password in an address
// that cannot be used.
func TestWalkHidesKeysOfTheAddress(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	address := s.config.URL
	for query, shown := range map[string]string{
		"?key=hidden-hidden&a=b": "?key=…&a=…",
		"?hidden-hidden":         "?…",
		"?key=hidden%2Fhidden":   "?key=…",
	} {
		s.config.URL = address + query
		report, err := doctor.Walk(t.Context(), s.config)
		require.NoError(t, err)
		assert.Equal(t, address+shown, report.Subject)
		report.Settings = nil // settings need the key
		var out bytes.Buffer
		require.NoError(t, report.WriteJSON(&out))
		require.NoError(t, report.WriteText(&out, false))
		assert.NotContains(t, out.String(), "hidden")
	}
	for _, wrong := range []string{
		"https://ada:hidden@mcp.example.com/mcp",
		"ada:hidden@mcp.example.com/mcp",
		"https://ada:hid%zzden@mcp.example.com",
	} {
		report, err := doctor.Walk(t.Context(), doctor.Config{URL: wrong})
		require.NoError(t, err)
		var out bytes.Buffer
		require.NoError(t, report.WriteText(&out, false))
		assert.NotContains(t, out.String(), "hid")
		assert.Equal(t, 2, report.ExitStatus())
	}
}
