package bench

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"mcpentra/conformance/check"
)

// assertionType is the only client_assertion_type of JWTs (RFC 7523 section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// A KeyClient is a client that authenticates with assertions (private_key_jwt).
type KeyClient struct {
	*Client
	// Algorithm is the algorithm that the client has registered.
	Algorithm string
	// IsBound reports whether the answer to the registration repeats the algorithm. The server then
	// has accepted it as the only one (OpenID Connect Registration section 2).
	IsBound bool
	// Audience is a value that the server accepts.
	Audience string
	// Key is the client's private key: *ecdsa.PrivateKey or *rsa.PrivateKey. KeyID names it in the
	// JWKS. Assertions without a KeyID do not name the key.
	Key   any
	KeyID string
}

// An Assertion is a JWT that authenticates a client (RFC 7523). Checks change it before they sign
// it.
type Assertion struct {
	Header map[string]any
	Claims map[string]any
	// Algorithm is an algorithm for Key, or none for an assertion without a signature.
	Algorithm string
	Key       any
}

// assertionAlgorithms are the algorithms with which checks can sign assertions.
var assertionAlgorithms = []string{"ES256", "RS256", "PS256"}

// NewKey returns a new private key for an algorithm.
func NewKey(algorithm string) (any, error) {
	if algorithm == "ES256" {
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	return rsa.GenerateKey(rand.Reader, 2048)
}

// Assertion returns a new good assertion of the client.
func (c *KeyClient) Assertion() *Assertion {
	now := time.Now()
	header := map[string]any{"typ": "JWT"}
	if c.KeyID != "" {
		header["kid"] = c.KeyID
	}
	return &Assertion{
		Algorithm: c.Algorithm,
		Key:       c.Key,
		Header:    header,
		Claims: map[string]any{
			"iss": c.ID,
			"sub": c.ID,
			"aud": c.Audience,
			"jti": rand.Text(),
			"iat": now.Unix(),
			"exp": now.Add(time.Minute).Unix(),
		},
	}
}

// Sign returns the assertion as text. Members that are nil are left out.
func (a *Assertion) Sign() (string, error) {
	isNil := func(_ string, value any) bool { return value == nil }
	header := maps.Clone(a.Header)
	claims := maps.Clone(a.Claims)
	maps.DeleteFunc(header, isNil)
	maps.DeleteFunc(claims, isNil)
	text, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	if a.Algorithm == "none" {
		if header["alg"] == nil {
			header["alg"] = "none"
		}
		head, err := json.Marshal(header)
		encoded := base64.RawURLEncoding
		return encoded.EncodeToString(head) + "." + encoded.EncodeToString(text) + ".", err
	}
	options := &jose.SignerOptions{}
	for name, value := range header {
		options.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(a.Algorithm), Key: a.Key}, options)
	if err != nil {
		return "", fmt.Errorf("sign an assertion: %w", err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		return "", fmt.Errorf("sign an assertion: %w", err)
	}
	return signed.CompactSerialize()
}

// RedeemWith redeems the code of an authorization. The client authenticates with an assertion.
func (p *Probe) RedeemWith(
	ctx context.Context, made *Authorization, assertion string, changes ...Change,
) (*Answer, *Tokens, error) {
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return nil, nil, err
	}
	p.secrets.Add(assertion)
	form := made.CodeForm(
		Set("client_id", made.Client.ID),
		Set("client_assertion_type", assertionType),
		Set("client_assertion", assertion),
	)
	for _, change := range changes {
		change(form)
	}
	return p.SendToken(ctx, Request{URL: metadata.TokenEndpoint, Form: form})
}

// KeyClient registers a client that authenticates with assertions, and shows that it gets tokens.
// Its JWKS has more public keys too. If the target has a client of this kind, KeyClient returns it.
// The check does not apply if no client with keys can register, or if it needs more keys of that
// client.
func (p *Probe) KeyClient(ctx context.Context, more ...jose.JSONWebKey) (*KeyClient, error) {
	client, err := p.newKeyClient(ctx, more)
	if err != nil {
		return nil, err
	}
	answer, err := p.findAudience(ctx, client)
	if err != nil {
		return nil, err
	}
	if client.Audience == "" {
		return nil, &check.Skipped{
			Of:     "authorization-server/assertion/accepted",
			Reason: "a good assertion is answered with " + answer.String(),
		}
	}
	return client, nil
}

// findAudience sends good assertions until the server accepts one. The answer is the last one.
func (p *Probe) findAudience(ctx context.Context, client *KeyClient) (*Answer, error) {
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	var answer *Answer
	for _, audience := range []string{metadata.Issuer, metadata.TokenEndpoint} {
		made, err := p.Approved(ctx, client.Client)
		if err != nil {
			return nil, err
		}
		client.Audience = audience
		text, err := client.Assertion().Sign()
		if err != nil {
			return nil, &check.CannotJudge{Reason: "no assertion can be made", Err: err}
		}
		var tokens *Tokens
		answer, tokens, err = p.RedeemWith(ctx, made, text)
		if err != nil || tokens != nil {
			return answer, err
		}
	}
	client.Audience = ""
	return answer, nil
}

// AcceptsAssertions reports whether the server accepts a good assertion. The answer is to the last
// one that was sent.
func (p *Probe) AcceptsAssertions(ctx context.Context) (bool, *Answer, error) {
	client, err := p.newKeyClient(ctx, nil)
	if err != nil {
		return false, nil, err
	}
	answer, err := p.findAudience(ctx, client)
	return client.Audience != "", answer, err
}

// registerKeyClient registers a client with a JWKS. The check does not apply if the server refuses
// that, because an operator may reserve the method for clients that are registered beforehand.
func (p *Probe) registerKeyClient(ctx context.Context, more []jose.JSONWebKey) (*KeyClient, error) {
	algorithm, err := p.assertionAlgorithm(ctx)
	if err != nil {
		return nil, err
	}
	key, err := NewKey(algorithm)
	if err != nil {
		return nil, &check.CannotJudge{Reason: "no key can be made", Err: err}
	}
	made := &KeyClient{Algorithm: algorithm, Key: key, KeyID: rand.Text()}
	answer, registered, err := p.Register(ctx, Registration(Members{
		"token_endpoint_auth_method":      "private_key_jwt",
		"token_endpoint_auth_signing_alg": algorithm,
		"redirect_uris":                   []string{p.RedirectURI()},
		"jwks":                            jose.JSONWebKeySet{Keys: append(more, made.PublicKey())},
	}))
	if err != nil {
		return nil, err
	}
	if registered == nil || registered.Method != "private_key_jwt" {
		reason := "a client that uses private_key_jwt cannot register: " + answer.String()
		return nil, &check.NotApplicable{Reason: reason}
	}
	made.Client = registered.Client()
	if registered.RedirectURIs == nil {
		made.RedirectURI = p.RedirectURI()
	}
	var told struct {
		Algorithm string `json:"token_endpoint_auth_signing_alg"`
	}
	_ = json.Unmarshal(answer.Body, &told) // Register has read it
	made.IsBound = told.Algorithm == algorithm
	return made, nil
}

// PublicKey returns the client's public key as it is in the JWKS.
func (c *KeyClient) PublicKey() jose.JSONWebKey {
	key := jose.JSONWebKey{Key: c.Key, KeyID: c.KeyID, Use: "sig"}
	return key.Public()
}

// assertionAlgorithm returns an algorithm that the server advertises for assertions.
func (p *Probe) assertionAlgorithm(ctx context.Context) (string, error) {
	supported, err := p.AssertionAlgorithms(ctx)
	if err != nil {
		return "", err
	}
	if len(supported) == 0 {
		return "", &check.NotApplicable{Reason: "the server advertises none of the algorithms of the checks"}
	}
	return supported[0], nil
}

// AssertionAlgorithms returns the algorithms that the server advertises for assertions and the
// checks can sign with. A server that names none is asked for RS256, the default of OpenID Connect.
// The check does not apply if the server does not advertise private_key_jwt.
func (p *Probe) AssertionAlgorithms(ctx context.Context) ([]string, error) {
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(metadata.TokenAuthMethods, "private_key_jwt") {
		return nil, &check.NotApplicable{Reason: "the server does not advertise private_key_jwt"}
	}
	if metadata.AssertionAlgorithms == nil {
		return []string{"RS256"}, nil
	}
	isUnknown := func(name string) bool { return !slices.Contains(metadata.AssertionAlgorithms, name) }
	return slices.DeleteFunc(slices.Clone(assertionAlgorithms), isUnknown), nil
}
