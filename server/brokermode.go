package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"mcpentra/server/broker"
	"mcpentra/server/entra"
	"mcpentra/server/identity"
)

// brokerMode accepts the tokens that the server itself issues, as the authorization server of its
// clients.
type brokerMode struct {
	public string
	entra  *entra.Client
	broker *broker.Broker
}

func newBrokerMode(ctx context.Context, config Config) (*brokerMode, error) {
	registration, err := entra.New(config.Entra)
	if err != nil {
		return nil, err
	}
	var others []string
	if config.LegacySSE {
		others = []string{config.PublicURL + SSEPath}
	}
	issuer, err := broker.New(ctx, broker.Config{
		Issuer:                 config.PublicURL,
		Resource:               config.resource(),
		OtherResources:         others,
		ResourceName:           config.Name,
		Scopes:                 config.Scopes,
		Resources:              config.Resources,
		Entra:                  registration,
		Store:                  config.Store,
		Keys:                   config.Keys,
		SigningKey:             config.SigningKey,
		RegistrationsPerMinute: config.RegistrationsPerMinute,
		Limits:                 config.BrokerLimits,
		Clients:                config.Clients,
		TrustedProxies:         config.TrustedProxies,
		Now:                    config.Now,
		Rand:                   config.Rand,
		Logger:                 config.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	// Grants count only for the tenant and authority that signed the people in.
	if err := issuer.Bind(ctx, config.Entra.Deployment()); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	return &brokerMode{public: config.PublicURL, entra: registration, broker: issuer}, nil
}

func (m *brokerMode) issuers() []string { return []string{m.public} }

func (m *brokerMode) scopePrefix() string { return "" }

func (m *brokerMode) maintain(ctx context.Context) error { return m.broker.Maintain(ctx) }

func (m *brokerMode) check(ctx context.Context) error { return m.entra.Check(ctx) }

func (m *brokerMode) me(ctx context.Context, graphToken string) (*entra.Profile, error) {
	return m.entra.Me(ctx, graphToken)
}

func (m *brokerMode) challenged(ctx context.Context, caller *identity.Caller, claims string) error {
	return m.broker.Challenge(ctx, caller.GrantID, claims)
}

func (m *brokerMode) mount(mux *http.ServeMux) {
	for _, path := range broker.Paths() {
		mux.Handle(path, m.broker)
	}
}

// tokenKey returns nil, because this mode exchanges no token of the caller.
func (m *brokerMode) tokenKey() any { return nil }

func (m *brokerMode) graphToken(ctx context.Context, caller *identity.Caller) (string, error) {
	if caller.Kind == identity.App {
		return "", &entra.AppCallerError{}
	}
	upstream, err := m.broker.UpstreamToken(ctx, caller.GrantID)
	var refused *entra.Error
	if errors.Is(err, broker.ErrGrantOver) && !errors.As(err, &refused) {
		return "", &entra.Error{Op: "refresh", Code: "login_required", Description: err.Error()}
	}
	return upstream, err
}

func (m *brokerMode) verify(ctx context.Context, raw string) (*identity.Caller, error) {
	cached, err := m.broker.Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	caller := *cached // a handler that changes its caller changes no other request
	return &caller, nil
}
