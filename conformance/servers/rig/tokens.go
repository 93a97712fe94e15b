package rig

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"

	"mcpentra/conformance/servers/internal/bench"
)

const (
	clientID = "mcp-auth-conformance"
	user     = "rig-user"
	lifetime = time.Hour
)

// token makes a good access token (RFC 9068).
func (i *Issuer) token(context.Context) (string, error) {
	now := time.Now()
	claims := map[string]any{
		"iss":       i.URL,
		"aud":       i.config.Audience,
		"sub":       user,
		"client_id": clientID,
		"azp":       clientID,
		"iat":       now.Unix(),
		"nbf":       now.Unix(),
		"exp":       now.Add(lifetime).Unix(),
		"jti":       rand.Text(),
	}
	if len(i.config.Scopes) > 0 {
		claims["scope"] = i.scope()
	}
	maps.Copy(claims, i.config.Claims)
	signer, err := jose.NewSigner(
		jose.SigningKey{
			Algorithm: jose.SignatureAlgorithm(i.config.Algorithm),
			Key:       jose.JSONWebKey{Key: i.key, KeyID: keyID},
		},
		(&jose.SignerOptions{}).WithType("at+jwt"),
	)
	if err != nil {
		return "", fmt.Errorf("rig: %w", err)
	}
	signed, err := signer.Sign(written(claims))
	if err != nil {
		return "", fmt.Errorf("rig: %w", err)
	}
	return signed.CompactSerialize()
}

// Fill adds tokens and the issuer's key to a target. What the target has already stays.
func (i *Issuer) Fill(target *bench.Target) {
	mint := bench.Remint(i.key, i.token)
	edited := func(edits bench.Edits) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) { return mint(ctx, edits) }
	}
	claim := func(name string, value any) func(context.Context) (string, error) {
		return edited(bench.Edits{Claims: func(members map[string]any) { members[name] = value }})
	}
	tokens := map[bench.TokenKind]func(context.Context) (string, error){
		bench.Good:            i.token,
		bench.Refreshed:       i.token,
		bench.OtherUser:       claim("sub", "rig-other-user"),
		bench.ForeignAudience: claim("aud", "https://other.example/mcp"),
		bench.ForeignIssuer:   claim("iss", "https://other.example"),
		bench.Expired:         edited(bench.Edits{Claims: timed(-2*time.Hour, -time.Hour)}),
		bench.NotYetValid:     edited(bench.Edits{Claims: timed(time.Hour, 2*time.Hour)}),
		bench.ShortLived:      edited(bench.Edits{Claims: timed(0, 20*time.Second)}),
		bench.IDToken:         edited(bench.Edits{Header: typed("JWT"), Claims: asIDToken}),
	}
	if len(i.config.Scopes) > 0 {
		tokens[bench.WithoutScope] = claim("scope", "mcp-auth-conformance.none")
	}
	if target.Tokens == nil {
		target.Tokens = map[bench.TokenKind]func(context.Context) (string, error){}
	}
	for kind, supply := range tokens {
		if target.Tokens[kind] == nil {
			target.Tokens[kind] = supply
		}
	}
	if target.Mint == nil {
		target.Mint = mint
	}
}

// timed returns an edit of the claims about time, relative to now.
func timed(start, end time.Duration) func(map[string]any) {
	return func(members map[string]any) {
		now := time.Now()
		members["iat"] = seconds(now.Add(min(start, 0)))
		members["nbf"] = seconds(now.Add(start))
		members["exp"] = seconds(now.Add(end))
	}
}

func seconds(at time.Time) json.Number { return json.Number(strconv.FormatInt(at.Unix(), 10)) }

func typed(name string) func(map[string]any) {
	return func(members map[string]any) { members["typ"] = name }
}

// asIDToken turns the claims of an access token into an ID token's (OpenID Connect Core 1.0 section
// 2).
func asIDToken(members map[string]any) {
	delete(members, "scope")
	delete(members, "client_id")
	members["aud"] = clientID
	members["nonce"] = rand.Text()
}

// Fixture returns the issuer's part of a fixture, for a server that trusts only this issuer. Its
// clock is fixed. Close closes the issuer.
func (i *Issuer) Fixture(target bench.Target) *bench.Fixture {
	i.Fill(&target)
	return &bench.Fixture{
		Target:         target,
		KeySet:         i.KeySet,
		ServeKeySet:    i.ServeKeySet,
		KeySetFetches:  i.KeySetFetches,
		Discovery:      i.Discovery,
		ServeDiscovery: i.ServeDiscovery,
		Close:          i.Close,
	}
}
