package checks

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// tokenOdditiesChecks returns the checks of server/token about good tokens in an unusual form.
func tokenOdditiesChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/token/oddities",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "MCP authorization, Error Handling; RFC 7515 section 4; RFC 7519 sections 2 and 4.1",
				Sentence: "A token in an unusual form that a server may accept or refuse gets a result, 401 " +
					"or 403.",
				Covers: []string{
					"RS-028",
					"RS-029",
					"RS-031",
					"RS-035",
					"RS-043",
					"RS-049",
					"RS-051",
					"server-accept-uppercase-host",
				},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Slow:   true,
			Run:    attack.WithJWT(tokenOddities),
		},
	}
}

// An oddity is an unusual form of a good token.
type oddity struct {
	name  string
	edits bench.Edits
	text  func(token string) string // changes the signed token; nil leaves it
	// isUnknownKey says that the server may wait for the issuer's keys.
	isUnknownKey bool
}

// tokenOddities sends good tokens in unusual forms.
func tokenOddities(ctx context.Context, p *bench.Probe, trial *bench.Trial, jwt *attack.JWT) error {
	if err := attack.ControlMint(ctx, p, trial); err != nil {
		return err
	}
	for _, odd := range slices.Concat(headerOddities(), claimOddities(jwt)) {
		token, err := p.Mint(ctx, odd.edits)
		if err != nil {
			return err
		}
		if odd.text != nil {
			token = odd.text(token)
		}
		answer, err := p.Send(ctx, attack.WithToken(token, trial.Request()))
		switch {
		case err != nil:
			return err
		case answer.Succeeded(), slices.Contains(notAllowed, answer.Status):
			continue
		case odd.isUnknownKey && slices.Contains(attack.UnknownKey, answer.Status):
			continue
		}
		return p.Mismatch("a result, or status 401 or 403: "+odd.name, fmt.Sprintf("status %d", answer.Status))
	}
	return nil
}

// headerOddities returns tokens with unusual headers and signatures. The names of keys and types
// are hints (RFC 7515 sections 4.1.4 and 4.1.9).
func headerOddities() []oddity {
	header := func(name string, value any) oddity {
		return oddity{name: describeClaim(name, value), edits: bench.Edits{Header: attack.Member(name, value)}}
	}
	unknown := header("kid", "of-another-key")
	unknown.isUnknownKey = true
	return []oddity{
		header("kid", attack.Absent),
		unknown,
		header("typ", attack.Absent),
		header("typ", "JWT"),
		header("typ", "at+jwt"),
		header("crit", []string{}),
		header("crit", "exp"),
		{name: "spare bits in the signature", text: withSpareBits},
	}
}

// withSpareBits sets a bit of the last character that does not belong to the signature (RFC 4648
// section 3.5).
func withSpareBits(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(token) - 1
	length := last - strings.LastIndexByte(token, '.')
	if length%4 == 0 {
		return token // the last character has no spare bits
	}
	return token[:last] + string(alphabet[strings.IndexByte(alphabet, token[last])^1])
}

// claimOddities returns tokens with unusual claims.
func claimOddities(jwt *attack.JWT) []oddity {
	claim := func(name string, value any) oddity {
		return oddity{name: describeClaim(name, value), edits: bench.Edits{Claims: attack.Member(name, value)}}
	}
	odd := []oddity{
		claim("exp", float64(time.Now().Add(time.Hour).Unix())+0.5),
		claim("exp", 253402300799), // the end of the year 9999
		claim("jti", 1),
	}
	if audience := attack.Text(jwt.Claims, "aud"); audience != "" {
		odd = append(odd, claim("aud", []any{audience, 1}))
		scheme, rest, isURL := strings.Cut(audience, "://")
		host, path, _ := strings.Cut(rest, "/")
		if isURL {
			odd = append(odd, claim("aud", strings.ToUpper(scheme+"://"+host)+"/"+path))
		}
	}
	granted := scopes(jwt)
	if granted == "" {
		return odd
	}
	other := map[string]string{"scp": "scope", "scope": "scp"}[scopeClaim(jwt)]
	return append(odd,
		claim(scopeClaim(jwt), strings.Fields(granted)),
		claim(scopeClaim(jwt), "x\t"+strings.ReplaceAll(granted, " ", "\t")),
		claim(scopeClaim(jwt), "x\n"+strings.ReplaceAll(granted, " ", "\n")),
		claim(scopeClaim(jwt), "api://example/"+granted),
		oddity{
			name:  "the scopes in the claim " + other,
			edits: bench.Edits{Claims: attack.Both(withoutScope, attack.Member(other, granted))},
		},
	)
}
