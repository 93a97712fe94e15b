package client

import (
	"context"
	"fmt"
	"time"

	"mcpentra/client/signin"
	"mcpentra/client/tokenrequest"
)

// register finds the client of this program at the issuer (MCP 2025-11-25, Client Registration
// Approaches). It takes the first of these: the preregistered client, the client ID metadata
// document, an earlier registration with the same redirect URI, a new registration.
func (s *signIn) register(ctx context.Context, redirectURI string) error {
	switch {
	case s.config.ClientID != "":
		if err := s.usePreregistered(); err != nil {
			return err
		}
	case s.config.ClientDocument != "" && s.issuer.ClientDocuments:
		s.entry.Client = tokenrequest.Client{ID: s.config.ClientDocument, AuthMethod: "none"}
		s.entry.Preregistered = false
		s.config.Trace(Registered{
			ClientID:   s.entry.Client.ID,
			AuthMethod: s.entry.Client.AuthMethod,
			Document:   true,
		})
	case s.isRegistered(redirectURI):
	default:
		if err := s.registerAnew(ctx, redirectURI); err != nil {
			return err
		}
	}
	s.client = s.entry.Client
	s.entry.RedirectURI = redirectURI
	return nil
}

// isRegistered reports whether the entry holds a registration with this redirect URI, and with a
// secret that has not expired.
func (s *signIn) isRegistered(redirectURI string) bool {
	id := s.entry.Client.ID
	ownRegistration := id != "" && id != s.config.ClientDocument && !s.entry.Preregistered
	isUsable := !s.entry.Client.SecretExpired(s.config.Now())
	return ownRegistration && isUsable && s.entry.RedirectURI == redirectURI
}

// registerAnew registers the program without scopes. Scopes would limit the later step-ups (RFC
// 7591 section 2).
func (s *signIn) registerAnew(ctx context.Context, redirectURI string) error {
	client, err := signin.Register(ctx, s.channel.preparing, s.issuer, signin.Program{
		Name:        s.config.Name,
		RedirectURI: redirectURI,
		DeviceCode:  s.config.DeviceCode,
	})
	if err != nil {
		return err
	}
	if client.SecretExpired(s.config.Now()) {
		const text = "registration: want a client_secret that has not expired, got one that expired at %v"
		return fmt.Errorf(text, time.Unix(client.SecretExpiresAt, 0).UTC())
	}
	s.entry.Client = client
	s.entry.Preregistered = false
	s.config.Trace(Registered{ClientID: client.ID, AuthMethod: client.AuthMethod})
	return nil
}

// usePreregistered puts the client of the Config into the entry.
func (s *signIn) usePreregistered() error {
	hasKey := s.config.ClientKey != nil
	client, err := signin.PreregisteredClient(s.issuer, s.config.ClientID, s.config.ClientSecret, hasKey)
	if err != nil {
		return err
	}
	s.entry.Client = client
	s.entry.Preregistered = true
	s.config.Trace(Registered{
		ClientID:      client.ID,
		AuthMethod:    client.AuthMethod,
		Preregistered: true,
	})
	return nil
}

// forgetClient removes the client from the entry, so that the next sign-in registers again.
func (s *signIn) forgetClient() {
	s.entry.Client = tokenrequest.Client{}
	s.entry.RedirectURI = ""
}

// lostRegistration reports whether the sign-in failed and the entry has lost its client, which the
// store still holds.
func (s *signIn) lostRegistration() bool {
	return s.token == nil && s.earlierID != "" && s.entry.Client.ID == ""
}
