package checks

import (
	"context"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"maps"
	"math/big"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// tokenAlgorithmChecks are checks of server/token: which signatures count (RFC 8725 sections 3.1
// and 3.2, RFC 7518 section 3).
func tokenAlgorithmChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/token/no-algorithm",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 8725 sections 2.1, 3.1 and 3.2",
				Sentence: "A token that says it needs no signature (alg none), in whatever spelling, or that has " +
					"none, is refused.",
				Covers: []string{"RS-020", "server-401-alg-none"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.RefusesForged(attack.Unauthorized, withoutAlgorithm),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/symmetric-confusion",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 8725 sections 2.1 and 3.1",
				Sentence:  "A token with an HMAC is refused, whatever public value it is keyed with.",
				Covers:    []string{"RS-021", "server-401-alg-confusion"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    tokenSymmetricConfusion,
		},
		{
			Rule: check.Rule{
				ID:        "server/token/other-algorithm",
				Level:     check.Should,
				Severity:  check.Medium,
				Reference: "RFC 8725 section 3.1; RFC 7518 section 3",
				Sentence: "A token that the issuer's key has signed with another algorithm than the issuer uses " +
					"is refused.",
				Covers: []string{"RS-022"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.RefusesForged(attack.Unauthorized, withOtherAlgorithms),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/degenerate-signature",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 7518 section 3.4; FIPS 186-5 section 6.4.2",
				Sentence: "An ECDSA signature of zeros or of the curve's order is refused, and so is one of a " +
					"stranger's key.",
				Covers: []string{"RS-023"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.RefusesForged(attack.Unauthorized, withDegenerateSignatures),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/tampered-signature",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 8725 section 3.2; RFC 7515 section 5.2",
				Sentence:  "A token whose signature does not fit, in one bit or in its length, is refused.",
				Covers:    []string{"RS-037", "server-401-bad-signature"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    tokenTamperedSignature,
		},
	}
}

// tokenSymmetricConfusion tries server/token/symmetric-confusion.
func tokenSymmetricConfusion(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	s, err := attack.Examine(trial.Token)
	if err != nil {
		return err
	}
	s.Keys = s.PublishedKeys(ctx, p)
	var forgeries []attack.Forgery
	for _, name := range slices.Sorted(maps.Keys(s.Secrets())) {
		forgeries = append(
			forgeries,
			attack.Forgery{
				Name:  "HS256 keyed with " + name,
				Edits: bench.Edits{Algorithm: "HS256", Key: s.Secrets()[name]},
			},
		)
	}
	for _, algorithm := range []string{"HS384", "HS512"} {
		for _, name := range []string{"nothing", "the key in PEM"} {
			if secret, there := s.Secrets()[name]; there {
				forgeries = append(
					forgeries,
					attack.Forgery{
						Name:  algorithm + " keyed with " + name,
						Edits: bench.Edits{Algorithm: algorithm, Key: secret},
					},
				)
			}
		}
	}
	return attack.DenyAll(ctx, p, trial, attack.Unauthorized, forgeries)
}

// tokenTamperedSignature tries server/token/tampered-signature.
func tokenTamperedSignature(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	s, err := attack.Examine(trial.Token)
	if err != nil { // an opaque token has no signature, but nobody may change it all the same
		return attack.DenyAll(
			ctx,
			p,
			trial,
			attack.Unauthorized,
			[]attack.Forgery{{Name: "another ending", Text: tamper}},
		)
	}
	return attack.DenyAll(ctx, p, trial, attack.Unauthorized, withDamage(s))
}

func withoutAlgorithm(s *attack.Specimen) []attack.Forgery {
	kept := s.Token[strings.LastIndexByte(s.Token, '.')+1:]
	var all []attack.Forgery
	for _, spelling := range []any{
		"none",
		"None",
		"NONE",
		"nOnE",
		"",
		" none",
		nil,
		attack.Nothing,
		[]string{"none"},
		map[string]any{},
		0,
	} {
		edits := bench.Edits{Algorithm: "none", Header: attack.Member("alg", spelling)}
		name := "alg " + attack.Quoted(spelling)
		if spelling == attack.Nothing {
			name = "no alg"
		}
		all = append(all, attack.Forgery{Name: name + ", no signature", Edits: edits},
			attack.Forgery{
				Name:  name + ", another's signature",
				Edits: edits,
				Text:  func(token string) string { return token + kept },
			})
	}
	return append(all,
		attack.Forgery{
			Name:  "alg none, no second dot",
			Edits: bench.Edits{Algorithm: "none"},
			Want:  attack.BadOrNot,
			Text:  func(token string) string { return strings.TrimSuffix(token, ".") },
		},
		attack.Forgery{
			Name: "the issuer's algorithm, no signature",
			Text: func(token string) string { return strings.TrimSuffix(token, kept) },
		},
		attack.Forgery{Name: "the issuer's algorithm in lower case", Text: spelled(s, strings.ToLower)},
		attack.Forgery{
			Name: "the issuer's algorithm after a blank",
			Text: spelled(s, func(alg string) string { return " " + alg }),
		},
	)
}

// spelled writes the algorithm's name in another way. The signature cannot fit any more; a server
// that has no such algorithm may not even look.
func spelled(s *attack.Specimen, spell func(string) string) func(string) string {
	return func(token string) string {
		header := maps.Clone(s.Header)
		header["alg"] = spell(attack.Text(s.Header, "alg"))
		return attack.Encoded(attack.Quoted(header)) + token[strings.IndexByte(token, '.'):]
	}
}

func withOtherAlgorithms(s *attack.Specimen) []attack.Forgery {
	own := attack.Text(s.Header, "alg")
	families := map[string][]string{
		"RS": {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"},
		"PS": {"RS256", "PS256", "PS384", "PS512"},
		"ES": {"ES256", "ES384", "ES512"},
	}
	var all []attack.Forgery
	for _, algorithm := range families[own[:min(2, len(own))]] {
		if algorithm != own {
			all = append(
				all,
				attack.Forgery{Name: algorithm + " in place of " + own, Edits: bench.Edits{Algorithm: algorithm}},
			)
		}
	}
	return all
}

func withDegenerateSignatures(*attack.Specimen) []attack.Forgery {
	key := attack.StrangersKey()
	order := elliptic.P256().Params().N
	numbers := map[string]*big.Int{
		"0":   new(big.Int),
		"1":   big.NewInt(1),
		"n-1": new(big.Int).Sub(order, big.NewInt(1)),
		"n":   order,
	}
	var all []attack.Forgery
	for _, r := range slices.Sorted(maps.Keys(numbers)) {
		for _, s := range slices.Sorted(maps.Keys(numbers)) {
			signature := make([]byte, 64)
			numbers[r].FillBytes(signature[:32])
			numbers[s].FillBytes(signature[32:])
			all = append(
				all,
				attack.Forgery{
					Name:  "ES256 with r=" + r + ", s=" + s,
					Edits: bench.Edits{Algorithm: "ES256", Key: key, Signature: becomes(signature)},
				},
			)
		}
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return append(all,
		attack.Forgery{
			Name:  "ES256 with r and s in DER",
			Edits: bench.Edits{Algorithm: "ES256", Key: key, Signature: inDER},
		},
		attack.Forgery{Name: "ES256, a stranger's key", Edits: bench.Edits{Algorithm: "ES256", Key: key}},
		attack.Forgery{Name: "EdDSA, a stranger's key", Edits: bench.Edits{Algorithm: "EdDSA", Key: edwards}},
		attack.Forgery{
			Name:  "EdDSA, a signature of zeros",
			Edits: bench.Edits{Algorithm: "EdDSA", Key: edwards, Signature: becomes(make([]byte, 64))},
		},
	)
}

func becomes(signature []byte) func([]byte) []byte { return func([]byte) []byte { return signature } }

// inDER is a signature as other protocols write it, with r and s of zero.
func inDER([]byte) []byte { return []byte{0x30, 6, 2, 1, 0, 2, 1, 0} }

// flips is how many bits of a signature are turned, one at a time, evenly spread.
const flips = 16

func withDamage(s *attack.Specimen) []attack.Forgery {
	cut := strings.LastIndexByte(s.Token, '.') + 1
	signature, err := attack.Decoded(s.Token[cut:])
	if err != nil || len(signature) < flips {
		return nil
	}
	damaged := func(name string, damage func(signature []byte) []byte) attack.Forgery {
		return attack.Forgery{
			Name: name,
			Text: func(token string) string {
				return token[:cut] + attack.Encoded(string(damage(slices.Clone(signature))))
			},
		}
	}
	var all []attack.Forgery
	for i := range flips {
		all = append(all, damaged("one bit turned", func(signature []byte) []byte {
			signature[i*len(signature)/flips] ^= 1 << (i % 8)
			return signature
		}))
	}
	return append(all,
		damaged("the last byte cut off", func(signature []byte) []byte { return signature[:len(signature)-1] }),
		damaged("half of it", func(signature []byte) []byte { return signature[:len(signature)/2] }),
		damaged("a zero before it", func(signature []byte) []byte { return append([]byte{0}, signature...) }),
		damaged("a zero after it", func(signature []byte) []byte { return append(signature, 0) }),
		damaged("twice", func(signature []byte) []byte { return append(signature, signature...) }),
		damaged("all zeros", func(signature []byte) []byte { return make([]byte, len(signature)) }),
		damaged("all ones", func(signature []byte) []byte { return slices.Repeat([]byte{0xff}, len(signature)) }),
		attack.Forgery{
			Name: "other claims under it",
			Text: func(token string) string {
				claims := maps.Clone(s.Claims)
				claims["sub"] = "somebody else"
				return token[:strings.IndexByte(token, '.')+1] + attack.Encoded(attack.Quoted(claims)) + token[cut-1:]
			},
		},
		attack.Forgery{
			Name: "another header over it",
			Text: func(token string) string {
				header := maps.Clone(s.Header)
				header["x"] = "y"
				return attack.Encoded(attack.Quoted(header)) + token[strings.IndexByte(token, '.'):]
			},
		},
		attack.Forgery{
			Name: "a stranger's key under the issuer's key id",
			Edits: bench.Edits{
				Algorithm: attack.Text(s.Header, "alg"),
				Key:       attack.StrangersFor(attack.Text(s.Header, "alg")),
			},
		},
	)
}

// tamper changes a token in its signature. The first character of base64 always counts; the last
// may be padding.
func tamper(good string) string {
	cut := strings.LastIndexByte(good, '.')
	if cut < 0 || cut+1 == len(good) {
		return good[:max(0, len(good)-8)] + "AAAAAAAA" // an opaque token
	}
	other := byte('A')
	if good[cut+1] == other {
		other = 'B'
	}
	return good[:cut+1] + string(other) + good[cut+2:]
}
