package server_test

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers"
	"mcpentra/fakeentra"
	"mcpentra/server"
)

// TestFakeFillsTarget wants enough from a fake to try the checks of tokens on a server in both
// modes.
func TestFakeFillsTarget(t *testing.T) {
	t.Parallel()
	minted := []servers.TokenKind{
		servers.IDToken, servers.Expired, servers.ForeignAudience, servers.ForeignIssuer, servers.Good,
		servers.NotYetValid, servers.OtherUser, servers.Refreshed, servers.ShortLived, servers.WithoutScope,
	}
	issued := []servers.TokenKind{
		servers.Good, servers.OtherUser, servers.RefreshToken, servers.Refreshed, servers.Revoked,
	}
	for _, mode := range []struct {
		name      string
		configure func(*fakeentra.Server) func(*server.Config)
		hasMint   bool
		kinds     []servers.TokenKind
	}{
		{"direct", direct, true, minted},
		{"broker", brokerAt, false, issued},
	} {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			fake := fakeentra.NewServer(fakeentra.Config{Directory: apiDirectory()})
			t.Cleanup(fake.Close)
			target := servers.Target{URL: startServer(t, mode.configure(fake)) + "/mcp", FirstAnswer: 30 * time.Second}
			require.NoError(t, servers.FillFromFake(t.Context(), &target, fake))
			assert.ElementsMatch(t, mode.kinds, slices.Collect(maps.Keys(target.Tokens)))
			assert.Equal(t, mode.hasMint, target.Mint != nil)
			report, err := servers.Run(t.Context(), target, check.Selection{IDs: []string{"server/token"}})
			require.NoError(t, err)
			for _, result := range report.Results {
				if result.Verdict > check.Pass {
					t.Errorf("%s: %v", result.Name(), result.Err)
				}
			}
		})
	}
}

// TestFakeKeepsTokens keeps what a target has already.
func TestFakeKeepsTokens(t *testing.T) {
	t.Parallel()
	fake := fakeentra.NewServer(fakeentra.Config{Directory: apiDirectory()})
	t.Cleanup(fake.Close)
	target := servers.Target{
		URL: startServer(t, direct(fake)) + "/mcp",
		Tokens: map[servers.TokenKind]func(context.Context) (string, error){
			servers.Expired: func(context.Context) (string, error) { return "from a file", nil },
		},
	}
	require.NoError(t, servers.FillFromFake(t.Context(), &target, fake))
	expired, err := target.Tokens[servers.Expired](t.Context())
	require.NoError(t, err)
	assert.Equal(t, "from a file", expired)
}

// brokerAt returns a function that makes people sign in at a fake.
func brokerAt(fake *fakeentra.Server) func(*server.Config) {
	return func(config *server.Config) { config.Entra = registration(fake) }
}
