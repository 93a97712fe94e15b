package client_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
	"mcpentra/client/internal/console"
	"mcpentra/fakeentra/useragent"
)

// TestFlowAtEveryRevision goes from a 401 to a tool call with this repository's client, server and
// fake, at each revision of MCP.
func TestFlowAtEveryRevision(t *testing.T) {
	t.Parallel()
	for _, revision := range console.Revisions() {
		t.Run(revision, func(t *testing.T) {
			t.Parallel()
			serverURL, _, stop := protectedServer()
			t.Cleanup(stop)
			base := &http.Transport{}
			t.Cleanup(base.CloseIdleConnections)
			signIns := 0
			transport, err := client.New(client.Config{
				Server: serverURL,
				Base:   base,
				Browser: func(ctx context.Context, page string) error {
					signIns++
					_, err := (&useragent.Browser{}).Visit(ctx, page)
					return err
				},
			})
			require.NoError(t, err)
			session, err := console.Connect(t.Context(), serverURL, transport, console.Options{Revision: revision})
			require.NoError(t, err)
			t.Cleanup(session.Close)
			assert.Equal(t, revision, session.Revision)

			tools, err := session.Tools(t.Context())
			require.NoError(t, err)
			var names []string
			for _, tool := range tools {
				names = append(names, tool.Name)
			}
			assert.ElementsMatch(t, []string{"get_user_name", "whoami"}, names)
			text, err := session.Call(t.Context(), "get_user_name", "")
			require.NoError(t, err)
			assert.Equal(t, "User name is Adele Vance", text)
			assert.Equal(t, 1, signIns, "a session needs one sign-in")
		})
	}
}
