package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"mcpentra/server/broker"
	"mcpentra/server/entra"
	"mcpentra/server/identity"
	"mcpentra/server/store"
)

// brokerMode takes the tokens that the server itself issues, as the authorization server of its
// clients.
type brokerMode struct {
	public string
	entra  *entra.Client
	broker *broker.Broker
}

func newBrokerMode(ctx context.Context, config *Config, public, resource string) (*brokerMode, error) {
	if config.Scopes == nil {
		config.Scopes = broker.DefaultScopes()
	}
	if config.Store == nil {
		config.Store = store.NewMemory(store.Config{Now: config.Now})
	}
	m := &brokerMode{public: public}
	var err error
	if m.entra, err = newEntra(config, public); err != nil {
		return nil, err
	}
	var others []string
	if config.LegacySSE {
		others = []string{public + SSEPath}
	}
	m.broker, err = broker.New(ctx, broker.Config{
		Issuer:                 public,
		Resource:               resource,
		OtherResources:         others,
		ResourceName:           config.Name,
		Scopes:                 config.Scopes,
		Entra:                  m.entra,
		Store:                  config.Store,
		Keys:                   config.Keys,
		SigningKey:             config.SigningKey,
		RegistrationsPerMinute: config.RegistrationsPerMinute,
		TrustedProxies:         config.TrustedProxies,
		Now:                    config.Now,
		Rand:                   config.Rand,
		Logger:                 config.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	// Grants speak for people of one tenant, as one authority vouched for them.
	if err := m.broker.Bind(ctx, Deployment(config.Entra)); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	return m, nil
}

func newEntra(config *Config, public string) (*entra.Client, error) {
	registration := config.Entra
	switch want := public + broker.CallbackPath; registration.RedirectURI {
	case "":
		registration.RedirectURI = want
	case want:
	default:
		return nil, &entra.ConfigError{
			Key: "AUTH_REDIRECT_URI",
			Problem: fmt.Sprintf(
				"is %q, but this server answers at %s: leave it out, or change MCP_PUBLIC_URL",
				registration.RedirectURI,
				want,
			),
		}
	}
	return entra.New(config.filled(registration))
}

// filled gives a registration what it has not of the server's own.
func (config *Config) filled(registration entra.Config) entra.Config {
	if registration.HTTPClient == nil {
		registration.HTTPClient = config.HTTPClient
	}
	if registration.Now == nil {
		registration.Now = config.Now
	}
	if registration.Logger == nil {
		registration.Logger = config.Logger
	}
	return registration
}

func (m *brokerMode) issuers() []string { return []string{m.public} }

func (m *brokerMode) scopePrefix() string { return "" }

func (m *brokerMode) check(ctx context.Context) error { return m.entra.Check(ctx) }

func (m *brokerMode) me(ctx context.Context, graphToken string) (*entra.Profile, error) {
	return m.entra.Me(ctx, graphToken)
}

func (m *brokerMode) mount(mux *http.ServeMux) {
	for _, one := range broker.Paths() {
		mux.Handle(one, m.broker)
	}
}

// tokenKey is none: this mode exchanges no token of the caller's.
func (m *brokerMode) tokenKey() any { return nil }

func (m *brokerMode) graphToken(ctx context.Context, caller *identity.Caller) (string, error) {
	upstream, err := m.broker.UpstreamToken(ctx, caller.GrantID)
	if errors.Is(err, broker.ErrGrantOver) {
		return "", &entra.Error{Op: "refresh", Code: "invalid_grant", Description: err.Error()}
	}
	return upstream, err
}

func (m *brokerMode) verify(ctx context.Context, raw string) (*identity.Caller, error) {
	return m.broker.Verify(ctx, raw)
}
