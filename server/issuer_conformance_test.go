package server_test

import (
	"context"
	"net/http"
	"testing"

	"mcpentra/conformance/issuers"
	"mcpentra/fakeentra/useragent"
	"mcpentra/server"
	"mcpentra/server/broker"
)

// TestBrokerConforms runs every check of authorization servers against the broker, with the fake
// behind it. The broker has no client documents, device authorization or introspection yet; the
// checks of these skip it.
func TestBrokerConforms(t *testing.T) {
	t.Parallel()
	origin := startServer(t, func(config *server.Config) {
		config.Scopes = []broker.Scope{
			{Name: "user.read", Description: "read your profile", Upstream: []string{"User.Read"}},
			{Name: "calendars.read", Description: "read your calendars", Upstream: []string{"Calendars.Read"}},
		}
	})
	issuers.Test(t, issuers.Target{
		URL:      origin,
		Person:   brokerPerson,
		Resource: origin + "/mcp",
		Scopes:   []string{"user.read", "calendars.read"},
	})
}

// brokerPerson signs in at the fake, and approves or declines at the broker.
func brokerPerson(transport http.RoundTripper) issuers.Visit {
	browser := &useragent.Browser{Transport: transport}
	return func(ctx context.Context, address string, decline bool) error {
		browser.Deny = decline
		_, err := browser.Visit(ctx, address)
		return err
	}
}
