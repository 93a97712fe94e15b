package checks

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// tokenIssuerChecks returns the checks of server/token about the issuer and its tenant (RFC 8725
// section 3.8).
func tokenIssuerChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/token/foreign-issuer",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 8725 section 3.8",
				Sentence:  "A token that names another issuer is refused, even with a good signature.",
				Covers:    []string{"server-401-wrong-issuer"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.ForeignIssuer},
			Run:    refusesKind(bench.ForeignIssuer, attack.Unauthorized),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/lookalike-issuer",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 8725 section 3.8; RFC 9068 section 4",
				Sentence: "The issuer of a token is compared byte by byte. Another spelling of the right issuer " +
					"does little damage.",
				Covers: []string{"RS-040", "server-401-wrong-issuer"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.RefusesForged(attack.Unauthorized, tokenLookalikeIssuerForgeries),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/tenant",
				Level:     check.Policy,
				Severity:  check.Critical,
				Reference: "Microsoft identity platform, Access tokens, Validate tokens; RFC 8725 section 3.10",
				Sentence: "A token whose tenant (tid) is not its issuer's is refused, and the server builds " +
					"no address from it (SHOULD).",
				Covers: []string{"RS-041"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.WithJWT(tokenTenant),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/version",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "Microsoft identity platform, Access token claims reference",
				Sentence:  "A token whose version (ver) is not its issuer's is refused.",
				Covers:    []string{"RS-054"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.RefusesForged(attack.Unauthorized, tokenVersionForgeries),
		},
	}
}

// tokenLookalikeIssuerForgeries returns tokens of issuers whose names resemble the issuer's.
func tokenLookalikeIssuerForgeries(jwt *attack.JWT) []attack.Forgery {
	issuer := attack.Text(jwt.Claims, "iss")
	scheme, rest, _ := strings.Cut(issuer, "://")
	host, path, _ := strings.Cut(rest, "/")
	otherScheme := map[bool]string{true: "http://", false: "https://"}[scheme == "https"]
	withSlash := issuer + "/"
	if strings.HasSuffix(issuer, "/") {
		withSlash = strings.TrimSuffix(issuer, "/")
	}
	spellings := []any{
		withSlash,
		strings.TrimSuffix(issuer, "/") + "/.",
		strings.ToUpper(issuer),
		scheme + "://" + strings.ToUpper(host) + "/" + path,
		issuer + "?x",
		issuer + "#x",
		" " + issuer,
		issuer + " ",
		issuer + "\x00",
		otherScheme + rest,
		[]string{issuer},
		map[string]any{"iss": issuer},
	}
	others := []any{
		issuer + ".evil.example",
		scheme + "://evil.example/" + rest,
		scheme + "://" + host + "@evil.example/" + path,
		scheme + "://" + host + ".evil.example/" + path,
		strings.Replace(issuer, "o", "\u043e", 1), // the Cyrillic letter
		issuer[:len(issuer)-1],
		"",
		1,
	}
	others = append(others, otherTenants(issuer, attack.Text(jwt.Claims, "tid"))...)
	isSame := func(value any) bool {
		text, isText := value.(string)
		return isText && text == issuer
	}
	forgeries := claimForgeries("iss", slices.DeleteFunc(spellings, isSame)...)
	for i := range forgeries {
		forgeries[i].Severity = check.Low // the issuer's key has signed it, and the name is the issuer's
	}
	// RFC 8725 is about an iss that is there.
	for _, missing := range claimForgeries("iss", nil, attack.Absent) {
		missing.Level = profileLevel(jwt)
		forgeries = append(forgeries, missing)
	}
	return append(claimForgeries("iss", slices.DeleteFunc(others, isSame)...), forgeries...)
}

// otherTenants returns issuers of other tenants and clouds, or none if the issuer's name does not
// have the tenant.
func otherTenants(issuer, tenant string) []any {
	if tenant == "" || !strings.Contains(issuer, tenant) {
		return nil
	}
	values := []any{
		"https://login.microsoftonline.us/" + tenant + "/v2.0",
		"https://login.partner.microsoftonline.cn/" + tenant + "/v2.0",
	}
	for _, other := range []string{
		"common",
		"organizations",
		"consumers",
		"{tenantid}",
		"9188040d-6c67-4c5b-b112-36a304b66dad",
		"00000000-0000-0000-0000-000000000001",
	} {
		values = append(values, strings.Replace(issuer, tenant, other, 1))
	}
	return values
}

// tokenTenant names other tenants, and hosts of a trap. A server that builds an address from the
// tenant calls the trap.
func tokenTenant(ctx context.Context, p *bench.Probe, trial *bench.Trial, jwt *attack.JWT) error {
	tenant := attack.Text(jwt.Claims, "tid")
	if tenant == "" {
		return &check.NotApplicable{Reason: "the issuer has no tenants"}
	}
	trap, err := attack.NewTrap(`{"keys":[]}`)
	if err != nil {
		return err
	}
	defer trap.Close()
	host := strings.TrimPrefix(trap.URL, "http://")
	err = attack.TryForgeries(ctx, p, trial, attack.Unauthorized, claimForgeries("tid",
		"00000000-0000-0000-0000-000000000001",
		strings.ToUpper(tenant)+"A",
		"not-a-guid",
		"../../x",
		"@"+host,
		host+"/",
		"x@"+host+"/",
		trap.URL,
		"",
		nil,
		attack.Absent,
		[]string{tenant},
		1,
	))
	if hits := trap.Hits.Load(); hits > 0 {
		return &check.Mismatch{
			Want:     "no request to an address made of tid",
			Got:      fmt.Sprintf("%d requests", hits),
			Level:    check.Should, // RFC 8725 section 3.10
			Insecure: true,
		}
	}
	return err
}

func tokenVersionForgeries(jwt *attack.JWT) []attack.Forgery {
	own := attack.Text(jwt.Claims, "ver")
	if own == "" {
		return nil
	}
	values := []any{"", nil, 2, attack.Absent}
	for _, version := range []string{"1.0", "2.0", "3.0"} {
		if version != own {
			values = append(values, version)
		}
	}
	return claimForgeries("ver", values...)
}
