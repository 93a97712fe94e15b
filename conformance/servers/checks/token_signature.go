package checks

import (
	"context"
	"crypto/elliptic"
	"maps"
	"math/big"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// tokenSignatureChecks returns the checks of server/token about bad signatures (RFC 7515 section
// 5.2, RFC 7518 section 3.4).
func tokenSignatureChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/token/degenerate-signature",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 7518 section 3.4; FIPS 186-5 section 6.4.2",
				Sentence: "An ECDSA signature of zeros or of the curve's order is refused, and so is one by " +
					"an unknown key.",
				Covers: []string{"RS-023"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.RefusesForged(attack.Unauthorized, tokenDegenerateSignatureForgeries),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/tampered-signature",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 8725 section 3.2; RFC 7515 section 5.2",
				Sentence:  "A token whose signature is wrong, in one bit or in its length, is refused.",
				Covers:    []string{"RS-037", "server-401-bad-signature"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(tokenTamperedSignature),
		},
	}
}

// tokenDegenerateSignatureForgeries returns ECDSA signatures that bad libraries have accepted, and
// signatures by unknown keys.
func tokenDegenerateSignatureForgeries(*attack.JWT) []attack.Forgery {
	key := attack.NewKey()
	signature := func(text []byte) bench.Edits {
		return bench.Edits{
			Algorithm: "ES256",
			Key:       key,
			Signature: func([]byte) []byte { return text },
		}
	}
	order := elliptic.P256().Params().N
	numbers := []struct {
		name  string
		value *big.Int
	}{
		{"0", new(big.Int)},
		{"1", big.NewInt(1)},
		{"n", order},
		{"n-1", new(big.Int).Sub(order, big.NewInt(1))},
	}
	var forgeries []attack.Forgery
	for _, r := range numbers {
		for _, s := range numbers {
			text := make([]byte, 64)
			r.value.FillBytes(text[:32])
			s.value.FillBytes(text[32:])
			forgeries = append(forgeries, attack.Forgery{
				Name:  "ES256 with r=" + r.name + ", s=" + s.name,
				Edits: signature(text),
			})
		}
	}
	edwards := attack.NewKeyFor("EdDSA")
	return append(forgeries,
		attack.Forgery{Name: "ES256 with r and s of zero in DER", Edits: signature([]byte{0x30, 6, 2, 1, 0, 2, 1, 0})},
		attack.Forgery{Name: "ES256, an unknown key", Edits: bench.Edits{Algorithm: "ES256", Key: key}},
		attack.Forgery{Name: "EdDSA, an unknown key", Edits: bench.Edits{Algorithm: "EdDSA", Key: edwards}},
		attack.Forgery{
			Name: "EdDSA, a signature of zeros",
			Edits: bench.Edits{
				Algorithm: "EdDSA",
				Key:       edwards,
				Signature: func([]byte) []byte { return make([]byte, 64) },
			},
		},
	)
}

// tokenTamperedSignature changes the signature of a good token. An opaque token has none, but its
// last characters must count too.
func tokenTamperedSignature(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	forgeries := []attack.Forgery{{Name: "another ending", Text: attack.Tamper}}
	if jwt, err := attack.ParseJWT(trial.Token); err == nil {
		forgeries = damagedSignatures(jwt)
	}
	return attack.TryForgeries(ctx, p, trial, attack.Unauthorized, forgeries)
}

// flips is how many bits of a signature are turned, one at a time, evenly spread.
const flips = 16

// damagedSignatures returns a good token with damaged signatures, and with other parts under the
// good signature.
func damagedSignatures(jwt *attack.JWT) []attack.Forgery {
	cut := strings.LastIndexByte(jwt.Token, '.') + 1
	signature, err := attack.DecodeBase64(jwt.Token[cut:])
	if err != nil || len(signature) < flips {
		return nil
	}
	with := func(name string, damaged ...byte) attack.Forgery {
		return attack.Forgery{
			Name: name,
			Text: func(token string) string { return token[:cut] + attack.Base64(string(damaged)) },
		}
	}
	var forgeries []attack.Forgery
	for i := range flips {
		flipped := slices.Clone(signature)
		flipped[i*len(signature)/flips] ^= 1 << (i % 8)
		forgeries = append(forgeries, with("one bit turned", flipped...))
	}
	algorithm := attack.Text(jwt.Header, "alg")
	return append(forgeries,
		with("the last byte cut off", signature[:len(signature)-1]...),
		with("half of it", signature[:len(signature)/2]...),
		with("a zero before it", slices.Concat([]byte{0}, signature)...),
		with("a zero after it", slices.Concat(signature, []byte{0})...),
		with("twice", slices.Concat(signature, signature)...),
		with("all zeros", make([]byte, len(signature))...),
		with("all ones", slices.Repeat([]byte{0xff}, len(signature))...),
		attack.Forgery{Name: "other claims under it", Text: withOtherClaims(jwt)},
		attack.Forgery{Name: "another header over it", Text: withOtherHeader(jwt)},
		attack.Forgery{
			Name:  "an unknown key under the issuer's key id",
			Edits: bench.Edits{Algorithm: algorithm, Key: attack.NewSigningKey(algorithm)},
		},
	)
}

// withOtherClaims changes a claim under the good signature.
func withOtherClaims(jwt *attack.JWT) func(string) string {
	return func(token string) string {
		claims := maps.Clone(jwt.Claims)
		claims["sub"] = "another subject"
		parts := strings.Split(token, ".")
		parts[1] = attack.Base64(attack.JSON(claims))
		return strings.Join(parts, ".")
	}
}

// withOtherHeader changes the header over the good signature.
func withOtherHeader(jwt *attack.JWT) func(string) string {
	return func(token string) string {
		header := maps.Clone(jwt.Header)
		header["x"] = "y"
		parts := strings.Split(token, ".")
		parts[0] = attack.Base64(attack.JSON(header))
		return strings.Join(parts, ".")
	}
}
