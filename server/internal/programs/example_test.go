package programs_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"mcpentra/server/internal/programs"
)

// Example shows a test that asks a running server for its metadata.
func Example() {
	test := func(t *testing.T) {
		pair := programs.New(t, programs.Build(t), t.TempDir())
		pair.Start()
		answer, err := http.Get(pair.Origin + "/.well-known/oauth-authorization-server")
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, http.StatusOK, answer.StatusCode)
	}
	fmt.Printf("%T\n", test)
	// Output: func(*testing.T)
}
