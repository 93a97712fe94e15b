package checks

import (
	"slices"
	"strconv"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// tokenTimeChecks returns the checks of server/token about expiry and start (RFC 7519 sections
// 4.1.4 and 4.1.5).
func tokenTimeChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/token/expired",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 7519 section 4.1.4; MCP authorization, Token Handling",
				Sentence:  "A token that has expired is refused.",
				Covers:    []string{"server-401-expired-token"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.Expired},
			Run:    tokenExpired,
		},
		{
			Rule: check.Rule{
				ID:        "server/token/not-yet-valid",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 7519 section 4.1.5",
				Sentence:  "A token that is not valid yet is refused.",
				Covers:    []string{"server-401-not-yet-valid"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.NotYetValid},
			Run:    refusesKind(bench.NotYetValid, attack.Unauthorized),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/expiry-form",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 7519 sections 2 and 4.1.4; RFC 9068 section 2.2",
				Sentence: "A token whose expiry time is missing or not a time is not valid forever. A future " +
					"time as text may count.",
				Covers: []string{"RS-051"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.RefusesForged(attack.Unauthorized, tokenExpiryFormForgeries),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/start-form",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 7519 sections 2 and 4.1.5",
				Sentence: "A token is refused before its start time (nbf). If that time is not a number, " +
					"refusing the token is a policy.",
				Covers: []string{"RS-052"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.RefusesForged(attack.Unauthorized, tokenStartFormForgeries),
		},
	}
}

// tokenExpiryFormForgeries returns tokens with expiry times that are missing, malformed or past. A
// future time as text is missing here, and so is 1e400, a number far in the future (RFC 8259
// section 6): the token has not expired.
func tokenExpiryFormForgeries(jwt *attack.JWT) []attack.Forgery {
	soon := time.Now().Add(time.Hour).Unix()
	past := time.Now().Add(-time.Hour).Unix()
	withText := func(text string) bench.Edits {
		return bench.Edits{Claims: attack.Member("exp", attack.Absent), ClaimsText: attack.Last(`"exp":` + text)}
	}
	missing := claimForgeries("exp", attack.Absent, nil)
	for i := range missing {
		missing[i].Level = profileLevel(jwt)
	}
	malformed := claimForgeries("exp",
		"",
		"never",
		strconv.FormatInt(past, 10),
		[]int64{soon},
		map[string]any{},
		true,
		0,
		-1,
		1,
		past,
	)
	return slices.Concat(missing, malformed, []attack.Forgery{
		{Name: "exp -1e400", Edits: withText("-1e400")},
		{
			Name:     "exp before iat",
			Edits:    bench.Edits{Claims: attack.Members(map[string]any{"iat": soon + 60, "exp": soon})},
			Level:    check.Policy,
			Severity: check.Low,
		},
	})
}

// profileLevel returns the level of a forgery that only the profile of RFC 9068 forbids. Its MUST
// binds servers that follow the profile. MCP does not ask for it, and only the issuer's tokens show
// it.
func profileLevel(jwt *attack.JWT) check.Level {
	if jwt.FollowsRFC9068() {
		return check.Should
	}
	return check.Policy
}

// tokenStartFormForgeries returns tokens whose start is in the future or malformed.
func tokenStartFormForgeries(*attack.JWT) []attack.Forgery {
	later := time.Now().Add(20 * time.Minute).Unix()
	var forgeries []attack.Forgery
	for _, start := range []struct {
		value any
		level check.Level
	}{
		{later, check.Must},
		{float64(later) + 0.5, check.Must},
		{strconv.FormatInt(later, 10), check.Policy},
		{"tomorrow", check.Policy},
		{[]int64{later}, check.Policy},
		{map[string]any{}, check.Policy},
	} {
		forgeries = append(forgeries, attack.Forgery{
			Name:  describeClaim("nbf", start.value),
			Edits: bench.Edits{Claims: attack.Members(map[string]any{"nbf": start.value, "exp": later + 3600})},
			Level: start.level,
		})
	}
	return append(forgeries, attack.Forgery{
		Name:     "iat in the future",
		Edits:    bench.Edits{Claims: attack.Members(map[string]any{"iat": later, "exp": later + 3600})},
		Level:    check.Policy,
		Severity: check.Low,
	})
}
