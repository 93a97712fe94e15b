package server_test

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"mcpentra/conformance/issuers"
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/useragent"
	"mcpentra/server"
	"mcpentra/server/broker"
)

// TestBrokerConforms runs every check of authorization servers against the broker, with the fake
// behind it. The broker has no client documents, device authorization or introspection; their
// checks skip it.
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

// issuerTarget starts a server in broker mode with two scopes, and closes the fake at the end.
func issuerTarget(t *testing.T, fake *fakeentra.Server) issuers.Target {
	t.Helper()
	t.Cleanup(fake.Close)
	origin := startServer(t, func(config *server.Config) {
		config.Entra = registration(fake)
		config.HTTPClient = fake.Client()
		config.Now = fake.Now
		config.Scopes = []broker.Scope{
			{Name: "user.read", Description: "read your profile", Upstream: []string{"User.Read"}},
			{Name: "calendars.read", Description: "read your calendars", Upstream: []string{"Calendars.Read"}},
		}
	})
	return issuers.Target{
		URL:      origin,
		Person:   personAtFake,
		Resource: origin + "/mcp",
		Scopes:   []string{"user.read", "calendars.read"},
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
