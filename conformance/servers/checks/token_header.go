package checks

import (
	"context"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// tokenHeaderChecks returns the checks of server/token about the JOSE header, which the sender of a
// token chooses (RFC 8725 sections 3.9 to 3.11, RFC 7515 section 4).
func tokenHeaderChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/token/critical-extension",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 7515 section 4.1.11; RFC 7797 section 7",
				Sentence: "A token with a critical extension (crit) that the server does not understand is " +
					"refused.",
				Covers: []string{"RS-029"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.RefusesForged(attack.Unauthorized, tokenCriticalExtensionForgeries),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/duplicate-header",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 7515 section 4; RFC 8725 section 2.6",
				Sentence:  "If a header member occurs twice, the first one never decides.",
				Covers:    []string{"RS-030"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.WithJWT(tokenDuplicateHeader),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/type",
				Level:     check.Should,
				Severity:  check.Medium,
				Reference: "RFC 8725 section 3.11; RFC 9068 section 4",
				Sentence: "Where access tokens are at+jwt, a token of another type (typ) is refused. Elsewhere " +
					"this is a policy.",
				Covers: []string{"RS-031"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.RefusesForged(attack.Unauthorized, tokenTypeForgeries),
		},
	}
}

func tokenCriticalExtensionForgeries(*attack.JWT) []attack.Forgery {
	return []attack.Forgery{
		{
			Name:  "an unknown extension",
			Edits: bench.Edits{Header: attack.Members(map[string]any{"crit": []string{"x"}, "x": 1})},
		},
		{
			Name:  "an extension that is missing",
			Edits: bench.Edits{Header: attack.Member("crit", []string{"x"})},
		},
		{
			Name:  "a claim as extension",
			Edits: bench.Edits{Header: attack.Members(map[string]any{"crit": []string{"exp"}, "exp": 1})},
		},
		{
			Name:  "an unencoded payload",
			Edits: bench.Edits{Header: attack.Members(map[string]any{"crit": []string{"b64"}, "b64": false})},
		},
	}
}

// tokenDuplicateHeader tries server/token/duplicate-header. A server that serves an unknown kid
// tries all keys, as it may (RFC 7515 section 4.1.4); for that server two kids say nothing.
func tokenDuplicateHeader(ctx context.Context, p *bench.Probe, trial *bench.Trial, _ *attack.JWT) error {
	if err := attack.ControlMint(ctx, p, trial); err != nil {
		return err
	}
	forgeries := []attack.Forgery{
		{Name: "alg none last", Edits: bench.Edits{HeaderText: attack.Last(`"alg":"none"`)}},
		{Name: "an unknown alg last", Edits: bench.Edits{HeaderText: attack.Last(`"alg":"XX999"`)}},
	}
	unknown, err := p.Mint(ctx, bench.Edits{Header: attack.Member("kid", "unknown")})
	if err != nil {
		return err
	}
	answer, err := p.Send(ctx, attack.WithToken(unknown, trial.Request()))
	if err != nil {
		return err
	}
	if !answer.Succeeded() {
		forgeries = append(forgeries, attack.Forgery{
			Name:  "an unknown kid last",
			Edits: bench.Edits{HeaderText: attack.Last(`"kid":"unknown"`)},
		})
	}
	return attack.TryForgeries(ctx, p, trial, attack.Unauthorized, forgeries)
}

// tokenTypeForgeries returns tokens with the types of other JWTs.
func tokenTypeForgeries(jwt *attack.JWT) []attack.Forgery {
	var forgeries []attack.Forgery
	for _, typ := range []string{
		"dpop+jwt",
		"logout+jwt",
		"secevent+jwt",
		"oauth-authz-req+jwt",
		"application/dpop+jwt",
	} {
		forgeries = append(forgeries, attack.Forgery{
			Name:  "typ " + typ,
			Edits: bench.Edits{Header: attack.Member("typ", typ)},
			Level: profileLevel(jwt),
		})
	}
	return forgeries
}
