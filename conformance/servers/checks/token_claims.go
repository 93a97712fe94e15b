package checks

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// tokenClaimsChecks returns the checks of server/token about claim names, and about the claims that
// identify a user (RFC 7519 section 4).
func tokenClaimsChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/token/case-twins",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 7519 section 4; RFC 8725 section 3.7",
				Sentence: "A claim name in another letter case is another claim, and does not make up for a " +
					"wrong one.",
				Covers: []string{"RS-053"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.RefusesForged(attack.Unauthorized, tokenCaseTwinsForgeries),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/duplicate-claims",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 7519 section 4; RFC 8725 section 2.6",
				Sentence:  "If a claim occurs twice, the first one never decides.",
				Covers:    []string{"RS-053"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.WithJWT(tokenDuplicateClaims),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/principal",
				Level:     check.Should,
				Severity:  check.High,
				Reference: "MCP security best practices, Session Hijacking; OpenID Connect Core section 5.7",
				Sentence: "A server that binds sessions to people identifies them by a claim that the issuer " +
					"never gives twice, and not by name or e-mail.",
				Covers: []string{"RS-057"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.WithJWT(tokenPrincipal),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/claim-sources",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "Microsoft identity platform, Groups overage claim; OpenID Connect Core section 5.6.2",
				Sentence:  "The server does not fetch claims from an address in the token (_claim_sources).",
				Covers:    []string{"RS-056"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.WithJWT(tokenClaimSources),
		},
	}
}

// tokenCaseTwinsForgeries returns tokens with a wrong claim, and a good one in another letter case.
func tokenCaseTwinsForgeries(jwt *attack.JWT) []attack.Forgery {
	past := fmt.Sprint(time.Now().Add(-2 * time.Hour).Unix())
	future := fmt.Sprint(time.Now().Add(time.Hour).Unix())
	audience := attack.JSON(jwt.Claims["aud"])
	issuer := attack.JSON(jwt.Claims["iss"])
	both := func(name, wrong, other, good string) attack.Forgery {
		text := `"` + name + `":` + wrong + `,"` + other + `":` + good
		return attack.Forgery{
			Name:  name + " and " + other,
			Edits: bench.Edits{Claims: attack.Member(name, attack.Absent), ClaimsText: attack.Last(text)},
		}
	}
	return []attack.Forgery{
		both("aud", `"https://other.example/mcp"`, "AUD", audience),
		both("aud", `"https://other.example/mcp"`, "Aud", audience),
		both("exp", past, "EXP", future),
		both("exp", past, "Exp", future),
		both("iss", `"https://other.example"`, "ISS", issuer),
		{
			Name: "AUD alone",
			Edits: bench.Edits{
				Claims:     attack.Member("aud", attack.Absent),
				ClaimsText: attack.Last(`"AUD":` + audience),
			},
		},
	}
}

// claimForgeries returns a forgery for each value of a claim.
func claimForgeries(claim string, values ...any) []attack.Forgery {
	var forgeries []attack.Forgery
	for _, value := range values {
		forgeries = append(forgeries, attack.Forgery{
			Name:  describeClaim(claim, value),
			Edits: bench.Edits{Claims: attack.Member(claim, value)},
		})
	}
	return forgeries
}

// describeClaim names a forgery by the value of a claim or header member.
func describeClaim(claim string, value any) string {
	if value == attack.Absent {
		return "no " + claim
	}
	text := attack.JSON(value)
	return claim + " " + text[:min(len(text), 80)]
}

// tokenDuplicateClaims tries server/token/duplicate-claims.
func tokenDuplicateClaims(ctx context.Context, p *bench.Probe, trial *bench.Trial, jwt *attack.JWT) error {
	return inputs.TryAll([]func() error{
		func() error {
			return attack.TryForgeries(ctx, p, trial, attack.Unauthorized, tokenDuplicateClaimsForgeries(jwt))
		},
		func() error { return duplicateScope(ctx, p, trial, jwt) },
	}, func(try func() error) error { return try() })
}

// duplicateScope repeats the claim with the scopes. The last value is one that the server refuses
// alone.
func duplicateScope(ctx context.Context, p *bench.Probe, trial *bench.Trial, jwt *attack.JWT) error {
	const none = "mcp-auth-conformance.none"
	claim := "scope"
	if attack.Text(jwt.Claims, "scp") != "" {
		claim = "scp"
	}
	if attack.Text(jwt.Claims, claim) == "" {
		return nil
	}
	without, err := p.Mint(ctx, bench.Edits{Claims: attack.Member(claim, none)})
	if err != nil {
		return err
	}
	refused := []int{http.StatusUnauthorized, http.StatusForbidden}
	answer, err := p.Send(ctx, attack.WithToken(without, trial.Request()))
	if err != nil || !slices.Contains(refused, answer.Status) {
		return err
	}
	twice, err := p.Mint(ctx, bench.Edits{ClaimsText: attack.Last(fmt.Sprintf("%q:%q", claim, none))})
	if err != nil {
		return err
	}
	name := "another " + claim + " last"
	_, err = trial.WantRefused(ctx, name, attack.WithToken(twice, trial.Request()), refused...)
	return err
}

func tokenDuplicateClaimsForgeries(*attack.JWT) []attack.Forgery {
	past := fmt.Sprint(time.Now().Add(-2 * time.Hour).Unix())
	last := func(member string) bench.Edits { return bench.Edits{ClaimsText: attack.Last(member)} }
	return []attack.Forgery{
		{Name: "another's aud last", Edits: last(`"aud":"https://other.example/mcp"`)},
		{Name: "a past exp last", Edits: last(`"exp":` + past)},
		{Name: "another's iss last", Edits: last(`"iss":"https://other.example"`)},
		{Name: "another's aud last, its name escaped", Edits: last(`"\u0061ud":"https://other.example/mcp"`)},
	}
}

// sameName are claims that two people could share.
var sameName = map[string]any{
	"preferred_username": "same@contoso.example",
	"upn":                "same@contoso.example",
	"unique_name":        "same@contoso.example",
	"email":              "same@contoso.example",
	"name":               "Same Name",
}

// A person is the holder of a token.
type person struct {
	name   string
	claims map[string]any
}

// tokenPrincipal opens a session as one person, and uses it as other people. The control is an
// entirely different person: a server that serves this one does not bind sessions to people.
func tokenPrincipal(ctx context.Context, p *bench.Probe, trial *bench.Trial, _ *attack.JWT) error {
	mine, err := p.Mint(ctx, bench.Edits{Claims: attack.Members(sameName)})
	if err != nil {
		return err
	}
	session, err := p.Open(ctx, mine)
	if err != nil {
		return err
	}
	if session.ID == "" {
		return &check.NotApplicable{Reason: "the server has no sessions that two people could share"}
	}
	answer, err := p.Send(ctx, attack.WithToken(mine, session.Message("tools/list", nil)))
	if err != nil {
		return err
	}
	if !answer.Succeeded() {
		return &check.CannotJudge{
			Reason: fmt.Sprintf("the control failed: in its own session a good token is answered %d", answer.Status),
		}
	}
	if err := controlStranger(ctx, p, session); err != nil {
		return err
	}
	return inputs.TryAll(namesakes(), func(namesake person) error {
		edit := attack.Both(attack.Members(sameName), attack.Members(namesake.claims))
		token, err := p.Mint(ctx, bench.Edits{Claims: edit})
		if err != nil {
			return err
		}
		request := attack.WithToken(token, session.Message("tools/list", nil))
		_, err = trial.WantRefused(ctx, namesake.name, request, bench.AnyRefusal()...)
		return err
	})
}

// controlStranger shows that the session refuses a person who differs in every claim.
func controlStranger(ctx context.Context, p *bench.Probe, session *bench.Session) error {
	const stranger = "stranger@fabrikam.example"
	token, err := p.Mint(ctx, bench.Edits{Claims: attack.Members(map[string]any{
		"preferred_username": stranger,
		"upn":                stranger,
		"unique_name":        stranger,
		"email":              stranger,
		"name":               "A Stranger",
		"oid":                "5a1e0002-0000-4000-8000-00000000eeee",
		"sub":                "a stranger",
	})})
	if err != nil {
		return err
	}
	answer, err := p.Send(ctx, attack.WithToken(token, session.Message("tools/list", nil)))
	if err == nil && answer.Succeeded() {
		return &check.NotApplicable{
			Reason: "the server serves a session to any person; server/session/other-user is about that",
		}
	}
	return err
}

// namesakes returns people with the same name as the session's owner.
func namesakes() []person {
	return []person{
		{
			name:   "another person of that name",
			claims: map[string]any{"oid": "5a1e0002-0000-4000-8000-00000000ffff", "sub": "another"},
		},
		{
			name: "a person of that name in another tenant",
			claims: map[string]any{
				"tid": "5a1e0001-0000-4000-8000-00000000ffff",
				"oid": "5a1e0002-0000-4000-8000-00000000fffe",
				"sub": "another",
			},
		},
	}
}

// tokenClaimSources sends a token whose groups are too many for it. It has the address of a trap
// instead.
func tokenClaimSources(ctx context.Context, p *bench.Probe, trial *bench.Trial, _ *attack.JWT) error {
	if err := attack.ControlMint(ctx, p, trial); err != nil {
		return err
	}
	trap, err := attack.NewTrap(`{"value":["a group"]}`)
	if err != nil {
		return err
	}
	defer trap.Close()
	source := map[string]any{"endpoint": trap.URL + "/groups", "access_token": "x"}
	token, err := p.Mint(ctx, bench.Edits{Claims: attack.Members(map[string]any{
		"_claim_names":   map[string]any{"groups": "src1"},
		"_claim_sources": map[string]any{"src1": source},
	})})
	if err != nil {
		return err
	}
	answer, err := p.Send(ctx, attack.WithToken(token, trial.Request()))
	if err != nil {
		return err
	}
	if hits := trap.Hits.Load(); hits > 0 {
		return p.Insecure("no request to the address in _claim_sources", fmt.Sprintf("%d requests", hits))
	}
	if answer.Status >= http.StatusInternalServerError {
		return p.Mismatch("an answer", fmt.Sprintf("status %d", answer.Status))
	}
	return nil
}
