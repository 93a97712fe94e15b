package broken_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
	"mcpentra/conformance/servers/internal/broken"
)

// TestTokensInAddressesAreNoLeak lets other checks put the only token into paths and queries, which
// the server logs.
func TestTokensInAddressesAreNoLeak(t *testing.T) {
	t.Parallel()
	server := start(t, broken.LogsAddresses)
	target := server.Target()
	token, err := target.Tokens[bench.Good](t.Context())
	require.NoError(t, err)
	target.Mint = nil
	target.Tokens = map[bench.TokenKind]func(context.Context) (string, error){
		bench.Good: func(context.Context) (string, error) { return token, nil },
	}
	for _, id := range []string{
		"server/token/in-query",
		"server/credentials/query-names",
		"server/credentials/body-names",
		"server/credentials/two-places",
		"server/answer/keeps-tokens-to-itself",
	} {
		result := bench.Run(t.Context(), checkOf(t, id), target)[0]
		assert.Equal(t, check.Pass, result.Verdict, "%s: %v", id, result.Err)
	}
	assert.True(t, strings.Contains(target.Log(), token), "the control: the log has the token")
}
