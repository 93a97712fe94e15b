package server_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server"
)

// TestPathsRedirectToNoOtherHost sends paths that name a host. A server that cleans them with a
// redirect can send a browser there.
func TestPathsRedirectToNoOtherHost(t *testing.T) {
	t.Parallel()
	origin := startServer(t, func(*server.Config) {})
	client := &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for _, path := range []string{
		"//evil.example", "//evil.example/", "//evil.example//", "//evil.example/%2e%2e", "/%5cevil.example/",
		"/mcp//evil.example/", "///evil.example/", "//evil.example/mcp/",
	} {
		response, err := client.Get(origin + path)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.GreaterOrEqual(t, response.StatusCode, http.StatusMultipleChoices, path)
		location, err := response.Location()
		if err != nil {
			continue // no redirect
		}
		assert.Equal(t, origin, location.Scheme+"://"+location.Host, path)
		assert.NotRegexp(t, `^[/\\]{2}`, response.Header.Get("Location"), path)
	}
}
