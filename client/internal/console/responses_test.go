package console_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/internal/console"
)

// TestSessionDropsOtherResponses: a response to another request is not used. A stream may still
// bring the right one.
func TestSessionDropsOtherResponses(t *testing.T) {
	t.Parallel()
	const other = `{"jsonrpc":"2.0","id":"another","result":{"protocolVersion":"2025-11-25",` +
		`"capabilities":{},"serverInfo":{"name":"wrong","version":"1"}}}`
	for _, c := range []struct {
		name, kind, first string
		isStream          bool
	}{
		{"an answer", "application/json", other, false},
		{"an event", "text/event-stream", "data: " + other + "\n\n", true},
		{"an event of many lines", "text/event-stream", "id: 1\r\ndata: {\r\ndata:" + other[1:] + "\r\n\r\n", true},
		{"an event longer than a buffer", "text/event-stream",
			"data: " + strings.Repeat(" ", 1<<16) + other + "\n\n", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := initializing(t, c.kind, func(id json.RawMessage) string {
				if !c.isStream {
					return c.first
				}
				right := strings.NewReplacer(`"another"`, string(id), "wrong", "right").Replace(other)
				return c.first + "data: " + right + "\n\n"
			})
			session, err := connectTo(t, server.URL, console.Options{Revision: "2025-11-25"})
			if !c.isStream {
				require.ErrorContains(t, err, "answers another request")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, "right", session.Name)
		})
	}
}
