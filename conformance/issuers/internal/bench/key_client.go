package bench

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"mcpentra/conformance/check"
)

// newKeyClient returns the target's client with a key, or registers one.
func (p *Probe) newKeyClient(ctx context.Context, more []jose.JSONWebKey) (*KeyClient, error) {
	given := p.target.KeyClient
	switch {
	case given == nil:
		return p.registerKeyClient(ctx, more)
	case len(more) > 0:
		return nil, &check.NotApplicable{Reason: "the client that is registered beforehand has one key"}
	}
	supported, err := p.AssertionAlgorithms(ctx)
	if err != nil {
		return nil, err
	}
	made := *given
	for _, name := range supported {
		isAsked := given.Algorithm == "" || given.Algorithm == name
		if isAsked && slices.Contains(algorithmsOf(given.Key), name) {
			made.Algorithm = name
			return &made, nil
		}
	}
	return nil, &check.NotApplicable{Reason: "the server advertises no algorithm of the client's key"}
}

// algorithmsOf returns the algorithms of the checks that a private key can sign with.
func algorithmsOf(key any) []string {
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		if key.Curve == elliptic.P256() {
			return []string{"ES256"}
		}
	case *rsa.PrivateKey:
		return []string{"RS256", "PS256"}
	}
	return nil
}

// AttackerOf returns another client than the given one, with a key of its own. If the given client
// is the target's and no other can register, the server does not know the attacker.
func (p *Probe) AttackerOf(ctx context.Context, client *KeyClient) (*KeyClient, error) {
	if p.target.KeyClient == nil {
		return p.KeyClient(ctx)
	}
	registered, err := p.registerKeyClient(ctx, nil)
	if notApplicable := (*check.NotApplicable)(nil); err == nil || !errors.As(err, &notApplicable) {
		return registered, err
	}
	key, err := NewKey(client.Algorithm)
	if err != nil {
		return nil, &check.CannotJudge{Reason: "no key can be made", Err: err}
	}
	return &KeyClient{
		Client:    &Client{ID: "mcp-auth-conformance-attacker"},
		Algorithm: client.Algorithm,
		Audience:  client.Audience,
		Key:       key,
		KeyID:     rand.Text(),
	}, nil
}
