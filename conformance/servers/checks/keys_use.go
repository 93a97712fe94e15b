package checks

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// keysUseChecks returns the checks of server/keys about which published keys verify a token (RFC
// 7517 sections 4 and 5).
func keysUseChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/keys/unusable",
				Level:     check.Should,
				Severity:  check.High,
				Reference: "RFC 7517 section 5",
				Sentence: "The server skips keys that it cannot use or does not know, and still uses the " +
					"others.",
				Covers: []string{"RS-038"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    attack.WithFixture(keysUnusable),
		},
		{
			Rule: check.Rule{
				ID:        "server/keys/wrong-use",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 7517 sections 4.2 to 4.4; RFC 7518 section 3.3; RFC 8725 section 3.1",
				Sentence: "A key for another algorithm, or one that is too short, verifies no token, and " +
					"(SHOULD) neither does a key for another use.",
				Covers: []string{"RS-028", "RS-038"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    keysWrongUse,
		},
		{
			Rule: check.Rule{
				ID:        "server/keys/issuer",
				Level:     check.Policy,
				Severity:  check.Critical,
				Reference: "Microsoft identity platform, Access tokens, Validate the issuer",
				Sentence: "A key that is published for another issuer (issuer in the JWK) verifies no " +
					"token.",
				Covers: []string{"RS-042"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    attack.WithFixture(keysIssuer),
		},
		{
			Rule: check.Rule{
				ID:        "server/keys/shared-id",
				Level:     check.Policy,
				Severity:  check.Critical,
				Reference: "Microsoft identity platform, Access tokens, Validate the issuer; RFC 7517 section 4.5",
				Sentence: "When the keys of two issuers share an ID, each verifies only its own issuer's " +
					"tokens, in either order.",
				Covers: []string{"RS-065"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    keysSharedID,
		},
	}
}

// keysUnusable publishes a good key after unusable ones.
func keysUnusable(ctx context.Context, f *attack.Fixture) error {
	f.Publish(append(unusableKeys(), f.NewKey("fresh"))...)
	return f.WantServed(ctx, "a good key among unusable ones", "fresh")
}

// unusableKeys returns keys that real key sets have had: keys for encryption, keys of new kinds,
// and broken keys.
func unusableKeys() []json.RawMessage {
	var keys []json.RawMessage
	for _, text := range []string{
		`{"kty":"OKP","crv":"X25519","x":"hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo","kid":"exchange","use":"enc"}`,
		`{"kty":"OKP","crv":"Ed448",` +
			`"x":"X9dEm1m0Yf0s54fsYWrUah2hNCSFpw4fig6nXYDpZ3jt8SR2m0bHBhvWeD3x5Q9s0foavq_oJWGA","kid":"edwards"}`,
		`{"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA","kid":"quantum"}`,
		`{"kty":"XYZ","kid":"an unknown kind"}`,
		`{"kty":"oct","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0","kid":"shared"}`,
		`{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA","kid":"an unknown curve"}`,
		`{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE",` +
			`"y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","kid":"off the curve"}`,
		`{"kty":"RSA","n":"!!!","e":"AQAB","kid":"no base64"}`,
		`{"kty":"RSA","kid":"no members"}`,
		`{"kty":"RSA","n":"AQ","e":"AQ","kid":"tiny","x5c":["AAAA"]}`,
		`{"kid":"no kind"}`,
		`{}`,
	} {
		keys = append(keys, json.RawMessage(text))
	}
	return keys
}

// badKey is the ID of a key that must verify nothing.
const badKey = "bad"

// wrongKeys are the private keys of server/keys/wrong-use. They are made once, because RSA keys
// take a while.
type wrongKeys struct {
	signing crypto.Signer
	other   crypto.Signer
	short   *rsa.PrivateKey // nil if the library makes no RSA keys of 1024 bits
}

// A wrongUse publishes a key that must verify nothing.
type wrongUse struct {
	name    string
	publish func(f *attack.Fixture) json.RawMessage
	level   check.Level // empty means the check's
}

func (k *wrongKeys) uses() []wrongUse {
	uses := []wrongUse{
		{"a key for encryption", k.forEncryption, check.Should},
		{"a key that verifies nothing", k.withOperations, check.Should},
		{"a key of another algorithm", k.ofAnotherAlgorithm, ""},
		{"another key of that name", k.underAnotherKey, ""},
	}
	if k.short != nil {
		uses = append(uses, wrongUse{"a key with 1024 bits", k.tooShort, ""})
	}
	return uses
}

func (k *wrongKeys) forEncryption(f *attack.Fixture) json.RawMessage {
	return f.AddKey(badKey, k.signing, attack.Member("use", "enc"))
}

func (k *wrongKeys) withOperations(f *attack.Fixture) json.RawMessage {
	operations := attack.Member("key_ops", []string{"encrypt"})
	return f.AddKey(badKey, k.signing, attack.Member("use", attack.Absent), operations)
}

func (k *wrongKeys) ofAnotherAlgorithm(f *attack.Fixture) json.RawMessage {
	return f.AddKey(badKey, k.signing, attack.Member("alg", f.Algorithm[:2]+"999"))
}

func (k *wrongKeys) underAnotherKey(f *attack.Fixture) json.RawMessage {
	f.Keys[badKey] = k.signing
	return attack.PublishedJWK(k.other.Public(), badKey, f.Algorithm)
}

func (k *wrongKeys) tooShort(f *attack.Fixture) json.RawMessage {
	f.Keys[badKey] = k.short
	return attack.PublishedJWK(k.short.Public(), badKey, "RS256")
}

// keysWrongUse starts a fixture for each key, because a server that has just looked for an unknown
// key may not look for the next one at once.
func keysWrongUse(ctx context.Context, p *bench.Probe) error {
	keys := &wrongKeys{}
	keys.short, _ = rsa.GenerateKey(rand.Reader, 1024)
	return inputs.TryAll(keys.uses(), func(use wrongUse) error {
		run := attack.WithFixture(func(ctx context.Context, f *attack.Fixture) error {
			if keys.signing == nil {
				keys.signing = attack.NewKeyFor(f.Algorithm)
				keys.other = attack.NewKeyFor(f.Algorithm)
			}
			f.Publish(use.publish(f))
			return f.WantRefused(ctx, use.name, badKey, attack.UnknownKey...)
		})
		return inputs.Graded(run(ctx, p), use.level, "")
	})
}

// otherIssuer is the issuer of personal Microsoft accounts.
const otherIssuer = "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"

// keysIssuer publishes a key for another issuer.
func keysIssuer(ctx context.Context, f *attack.Fixture) error {
	if !strings.Contains(attack.JSON(f.IssuerKeys), `"issuer"`) {
		return &check.NotApplicable{Reason: "the issuer's keys do not name their issuer"}
	}
	key := attack.NewKeyFor(f.Algorithm)
	f.Publish(f.AddKey("another's", key, attack.Member("issuer", otherIssuer)))
	return f.WantRefused(ctx, "a key of another issuer", "another's", attack.UnknownKey...)
}

// keysSharedID publishes keys of two issuers under one ID, in both orders.
func keysSharedID(ctx context.Context, p *bench.Probe) error {
	for _, ownFirst := range []bool{false, true} {
		run := attack.WithFixture(func(ctx context.Context, f *attack.Fixture) error {
			return trySharedID(ctx, f, ownFirst)
		})
		if err := run(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// trySharedID publishes keys of two issuers under one ID, and signs a token with each.
func trySharedID(ctx context.Context, f *attack.Fixture, ownFirst bool) error {
	issuer := issuerOf(f.IssuerKeys)
	if issuer == "" {
		return &check.NotApplicable{Reason: "the issuer's keys do not name their issuer"}
	}
	const id = "shared"
	others := attack.NewKeyFor(f.Algorithm)
	keys := []json.RawMessage{
		f.AddKey(id, others, attack.Member("issuer", otherIssuer)),
		f.AddKey(id, attack.NewKeyFor(f.Algorithm), attack.Member("issuer", issuer)),
	}
	order := ", with another issuer's key of that ID first"
	if ownFirst {
		slices.Reverse(keys)
		order = ", with the issuer's key of that ID first"
	}
	f.Publish(keys...)
	if err := f.WantServed(ctx, "the issuer's key"+order, id); err != nil {
		return err
	}
	f.Keys[id] = others
	return f.WantRefused(ctx, "another issuer's key"+order, id, attack.UnknownKey...)
}

// issuerOf returns the issuer that keys name, or "".
func issuerOf(keys []json.RawMessage) string {
	for _, key := range keys {
		var named struct {
			Issuer string `json:"issuer"`
		}
		if err := json.Unmarshal(key, &named); err == nil && named.Issuer != "" {
			return named.Issuer
		}
	}
	return ""
}
