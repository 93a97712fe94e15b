package broker_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gkampitakis/go-snaps/snaps"
	"github.com/stretchr/testify/require"
)

// TestProblemPageMatchesSnapshot shows a change of the page in review. If the broker knows the client
// and its redirect URI, the person can go on to the client.
func TestProblemPageMatchesSnapshot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	const redirect = "https://app.example/callback"
	client := w.public(redirect)
	for name, change := range map[string][]string{
		"unknown-client": {"redirect_uri", redirect, "client_id", "unknown"},
		"client-error":   {"redirect_uri", redirect, "response_type", "token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page := w.browser().get(w.request(client, change...))
			require.Equal(t, http.StatusBadRequest, page.status)
			port := strings.TrimPrefix(w.origin, "http://localhost:")
			text := strings.NewReplacer("localhost:"+port, "localhost:8000", "localhost%3A"+port, "localhost%3A8000").
				Replace(page.body)
			folder, file := snaps.Dir("../../testdata/snapshots"), snaps.Filename("problem-page-"+name)
			snaps.WithConfig(folder, file, snaps.Ext(".html")).MatchStandaloneSnapshot(t, text)
		})
	}
}
