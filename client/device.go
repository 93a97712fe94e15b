package client

import (
	"context"
	"errors"

	"mcpentra/client/signin"
	"mcpentra/client/tokenrequest"
)

// byDevice lets a person approve on another device (RFC 8628).
func (s *signIn) byDevice(ctx context.Context) (*tokenrequest.Token, error) {
	if s.issuer.DeviceEndpoint == "" {
		return nil, &SignInError{errors.New("the authorization server does not offer device codes")}
	}
	if err := s.register(ctx, s.config.RedirectURI); err != nil {
		return nil, err
	}
	endpoint := s.tokenEndpoint()
	device, err := endpoint.AuthorizeDevice(ctx, s.issuer.DeviceEndpoint, s.scopes, s.resource)
	if err != nil {
		return nil, err
	}
	// A person opens these addresses.
	for _, address := range []string{device.VerificationURI, device.VerificationURIComplete} {
		if address == "" {
			continue
		}
		if err := signin.CheckPage(address); err != nil {
			return nil, &SignInError{err}
		}
	}
	s.asked = true
	s.config.Trace(DeviceReady{
		URL:      device.VerificationURI,
		Complete: device.VerificationURIComplete,
		UserCode: device.UserCode,
		Lifetime: device.Expiry.Sub(s.config.Now()),
	})
	waiting, cancel := context.WithTimeout(ctx, s.config.SignInTimeout)
	defer cancel()
	token, err := endpoint.AwaitDeviceToken(waiting, device)
	if err != nil && waiting.Err() != nil {
		return nil, noAnswer(ctx)
	}
	s.channel.closeIdle()
	return token, err
}
