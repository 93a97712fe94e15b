package checks

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"maps"
	"math/big"
	"slices"
	"strings"

	"mcpentra/conformance/engine"
)

// tokenAlgorithm: which signatures count (RFC 8725 sections 3.1 and 3.2, RFC 7518 section 3).
func tokenAlgorithm() []engine.Check {
	good := []engine.TokenKind{engine.Good}
	return []engine.Check{
		{
			ID: "server/token/no-algorithm", Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Needs: good,
			Covers:    []string{"RS-020", "server-401-alg-none"},
			Reference: "RFC 8725 sections 2.1, 3.1 and 3.2",
			Sentence:  "A token that says it needs no signature (alg none), in whatever spelling, or that has none, is refused.",
			Run:       forged(unauthorized, withoutAlgorithm),
		},
		{
			ID: "server/token/symmetric-confusion", Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Needs: good,
			Covers:    []string{"RS-021", "server-401-alg-confusion"},
			Reference: "RFC 8725 sections 2.1 and 3.1",
			Sentence:  "A token with an HMAC is refused, whatever public value it is keyed with.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				trial, err := p.Trial(ctx)
				if err != nil {
					return err
				}
				s, err := examine(trial.Token)
				if err != nil {
					return err
				}
				s.keys = s.publishedKeys(ctx, p)
				var forgeries []forgery
				for _, name := range slices.Sorted(maps.Keys(s.secrets())) {
					forgeries = append(forgeries, forgery{name: "HS256 keyed with " + name, edits: engine.Edits{Algorithm: "HS256", Key: s.secrets()[name]}})
				}
				for _, algorithm := range []string{"HS384", "HS512"} {
					for _, name := range []string{"nothing", "the key in PEM"} {
						if secret, there := s.secrets()[name]; there {
							forgeries = append(forgeries, forgery{name: algorithm + " keyed with " + name, edits: engine.Edits{Algorithm: algorithm, Key: secret}})
						}
					}
				}
				return denyAll(ctx, p, trial, unauthorized, forgeries)
			},
		},
		{
			ID: "server/token/other-algorithm", Role: engine.Server, Level: engine.Should, Severity: engine.Medium, Needs: good, NeedsMint: true, Covers: []string{"RS-022"},
			Reference: "RFC 8725 section 3.1; RFC 7518 section 3",
			Sentence:  "A token that the issuer's key has signed with another algorithm than the issuer uses is refused.",
			Run:       forged(unauthorized, withOtherAlgorithms),
		},
		{
			ID: "server/token/degenerate-signature", Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Needs: good, Covers: []string{"RS-023"},
			Reference: "RFC 7518 section 3.4; FIPS 186-5 section 6.4.2",
			Sentence:  "An ECDSA signature of zeros or of the curve's order is refused, and so is one of a stranger's key.",
			Run:       forged(unauthorized, withDegenerateSignatures),
		},
		{
			ID: "server/token/tampered-signature", Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Needs: good,
			Covers:    []string{"RS-037", "server-401-bad-signature"},
			Reference: "RFC 8725 section 3.2; RFC 7515 section 5.2",
			Sentence:  "A token whose signature does not fit, in one bit or in its length, is refused.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				trial, err := p.Trial(ctx)
				if err != nil {
					return err
				}
				s, err := examine(trial.Token)
				if err != nil { // an opaque token has no signature, but nobody may change it all the same
					return denyAll(ctx, p, trial, unauthorized, []forgery{{name: "another ending", text: tamper}})
				}
				return denyAll(ctx, p, trial, unauthorized, withDamage(s))
			},
		},
	}
}

func withoutAlgorithm(s *specimen) []forgery {
	kept := s.token[strings.LastIndexByte(s.token, '.')+1:]
	var all []forgery
	for _, spelling := range []any{"none", "None", "NONE", "nOnE", "", " none", nil, nothing, []string{"none"}, map[string]any{}, 0} {
		edits := engine.Edits{Algorithm: "none", Header: member("alg", spelling)}
		name := "alg " + quoted(spelling)
		if spelling == nothing {
			name = "no alg"
		}
		all = append(all, forgery{name: name + ", no signature", edits: edits},
			forgery{name: name + ", another's signature", edits: edits, text: func(token string) string { return token + kept }})
	}
	return append(all,
		forgery{name: "alg none, no second dot", edits: engine.Edits{Algorithm: "none"}, want: badOrNot, text: func(token string) string { return strings.TrimSuffix(token, ".") }},
		forgery{name: "the issuer's algorithm, no signature", text: func(token string) string { return strings.TrimSuffix(token, kept) }},
		forgery{name: "the issuer's algorithm in lower case", text: spelled(s, strings.ToLower)},
		forgery{name: "the issuer's algorithm after a blank", text: spelled(s, func(alg string) string { return " " + alg })},
	)
}

// spelled writes the algorithm's name in another way. The signature cannot fit any more; a server that has no such algorithm may not even look.
func spelled(s *specimen, spell func(string) string) func(string) string {
	return func(token string) string {
		header := maps.Clone(s.header)
		header["alg"] = spell(text(s.header, "alg"))
		return encoded(quoted(header)) + token[strings.IndexByte(token, '.'):]
	}
}

func withOtherAlgorithms(s *specimen) []forgery {
	own := text(s.header, "alg")
	families := map[string][]string{"RS": {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, "PS": {"RS256", "PS256", "PS384", "PS512"}, "ES": {"ES256", "ES384", "ES512"}}
	var all []forgery
	for _, algorithm := range families[own[:min(2, len(own))]] {
		if algorithm != own {
			all = append(all, forgery{name: algorithm + " in place of " + own, edits: engine.Edits{Algorithm: algorithm}})
		}
	}
	return all
}

func withDegenerateSignatures(*specimen) []forgery {
	key := strangersKey()
	order := elliptic.P256().Params().N
	numbers := map[string]*big.Int{"0": new(big.Int), "1": big.NewInt(1), "n-1": new(big.Int).Sub(order, big.NewInt(1)), "n": order}
	var all []forgery
	for _, r := range slices.Sorted(maps.Keys(numbers)) {
		for _, s := range slices.Sorted(maps.Keys(numbers)) {
			signature := make([]byte, 64)
			numbers[r].FillBytes(signature[:32])
			numbers[s].FillBytes(signature[32:])
			all = append(all, forgery{name: "ES256 with r=" + r + ", s=" + s, edits: engine.Edits{Algorithm: "ES256", Key: key, Signature: becomes(signature)}})
		}
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return append(all,
		forgery{name: "ES256 with r and s in DER", edits: engine.Edits{Algorithm: "ES256", Key: key, Signature: inDER}},
		forgery{name: "ES256, a stranger's key", edits: engine.Edits{Algorithm: "ES256", Key: key}},
		forgery{name: "EdDSA, a stranger's key", edits: engine.Edits{Algorithm: "EdDSA", Key: edwards}},
		forgery{name: "EdDSA, a signature of zeros", edits: engine.Edits{Algorithm: "EdDSA", Key: edwards, Signature: becomes(make([]byte, 64))}},
	)
}

func becomes(signature []byte) func([]byte) []byte { return func([]byte) []byte { return signature } }

// inDER is a signature as other protocols write it, with r and s of zero.
func inDER([]byte) []byte { return []byte{0x30, 6, 2, 1, 0, 2, 1, 0} }

// flips is how many bits of a signature are turned, one at a time, evenly spread.
const flips = 16

func withDamage(s *specimen) []forgery {
	cut := strings.LastIndexByte(s.token, '.') + 1
	signature, err := decoded(s.token[cut:])
	if err != nil || len(signature) < flips {
		return nil
	}
	damaged := func(name string, damage func(signature []byte) []byte) forgery {
		return forgery{name: name, text: func(token string) string { return token[:cut] + encoded(string(damage(slices.Clone(signature)))) }}
	}
	var all []forgery
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
		forgery{name: "other claims under it", text: func(token string) string {
			claims := maps.Clone(s.claims)
			claims["sub"] = "somebody else"
			return token[:strings.IndexByte(token, '.')+1] + encoded(quoted(claims)) + token[cut-1:]
		}},
		forgery{name: "another header over it", text: func(token string) string {
			header := maps.Clone(s.header)
			header["x"] = "y"
			return encoded(quoted(header)) + token[strings.IndexByte(token, '.'):]
		}},
		forgery{name: "a stranger's key under the issuer's key id", edits: engine.Edits{Algorithm: text(s.header, "alg"), Key: strangersFor(text(s.header, "alg"))}},
	)
}

// strangersFor is a stranger's key for an algorithm.
func strangersFor(algorithm string) crypto.Signer {
	curves := map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}
	if curve := curves[algorithm]; curve != nil {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			panic(err)
		}
		return key
	}
	if algorithm == "EdDSA" {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			panic(err)
		}
		return key
	}
	return strangersRSA()
}

// tamper changes a token in its signature. The first character of base64 always counts; the last may be padding.
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
