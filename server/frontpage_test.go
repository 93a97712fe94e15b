package server_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gkampitakis/go-snaps/snaps"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/server"
)

// TestFrontPageMatchesSnapshot shows a change of the page in review, in either mode.
func TestFrontPageMatchesSnapshot(t *testing.T) {
	t.Parallel()
	fake := fakeentra.NewServer(fakeentra.Config{})
	t.Cleanup(fake.Close)
	for mode, direct := range map[string]*server.Direct{"broker": nil, "direct": {}} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s, err := server.New(t.Context(), server.Config{
				PublicURL: "http://localhost:8000",
				Entra:     registration(fake),
				Direct:    direct,
			})
			require.NoError(t, err)
			request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost:8000/", nil)
			request.Header.Set("Accept", "text/html")
			answer := httptest.NewRecorder()
			s.ServeHTTP(answer, request)
			require.Equal(t, http.StatusOK, answer.Code)
			folder := snaps.Dir("../testdata/snapshots")
			name := snaps.Filename("front-page-" + mode)
			snaps.WithConfig(folder, name, snaps.Ext(".html")).MatchStandaloneSnapshot(t, answer.Body.String())
		})
	}
}
