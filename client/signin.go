package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mcpentra/client/discovery"
	"mcpentra/client/signin"
	"mcpentra/client/tokenrequest"
	"mcpentra/client/tokenstore"
)

// maxScopes bounds the scopes that a person is asked to approve. A server could name more with each
// step-up.
const maxScopes = 100

// A signIn is one try to get a token without a refresh token.
type signIn struct {
	config    *Config
	channel   *backChannel
	challenge *discovery.Challenge // may be nil
	more      []string             // scopes that a step-up adds
	commit    func()               // called before a code is sent

	issuer    *discovery.Issuer
	client    tokenrequest.Client
	resource  string // the parameter; empty without one
	scopes    []string
	dpop      *tokenrequest.DPoP  // nil for a bearer token
	entry     tokenstore.Entry    // of the issuer; with the token in the end
	earlierID string              // the client ID in the entry before this sign-in
	asked     bool                // the person was asked
	answerIss string              // iss in the answer; empty without one
	token     *tokenrequest.Token // nil until the sign-in succeeds
}

// run makes the sign-in. It reads the metadata anew, since the server may name another
// authorization server now.
func (s *signIn) run(ctx context.Context, record *tokenstore.Record) error {
	defer s.channel.endPreparing()
	if err := s.prepare(ctx, record); err != nil {
		return err
	}
	token, err := s.obtain(ctx)
	if err != nil {
		var refused *tokenrequest.Error
		if errors.As(err, &refused) && refused.Code == "invalid_client" && !s.entry.Preregistered {
			s.forgetClient() // the authorization server has forgotten the registration
		}
		return s.withHint(asSignInError(err, s.asked))
	}
	s.token = token
	if err := s.checkTenant(token); err != nil {
		return err
	}
	s.fillEntry()
	return nil
}

// prepare finds the authorization server, and decides what to request there.
func (s *signIn) prepare(ctx context.Context, record *tokenstore.Record) error {
	resource, issuer, err := s.channel.discover(ctx, s.challenge)
	if err != nil {
		return err
	}
	if err := s.checkClientIssuer(issuer.Named, record); err != nil {
		return err
	}
	s.issuer = issuer
	s.entry = record.Entries[issuer.Named]
	if err := s.chooseScopes(resource); err != nil {
		return err
	}
	if resource != nil && !s.config.Entra.NoResource {
		s.resource = resource.Resource
	}
	return s.chooseDPoP(resource)
}

// obtain gets a token in the configured way, and notes its client in the entry.
func (s *signIn) obtain(ctx context.Context) (*tokenrequest.Token, error) {
	s.earlierID = s.entry.Client.ID
	switch {
	case s.config.Unattended != nil:
		s.entry.Client = tokenrequest.Client{}
		s.entry.Preregistered = false
		if s.config.ClientID != "" {
			if err := s.usePreregistered(); err != nil {
				return nil, &SignInError{err}
			}
		}
		s.client = s.entry.Client
		return s.config.Unattended.token(ctx, s)
	case s.config.DeviceCode:
		return s.byDevice(ctx)
	}
	return s.byPage(ctx)
}

// fillEntry puts the token into the entry.
func (s *signIn) fillEntry() {
	if s.token.Scopes == nil {
		s.token.Scopes = s.scopes
	}
	s.entry.Token = *s.token
	s.entry.Resource = s.resource
	s.entry.RequestedScopes = s.scopes
	s.entry.TokenEndpoint = s.issuer.TokenEndpoint
	s.entry.RevocationEndpoint = s.issuer.RevocationEndpoint
	s.entry.SigningAlgs = s.issuer.SigningAlgs
	if !s.token.Bound {
		s.entry.DPoPKey = nil
	}
}

// checkClientIssuer keeps a preregistered client ID and its secret from every authorization server
// except its own (MCP 2026-07-28, Authorization Server Binding).
func (s *signIn) checkClientIssuer(issuer string, record *tokenstore.Record) error {
	want := s.config.ClientIssuer
	if s.config.ClientID == "" || want == issuer {
		return nil
	}
	if want == "" {
		for other, entry := range record.Entries {
			if other != issuer && entry.Preregistered && entry.Client.ID == s.config.ClientID {
				want = other
			}
		}
	}
	if want == "" {
		return nil
	}
	return &SignInError{fmt.Errorf(
		"the client ID %s belongs to %s, but the server now names the authorization server %s; "+
			"if that is right, set ClientIssuer (MCP_CLIENT_ISSUER)",
		s.config.ClientID, want, issuer,
	)}
}

// chooseScopes requests the scopes that the server names, and those that were granted or requested
// before. A step-up thus takes no scope away (MCP 2026-07-28, Step-Up Authorization Flow).
func (s *signIn) chooseScopes(resource *discovery.Resource) error {
	if s.config.Unattended != nil && len(s.config.Scopes) > 0 {
		s.scopes = s.config.Scopes
		return nil
	}
	named := ""
	if s.challenge != nil {
		named = s.challenge.Params["scope"]
	}
	s.scopes = signin.SelectScopes(named, resource, s.issuer)
	s.addScopes(slices.Concat(s.entry.Token.Scopes, s.entry.RequestedScopes, s.more, s.config.Scopes)...)
	if s.issuer.Tenants {
		s.addScopes("openid") // for an ID token, which names the tenant
	}
	const offline = "offline_access"
	canRefresh := slices.Contains(s.issuer.Scopes, offline)
	if s.config.Unattended == nil && len(s.scopes) > 0 && canRefresh {
		s.addScopes(offline) // a refresh token saves a sign-in (MCP 2026-07-28, Refresh Tokens)
	}
	if len(s.scopes) > maxScopes {
		return &SignInError{fmt.Errorf(
			"the server asks for %d scopes; at most %d are requested", len(s.scopes), maxScopes,
		)}
	}
	return nil
}

func (s *signIn) addScopes(scopes ...string) {
	for _, scope := range scopes {
		if !slices.Contains(s.scopes, scope) {
			s.scopes = append(s.scopes, scope)
		}
	}
}

// chooseDPoP decides whether a key binds the token. It uses the key of the last token, or a new
// one.
func (s *signIn) chooseDPoP(resource *discovery.Resource) error {
	demanded := resource != nil && resource.DPoPRequired || s.challenge != nil && s.challenge.Scheme == "dpop"
	supported := slices.Contains(s.issuer.DPoPAlgs, tokenrequest.Algorithm)
	switch {
	case demanded && !supported && len(s.issuer.DPoPAlgs) > 0:
		return &SignInError{fmt.Errorf(
			"the server requires DPoP, but its authorization server does not support %s", tokenrequest.Algorithm,
		)}
	case !demanded && !(s.config.DPoP && supported):
		return nil
	}
	var err error
	if len(s.entry.DPoPKey) > 0 {
		s.dpop, err = tokenrequest.ReadDPoP(s.entry.DPoPKey, s.config.Now)
		return err
	}
	s.dpop, err = tokenrequest.NewDPoP(s.config.Now)
	if err != nil {
		return err
	}
	s.entry.DPoPKey, err = s.dpop.Key()
	return err
}

// tokenEndpoint returns the token endpoint for this sign-in.
func (s *signIn) tokenEndpoint() *tokenrequest.Endpoint {
	return s.channel.tokenEndpoint(s.issuer, s.client, s.dpop)
}

// asSignInError makes refusals, and ways that are not open, a *SignInError. After the person was
// asked, every error becomes one, because the person must not be asked again. Other errors are the
// network's.
func asSignInError(err error, asked bool) error {
	var token *tokenrequest.Error
	var refused *signin.RefusedError
	var already *SignInError
	switch {
	case errors.As(err, &token):
		return &SignInError{&signin.RefusedError{
			Step:        "token",
			Code:        token.Code,
			Description: token.Description,
		}}
	case errors.As(err, &already):
		return err
	case errors.As(err, &refused), errors.Is(err, signin.ErrNoRegistration),
		errors.Is(err, tokenrequest.ErrDeviceCodeExpired):
		return &SignInError{err}
	case asked:
		return &SignInError{fmt.Errorf("the sign-in brought no token: %w", err)}
	}
	return err
}

// withHint names the flag that helps when Entra ID refuses the parameter resource.
func (s *signIn) withHint(err error) error {
	var refused *signin.RefusedError
	if s.resource == "" || !errors.As(err, &refused) || !refusesResource(refused) {
		return err
	}
	return &SignInError{fmt.Errorf("%w; --entra-no-resource (Entra.NoResource) leaves the parameter resource out", err)}
}

// refusesResource recognises the codes of a refused parameter resource, in OAuth (RFC 8707 section
// 2) and in Entra ID's descriptions.
func refusesResource(refused *signin.RefusedError) bool {
	entraCode, _, _ := strings.Cut(refused.Description, ":")
	return refused.Code == "invalid_target" || entraCode == "AADSTS9010010" || entraCode == "AADSTS901002"
}
