package checks

import (
	"context"
	"fmt"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// tokenAudienceChecks returns the checks of server/token about the audience (RFC 7519 section
// 4.1.3, RFC 8707 section 2).
func tokenAudienceChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/token/foreign-audience",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: since(check.R20250618),
				Reference: "MCP authorization, Token Audience Binding and Validation; RFC 8707 section 2",
				Sentence:  "A token that was issued for another resource is refused.",
				Covers:    []string{"server-401-wrong-audience"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.ForeignAudience},
			Run:    refusesKind(bench.ForeignAudience, attack.Unauthorized),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/missing-audience",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: since(check.R20250618),
				Reference: "MCP authorization, Token Audience Binding and Validation; RFC 9068 section 4",
				Sentence:  "A token without an audience is refused.",
				Covers:    []string{"RS-043", "server-401-missing-audience"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.RefusesForged(attack.Unauthorized, tokenMissingAudienceForgeries),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/lookalike-audience",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: since(check.R20250618),
				Reference: "RFC 7519 section 4.1.3; RFC 8707 section 2",
				Sentence: "The audience is compared as a whole: prefixes, similar values and other ports " +
					"are refused.",
				Covers: []string{"RS-043", "RS-044", "server-401-lookalike-audience", "server-401-wrong-audience"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.RefusesForged(attack.Unauthorized, tokenLookalikeAudienceForgeries),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/audience-array",
				Level:     check.Should,
				Revisions: since(check.R20250618),
				Reference: "RFC 7519 section 4.1.3",
				Sentence:  "A token whose audience is an array with only the server is served.",
				Covers:    []string{"server-accept-audience-array"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.WithJWT(tokenAudienceArray),
		},
	}
}

func tokenMissingAudienceForgeries(*attack.JWT) []attack.Forgery {
	return claimForgeries("aud", attack.Absent, nil, "", []string{}, []string{""}, map[string]any{}, 0, true)
}

// tokenLookalikeAudienceForgeries returns tokens for other APIs, and for names that resemble the
// server's.
func tokenLookalikeAudienceForgeries(jwt *attack.JWT) []attack.Forgery {
	values := []any{
		"00000003-0000-0000-c000-000000000000",
		"https://graph.microsoft.com",
		"https://management.azure.com/",
		"https://other.example/mcp",
		[]string{"https://other.example/mcp"},
		[]string{"https://other.example/mcp", "https://graph.microsoft.com"},
	}
	audience := audienceOf(jwt)
	if audience != "" {
		values = append(values, lookalikes(audience)...)
	}
	// A client and an API may share a registration. The API may then accept its ID in two forms.
	if id := clientID(jwt); !strings.Contains(audience, id) {
		values = append(values, id)
	}
	return claimForgeries("aud", values...)
}

// audienceOf returns the audience of a good token, or the first of several, or "".
func audienceOf(jwt *attack.JWT) string {
	if list, isList := jwt.Claims["aud"].([]any); isList && len(list) > 0 {
		first, _ := list[0].(string)
		return first
	}
	return attack.Text(jwt.Claims, "aud")
}

// lookalikes returns values that resemble an audience. A slash at the end of a URL makes no other
// resource.
func lookalikes(audience string) []any {
	if trimmed := strings.TrimSuffix(audience, "/"); trimmed != "" {
		audience = trimmed
	}
	shorter := audience[:len(audience)-1]
	other := "0"
	if audience[len(shorter):] == other {
		other = "1"
	}
	values := []any{
		audience + ".evil.example",
		audience + "2",
		audience + "/x",
		shorter,
		shorter + other,
		" " + audience,
		audience + " ",
		audience + "\x00",
		audience + ",https://other.example",
		"https://evil.example/" + audience,
		[]string{audience + "2"},
		map[string]any{audience: true},
		map[string]any{"aud": audience},
	}
	if scheme, rest, isURL := strings.Cut(audience, "://"); isURL {
		host, path, _ := strings.Cut(rest, "/")
		name, _, _ := strings.Cut(host, ":")
		values = append(values,
			scheme+"://"+name+":1/"+path,
			scheme+"://"+host+"@evil.example/"+path,
			scheme+"://"+host+".evil.example/"+path,
		)
	}
	return values
}

// tokenAudienceArray puts the audience into an array of one. A server may refuse an array with
// other values (OAuth 2.1 section 5.2).
func tokenAudienceArray(ctx context.Context, p *bench.Probe, trial *bench.Trial, jwt *attack.JWT) error {
	own, isText := jwt.Claims["aud"].(string)
	if !isText {
		return nil // the trial has shown that the server accepts the issuer's own form
	}
	if err := attack.ControlMint(ctx, p, trial); err != nil {
		return err
	}
	token, err := p.Mint(ctx, bench.Edits{Claims: attack.Member("aud", []string{own})})
	if err != nil {
		return err
	}
	answer, err := p.Send(ctx, attack.WithToken(token, trial.Request()))
	if err == nil && !answer.Succeeded() {
		return p.Mismatch("a result: "+describeClaim("aud", []string{own}), fmt.Sprintf("status %d", answer.Status))
	}
	return err
}
