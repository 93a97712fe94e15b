package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"mcpentra/conformance/servers"
	"mcpentra/fakeentra"
	"mcpentra/server"
)

// TestServerConforms runs the checks against a server in broker mode, with each backend. The good
// tokens come from real sign-ins. A bad token is a good one with one change, signed with the
// server's own key, so that only the change can be the reason for a refusal.
func TestServerConforms(t *testing.T) {
	t.Parallel()
	for place, backend := range backends() {
		if !backend.isTriedInBrokerMode() {
			continue
		}
		t.Run(backend.name, func(t *testing.T) {
			t.Parallel()
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			require.NoError(t, err)
			log := &safeBuffer{}
			origin := startServer(t, func(config *server.Config) {
				config.SigningKey = key
				config.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
				backend.configure(t, config)
			})
			target := brokerTarget(t, origin+backend.endpoint(), key)
			target.Log = log.String
			target.Fragile = backend.fragile
			backend.describe(t, &target)
			servers.Test(t, target, backend.share("", place)...)
		})
	}
}

// TestDirectModeConforms runs the checks of servers against direct mode, with each backend, for
// both versions of Entra's access tokens. It leaves out the checks of authorization servers,
// because that is Entra here, and Entra lacks features that MCP requires.
func TestDirectModeConforms(t *testing.T) {
	t.Parallel()
	for _, version := range []int{1, 2} {
		for place, backend := range backends() {
			if !backend.isTriedInDirectMode(version) {
				continue
			}
			t.Run(fmt.Sprintf("v%d/%s", version, backend.name), func(t *testing.T) {
				t.Parallel()
				tenant := apiDirectory()
				tenant.Tenants[0].Apps[1].TokenVersion = version
				fake := fakeentra.NewServer(fakeentra.Config{Directory: tenant})
				t.Cleanup(fake.Close)
				log := &safeBuffer{}
				origin := startServer(t, func(config *server.Config) {
					direct(fake)(config)
					config.Direct.TokenVersions = []int{version}
					config.Direct.Clients = []string{fake.Tenant().Apps[0].ID}
					config.Direct.ConfidentialClients = true
					config.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
					backend.configure(t, config)
				})
				target := directTarget(t, origin+backend.endpoint(), fake)
				target.Log = log.String
				target.Fragile = backend.fragile || version == 1
				backend.describe(t, &target)
				if version == 1 {
					backend.meetsAll = false
					backend.about = aboutTokens
				}
				servers.Test(t, target, backend.share("server/", place)...)
			})
		}
	}
}
