package console_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/internal/console"
)

func TestConnectSpeaksEveryRevision(t *testing.T) {
	t.Parallel()
	for _, revision := range console.Revisions() {
		t.Run(revision, func(t *testing.T) {
			t.Parallel()
			session := connected(t, revision)
			assert.Equal(t, revision, session.Revision)
			var out bytes.Buffer
			require.NoError(t, console.Call(t.Context(), session, "echo", `{"n":12345678901234567890,"s":"x"}`, &out))
			assert.JSONEq(t, `{"n":12345678901234567890,"s":"x"}`, out.String())
			assert.Contains(t, out.String(), "12345678901234567890", "a number keeps its digits")
		})
	}
}

func TestConnectRefusesRedirectToOtherOrigin(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://example.com/", http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	_, err := connectTo(t, server.URL, console.Options{Version: "1.0"})
	require.ErrorContains(t, err, "redirects to example.com, which is not followed")
	_, err = connectTo(t, server.URL, console.Options{Revision: "1999-01-01"})
	require.Error(t, err)
}

// initializing answers every initialize request with the text of a handler, and accepts all other
// messages.
func initializing(t *testing.T, kind string, answer func(id json.RawMessage) string) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			ID     json.RawMessage `json:"id"`
			Method string          `json:"method"`
		}
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil || request.Method != "initialize" {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		w.Header().Set("Content-Type", kind)
		fmt.Fprint(w, answer(request.ID))
	}))
	t.Cleanup(server.Close)
	return server
}
