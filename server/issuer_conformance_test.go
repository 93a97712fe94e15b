package server_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mcpentra/conformance/issuers"
	"mcpentra/conformance/issuers/rig"
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/useragent"
	"mcpentra/server"
	"mcpentra/server/broker"
)

// TestBrokerConforms runs every check of authorization servers against the broker, with the fake
// behind it.
func TestBrokerConforms(t *testing.T) {
	t.Parallel()
	issuers.Test(t, issuerTarget(t, fakeentra.NewServer(fakeentra.Config{})))
}

// TestBrokerConformsOverTime runs the checks that wait for an expiry. Each has a broker and a fake
// of its own, which share a clock.
func TestBrokerConformsOverTime(t *testing.T) {
	t.Parallel()
	for _, tried := range issuers.Checks() {
		if slices.Contains(tried.Needs, issuers.Clock) {
			fake := fakeentra.NewServer(fakeentra.Config{})
			target := issuerTarget(t, fake)
			target.Advance = fake.Advance
			issuers.Test(t, target, tried.ID)
		}
	}
}

// TestBrokerConformsBehindThirdParty runs the checks that change the answers of the third party. It
// has the form of Entra ID.
func TestBrokerConformsBehindThirdParty(t *testing.T) {
	t.Parallel()
	provider := startThirdParty(t)
	target, err := targetBehind(t, provider.URL, time.Now)
	require.NoError(t, err)
	target.Upstream = provider
	target.Start = func(_ context.Context, upstream string) (*issuers.Started, error) {
		another, err := targetBehind(t, upstream, time.Now)
		return &issuers.Started{Target: another}, err
	}
	issuers.Test(t, target, "authorization-server/third-party")
}

// TestBrokerConformsWhenThirdPartyEnds runs the checks of the third party that wait for an expiry.
func TestBrokerConformsWhenThirdPartyEnds(t *testing.T) {
	t.Parallel()
	for _, tried := range issuers.Checks() {
		if !slices.Contains(tried.Needs, issuers.ThirdParty) || !slices.Contains(tried.Needs, issuers.Clock) {
			continue
		}
		provider := startThirdParty(t)
		offset := &atomic.Int64{}
		now := func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
		target, err := targetBehind(t, provider.URL, now)
		require.NoError(t, err)
		target.Upstream = provider
		target.Advance = func(passed time.Duration) { offset.Add(int64(passed)) }
		issuers.Test(t, target, tried.ID)
	}
}

// startThirdParty plays a tenant of Entra ID.
func startThirdParty(t *testing.T) *rig.Provider {
	t.Helper()
	provider, err := rig.Listen(rig.Config{
		Address: "127.0.0.1:0",
		Claims: map[string]any{
			"ver": "2.0",
			"tid": directory.DefaultTenantID,
			"oid": directory.DefaultTenantID,
		},
	})
	require.NoError(t, err)
	t.Cleanup(provider.Close)
	return provider
}

// targetBehind starts a server in broker mode, whose people sign in at a third party.
func targetBehind(t *testing.T, authority string, now func() time.Time) (issuers.Target, error) {
	t.Helper()
	origin, err := tryServer(t, func(config *server.Config) {
		config.Entra.Authority = authority
		config.HTTPClient = nil
		config.Entra.HTTPClient = nil
		config.Now = now
	})
	return issuers.Target{URL: origin, Person: personAtFake, Resource: origin + "/mcp"}, err
}

// oneApp is a file of clients with one that calls for itself, and a hash of its secret. So the
// server offers the grant type, which is not for the other clients of checks.
const oneApp = `{"clients":[{"client_id":"nightly","client_name":"Nightly","scope":"user.read",
	"grant_types":["client_credentials"],"token_endpoint_auth_method":"client_secret_basic",
	"client_secret_hashes":[%q]}]}`

// otherResource is a resource of the broker besides its own endpoint.
const otherResource = "https://files.example/mcp"

// issuerTarget starts a server in broker mode with two scopes, and closes the fake at the end.
func issuerTarget(t *testing.T, fake *fakeentra.Server) issuers.Target {
	t.Helper()
	t.Cleanup(fake.Close)
	served := issuers.NewDocuments()
	clients := filepath.Join(t.TempDir(), "clients.json")
	secret, hash, err := broker.NewClientSecret(rand.Reader)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(clients, fmt.Appendf(nil, oneApp, hash), 0o600))
	origin := startServer(t, func(config *server.Config) {
		config.Clients.File = clients
		config.Entra = registration(fake)
		config.HTTPClient = fake.Client()
		config.Now = fake.Now
		config.Clients.Documents = documents(t, served)
		config.Scopes = []broker.Scope{
			{Name: "user.read", Description: "read your profile", Upstream: []string{"User.Read"}},
			{Name: "calendars.read", Description: "read your calendars", Upstream: []string{"Calendars.Read"}},
		}
		// The checks ask for the same names at both resources.
		config.Resources = []broker.Resource{{URL: otherResource, Scopes: config.Scopes}}
	})
	return issuers.Target{
		URL:           origin,
		Person:        personAtFake,
		App:           &issuers.Client{ID: "nightly", Secret: secret},
		Resource:      origin + "/mcp",
		OtherResource: otherResource,
		Scopes:        []string{"user.read", "calendars.read"},
		Documents:     served,
	}
}

// personAtFake signs in at the fake, and approves or declines at the broker.
func personAtFake(transport http.RoundTripper) issuers.Visit {
	browser := &useragent.Browser{Transport: transport}
	return func(ctx context.Context, address string, decline bool) error {
		browser.Deny = decline
		_, err := browser.Visit(ctx, address)
		return err
	}
}
