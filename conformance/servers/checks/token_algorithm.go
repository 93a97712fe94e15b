package checks

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// tokenAlgorithmChecks returns the checks of server/token about the signature algorithm (RFC 8725
// sections 3.1 and 3.2, RFC 7518 section 3).
func tokenAlgorithmChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/token/no-algorithm",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 8725 sections 2.1, 3.1 and 3.2",
				Sentence:  "A token without a signature, or with alg none in any spelling, is refused.",
				Covers:    []string{"RS-020", "server-401-alg-none"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.RefusesForged(attack.Unauthorized, tokenNoAlgorithmForgeries),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/symmetric-confusion",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 8725 sections 2.1 and 3.1",
				Sentence:  "A token with an HMAC is refused, whatever public value is its key.",
				Covers:    []string{"RS-021", "server-401-alg-confusion"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithJWT(tokenSymmetricConfusion),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/guessable-secret",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 8725 section 3.5; RFC 7518 section 3.2",
				Sentence: "The secret that signs tokens with an HMAC cannot be guessed. The check guesses without " +
					"requests, from a good token and a list of common secrets.",
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithJWT(tokenGuessableSecret),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/other-algorithm",
				Level:     check.Should,
				Severity:  check.Medium,
				Reference: "RFC 8725 section 3.1; RFC 7518 section 3",
				Sentence: "A token that the issuer's key has signed with an algorithm that the issuer does " +
					"not use is refused. For RSA keys, which fit several algorithms, this is a policy.",
				Covers: []string{"RS-022"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.RefusesForged(attack.Unauthorized, tokenOtherAlgorithmForgeries),
		},
	}
}

// tokenNoAlgorithmForgeries returns tokens with alg none in many spellings, and tokens of the
// issuer without a signature.
func tokenNoAlgorithmForgeries(jwt *attack.JWT) []attack.Forgery {
	signature := jwt.Token[strings.LastIndexByte(jwt.Token, '.')+1:]
	var forgeries []attack.Forgery
	for _, spelling := range []any{
		"none",
		"None",
		"NONE",
		"nOnE",
		"",
		" none",
		nil,
		attack.Absent,
		[]string{"none"},
		map[string]any{},
		0,
	} {
		edits := bench.Edits{Algorithm: "none", Header: attack.Member("alg", spelling)}
		name := describeClaim("alg", spelling)
		forgeries = append(forgeries,
			attack.Forgery{Name: name + ", no signature", Edits: edits},
			attack.Forgery{
				Name:  name + ", another's signature",
				Edits: edits,
				Text:  func(token string) string { return token + signature },
			},
		)
	}
	return append(forgeries,
		attack.Forgery{
			Name:  "alg none, no second dot",
			Edits: bench.Edits{Algorithm: "none"},
			Text:  func(token string) string { return strings.TrimSuffix(token, ".") },
			Want:  attack.Malformed,
		},
		attack.Forgery{
			Name: "the issuer's algorithm, no signature",
			Text: func(token string) string { return strings.TrimSuffix(token, signature) },
		},
		attack.Forgery{Name: "the issuer's algorithm in lower case", Text: spellAlgorithm(jwt, strings.ToLower)},
		attack.Forgery{
			Name: "the issuer's algorithm after a blank",
			Text: spellAlgorithm(jwt, func(alg string) string { return " " + alg }),
		},
	)
}

// spellAlgorithm writes the algorithm's name in another way. The signature no longer fits, but a
// server might not verify it.
func spellAlgorithm(jwt *attack.JWT, spell func(string) string) func(string) string {
	return func(token string) string {
		header := maps.Clone(jwt.Header)
		header["alg"] = spell(attack.Text(jwt.Header, "alg"))
		return attack.Base64(attack.JSON(header)) + token[strings.IndexByte(token, '.'):]
	}
}

// tokenSymmetricConfusion signs tokens with public values of the issuer as HMAC keys.
func tokenSymmetricConfusion(ctx context.Context, p *bench.Probe, trial *bench.Trial, jwt *attack.JWT) error {
	var forgeries []attack.Forgery
	forge := func(algorithm string, secret attack.Secret) {
		forgeries = append(forgeries, attack.Forgery{
			Name:  algorithm + " keyed with " + secret.Name,
			Edits: bench.Edits{Algorithm: algorithm, Key: secret.Value},
		})
	}
	for _, secret := range jwt.Secrets(jwt.PublishedKeys(ctx, p)) {
		forge("HS256", secret)
		if secret.Name == "nothing" || secret.Name == "the key in PEM" {
			forge("HS384", secret)
			forge("HS512", secret)
		}
	}
	return attack.TryForgeries(ctx, p, trial, attack.Unauthorized, forgeries)
}

// tokenGuessableSecret guesses the secret of a good token. A token with an asymmetric signature has
// none.
func tokenGuessableSecret(_ context.Context, p *bench.Probe, _ *bench.Trial, jwt *attack.JWT) error {
	secret, found := jwt.GuessSecret()
	if !found {
		return nil
	}
	return p.Insecure("a secret that is not in a short list", fmt.Sprintf("the secret %q", secret))
}

// tokenOtherAlgorithmForgeries returns tokens that the issuer's key has signed with its other
// algorithms.
func tokenOtherAlgorithmForgeries(jwt *attack.JWT) []attack.Forgery {
	own := attack.Text(jwt.Header, "alg")
	families := map[string][]string{
		"RS": {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"},
		"PS": {"RS256", "PS256", "PS384", "PS512"},
		"ES": {"ES256", "ES384", "ES512"},
	}
	var forgeries []attack.Forgery
	level := check.Policy // an operator may accept several algorithms
	if strings.HasPrefix(own, "ES") {
		level = check.Should // each has its curve (RFC 7518 section 3.4)
	}
	for _, algorithm := range families[own[:min(2, len(own))]] {
		if algorithm != own {
			forgeries = append(forgeries, attack.Forgery{
				Name:  algorithm + " in place of " + own,
				Edits: bench.Edits{Algorithm: algorithm},
				Level: level,
			})
		}
	}
	return forgeries
}
