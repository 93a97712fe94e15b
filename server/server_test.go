package server_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/fault"
	"mcpentra/server"
	"mcpentra/server/entra"
	"mcpentra/server/store"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	fake := fakeentra.NewServer(fakeentra.Config{})
	t.Cleanup(fake.Close)
	elsewhere := func(c *server.Config) { c.Entra.RedirectURI = "https://other.example/auth/callback" }
	for _, test := range []struct {
		name string
		edit func(*server.Config)
		want string
	}{
		{"no public URL", func(c *server.Config) { c.PublicURL = "" }, "public URL"},
		{"public URL with a path", func(c *server.Config) { c.PublicURL = "https://a.example/mcp" }, "public URL"},
		{"plain http beyond loopback", func(c *server.Config) { c.PublicURL = "http://a.example" }, "https"},
		{"path of another endpoint", func(c *server.Config) { c.Path = "/token" }, "/token"},
		{"pattern as path", func(c *server.Config) { c.Path = "/{x}" }, "path"},
		{"foreign redirect URI", elsewhere, "AUTH_REDIRECT_URI"},
		{"no tenant", func(c *server.Config) { c.Entra.TenantID = "" }, "AUTH_TENANT_ID"},
		{"no secret", func(c *server.Config) { c.Entra.ClientSecret = "" }, "AUTH_CLIENT_SECRET"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			config := server.Config{PublicURL: "http://localhost:8000", Entra: registration(fake)}
			test.edit(&config)
			_, err := server.New(t.Context(), config)
			assert.ErrorContains(t, err, test.want)
		})
	}
}

func TestNewNormalizesPublicURL(t *testing.T) {
	t.Parallel()
	fake := fakeentra.NewServer(fakeentra.Config{})
	t.Cleanup(fake.Close)
	for _, text := range []string{
		"https://MCP.example.com",
		"https://mcp.example.com/",
		"https://mcp.example.com:443",
	} {
		s, err := server.New(t.Context(), server.Config{PublicURL: text, Entra: registration(fake)})
		require.NoError(t, err, text)
		assert.Equal(t, "https://mcp.example.com/mcp", s.Resource())
	}
}

func TestNewRefusesStoreOfOtherKeys(t *testing.T) {
	t.Parallel()
	fake := fakeentra.NewServer(fakeentra.Config{})
	t.Cleanup(fake.Close)
	config := server.Config{
		PublicURL: "http://localhost:8000",
		Entra:     registration(fake),
		Store:     store.NewMemory(store.Config{}),
	}
	_, err := server.New(t.Context(), config)
	require.NoError(t, err)
	_, err = server.New(t.Context(), config)
	assert.ErrorContains(t, err, "keys file", "the second server has random keys of its own")
}

func TestPublicPaths(t *testing.T) {
	t.Parallel()
	s := newEnv(t, nil)
	for path, want := range map[string]int{
		"/":        200,
		"/healthz": 200,
		"/readyz":  503,
		"/mcp":     401,
		"/mcp/":    401,
		"/nothing": 404,
		"/.well-known/oauth-protected-resource/mcp": 200,
		"/.well-known/oauth-authorization-server":   200,
		"/.well-known/openid-configuration":         200,
		"/jwks":                                     200,
		"/token":                                    405,
		"/authorize":                                400,
		"/auth/callback":                            400,
	} {
		status, header, body := s.send(http.MethodGet, s.origin+path, "")
		assert.Equal(t, want, status, path)
		if path == "/" {
			assert.Contains(t, body, s.server.Resource())
			assert.Contains(t, header.Get("Content-Security-Policy"), "default-src 'none'")
		}
	}
	require.NoError(t, s.server.Watch(t.Context()))
	status, _, _ := s.send(http.MethodGet, s.origin+"/readyz", "")
	assert.Equal(t, 200, status)
}

func TestWatchEndsOnRefusalOnly(t *testing.T) {
	t.Parallel()
	wrong := newEnv(t, func(config *server.Config) { config.Entra.ClientSecret = "not the secret" })
	var refused *entra.Error
	require.ErrorAs(t, wrong.server.Watch(t.Context()), &refused)
	assert.Contains(t, refused.Error(), "AUTH_CLIENT_SECRET")

	unreachable := newEnv(t, nil)
	unreachable.fake.InjectFor(t, fault.Fault{Times: fault.Forever, Drop: true})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	assert.ErrorIs(t, unreachable.server.Watch(ctx), context.DeadlineExceeded)
}
