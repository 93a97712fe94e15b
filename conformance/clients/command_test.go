package clients_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/clients"
)

// TestCommandNamesOneWordAsBrowser runs a client that splits BROWSER at blanks and colons, as some
// programs do, and runs the first part.
func TestCommandNamesOneWordAsBrowser(t *testing.T) {
	t.Parallel()
	const client = `IFS=": "; set -- $BROWSER; "$1" "http://login.example.com/?a=b&c=d"`
	var output strings.Builder
	run := clients.Command([]string{"sh", "-c", client}, []string{"printf", "%s|"})
	require.NoError(t, run(t.Context(), clients.Task{
		OpenAt: func() string { return "http://127.0.0.1:1" },
		Output: &output,
	}))
	assert.Equal(t, "http://127.0.0.1:1|http://login.example.com/?a=b&c=d|", output.String())
}
