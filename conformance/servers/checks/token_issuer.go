package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// tokenIssuerChecks are checks of server/token: whose tokens a server takes (RFC 8725 section 3.8),
// and what tells them from the issuer's other products.
func tokenIssuerChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/token/lookalike-issuer",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 8725 section 3.8; RFC 9068 section 4",
				Sentence:  "The issuer of a token is compared byte by byte.",
				Covers:    []string{"RS-040", "server-401-wrong-issuer"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.RefusesForged(attack.Unauthorized, withLookalikeIssuers),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/tenant",
				Level:     check.Policy,
				Severity:  check.Critical,
				Reference: "Microsoft identity platform, Access tokens, Validate tokens",
				Sentence: "A token whose tenant (tid) is not that of its issuer is refused, and no address is " +
					"made of it.",
				Covers: []string{"RS-041"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    foreignTenant,
		},
		{
			Rule: check.Rule{
				ID:        "server/token/version",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "Microsoft identity platform, Access token claims reference",
				Sentence:  "A token that says it is of another version (ver) than the issuer's is refused.",
				Covers:    []string{"RS-054"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run: attack.RefusesForged(attack.Unauthorized, func(s *attack.Specimen) []attack.Forgery {
				if attack.Text(s.Claims, "ver") == "" {
					return nil
				}
				var all []attack.Forgery
				for _, version := range []any{"1.0", "2.0", "3.0", "", nil, 2, attack.Nothing} {
					if version != s.Claims["ver"] {
						all = append(
							all,
							attack.Forgery{
								Name:  named("ver", version),
								Edits: bench.Edits{Claims: attack.Member("ver", version)},
							},
						)
					}
				}
				return all
			}),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/graph",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "MCP authorization, Token Audience Binding and Validation; RFC 8725 section 3.9",
				Sentence: "A token in the manner of Microsoft Graph's, with a nonce in its header that is signed as " +
					"a hash, is refused.",
				Covers: []string{"RS-045"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run: attack.RefusesForged(attack.Unauthorized, func(*attack.Specimen) []attack.Forgery {
				claims := attack.Member("aud", "https://graph.microsoft.com")
				return []attack.Forgery{
					{
						Name:  "signed with the hash",
						Edits: bench.Edits{Header: attack.Member("nonce", "the hash"), Claims: claims},
						Text: func(token string) string {
							header, _, _ := strings.Cut(token, ".")
							plain, err := attack.Decoded(header)
							if err != nil {
								return token
							}
							return attack.Encoded(strings.Replace(
								string(plain),
								"the hash",
								"the nonce",
								1,
							)) + token[len(header):]
						},
					},
					{
						Name:  "signed as it stands",
						Edits: bench.Edits{Header: attack.Member("nonce", "the nonce"), Claims: claims},
					},
				}
			}),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/id-token",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "OAuth 2.1 section 5.2; RFC 8725 sections 2.8, 3.11 and 3.12; RFC 9068 section 5",
				Sentence:  "An ID token is no access token, whomever it is for.",
				Covers:    []string{"RS-046", "server-401-id-token"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.WithoutScope},
			Needs:  []bench.Need{bench.IssuerKey},
			Run: attack.RefusesForged(attack.Unauthorized, func(s *attack.Specimen) []attack.Forgery {
				id := func(audience any) bench.Edits {
					return bench.Edits{
						Header: attack.Member("typ", "JWT"),
						Claims: attack.Both(
							withoutScope,
							members(map[string]any{"aud": audience, "nonce": "of the sign-in", "name": "Somebody"}),
						),
					}
				}
				return []attack.Forgery{
					{Name: "for the client", Edits: id(client(s))},
					{
						Name:  "for the server too",
						Edits: id(s.Claims["aud"]),
						Want:  []int{http.StatusUnauthorized, http.StatusForbidden},
					},
				}
			}),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/other-products",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "OAuth 2.1 section 5.2; RFC 8725 section 3.12; RFC 7523 section 3; RFC 9449 section 4.2",
				Sentence: "What else is signed in an authorization flow, such as a client assertion, a logout token " +
					"or a DPoP proof, is no access token.",
				Covers: []string{"RS-047"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.RefusesForged(attack.Unauthorized, otherProducts),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/bound",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "RFC 9449 section 7.2; RFC 8705 section 3",
				Sentence: "A token that is bound to a key (cnf) is refused where only a bearer shows it: a must for " +
					"those who know such bindings.",
				Covers: []string{"RS-055"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run: attack.RefusesForged(attack.Unauthorized, attack.Fixed(
				attack.Forgery{
					Name: "DPoP",
					Edits: bench.Edits{
						Claims: attack.Member(
							"cnf",
							map[string]any{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"},
						),
					},
				},
				attack.Forgery{
					Name: "mutual TLS",
					Edits: bench.Edits{
						Claims: attack.Member(
							"cnf",
							map[string]any{"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"},
						),
					},
				},
			)),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/principal",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "OpenID Connect Core section 5.7; Microsoft identity platform, Claims validation",
				Sentence: "People are told apart by what the issuer never gives to two of them, and not by their " +
					"name or e-mail.",
				Covers: []string{"RS-057"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    namesakes,
		},
		{
			Rule: check.Rule{
				ID:        "server/token/claim-sources",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "OpenID Connect Core section 5.6.2; Microsoft identity platform, Groups overage claim",
				Sentence: "An address from which claims are to be had (_claim_sources) is not called: it is for the " +
					"server to know where it asks.",
				Covers: []string{"RS-056"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    claimSources,
		},
	}
}

// named says what a claim is in a forgery.
func named(claim string, value any) string {
	if value == attack.Nothing {
		return "no " + claim
	}
	shown := attack.Quoted(value)
	return claim + " " + shown[:min(len(shown), 80)]
}

// client is the party that the token was issued to.
func client(s *attack.Specimen) string {
	for _, claim := range []string{"azp", "appid", "client_id"} {
		if id := attack.Text(s.Claims, claim); id != "" {
			return id
		}
	}
	return "somebody's client"
}

func withoutScope(claims map[string]any) {
	for _, name := range []string{"scp", "scope", "roles"} {
		delete(claims, name)
	}
}

func withLookalikeIssuers(s *attack.Specimen) []attack.Forgery {
	issuer := attack.Text(s.Claims, "iss")
	scheme, rest, _ := strings.Cut(issuer, "://")
	host, path, _ := strings.Cut(rest, "/")
	values := []any{
		issuer + "/",
		strings.TrimSuffix(issuer, "/") + "/.",
		strings.ToUpper(issuer),
		scheme + "://" + strings.ToUpper(host) + "/" + path,
		issuer + ".evil.example",
		issuer + "?x",
		issuer + "#x",
		" " + issuer,
		issuer + " ",
		issuer + "\x00",
		scheme + "://evil.example/" + rest,
		scheme + "://" + host + "@evil.example/" + path,
		scheme + "://" + host + ".evil.example/" + path,
		strings.Replace(issuer, "o", "о", 1), /* the Cyrillic letter */
		issuer[:len(issuer)-1],
		"",
		nil,
		attack.Nothing,
		[]string{issuer},
		map[string]any{"iss": issuer},
		1,
	}
	if strings.HasSuffix(issuer, "/") {
		values[0] = strings.TrimSuffix(issuer, "/")
	}
	if scheme == "https" {
		values = append(values, "http://"+rest)
	} else {
		values = append(values, "https://"+rest)
	}
	if tenant := attack.Text(s.Claims, "tid"); tenant != "" && strings.Contains(issuer, tenant) {
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
		values = append(
			values,
			"https://login.microsoftonline.us/"+tenant+"/v2.0",
			"https://login.partner.microsoftonline.cn/"+tenant+"/v2.0",
		)
	}
	var all []attack.Forgery
	for _, value := range values {
		if value != issuer {
			all = append(
				all,
				attack.Forgery{Name: named("iss", value), Edits: bench.Edits{Claims: attack.Member("iss", value)}},
			)
		}
	}
	return all
}

// foreignTenant names other tenants, and a trap where a server that makes an address of the tenant
// would call.
func foreignTenant(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	s, err := attack.Examine(trial.Token)
	if err != nil {
		return err
	}
	tenant := attack.Text(s.Claims, "tid")
	if tenant == "" {
		return &check.NotApplicable{Reason: "the issuer has no tenants"}
	}
	trap, err := attack.NewTrap(`{"keys":[]}`)
	if err != nil {
		return err
	}
	defer trap.Close()
	host := strings.TrimPrefix(trap.URL, "http://")
	var forgeries []attack.Forgery
	for _, other := range []any{
		"00000000-0000-0000-0000-000000000001",
		strings.ToUpper(tenant) + "A",
		"not-a-guid",
		"../../x",
		"@" + host,
		host + "/",
		"x@" + host + "/",
		trap.URL,
		"",
		nil,
		attack.Nothing,
		[]string{tenant},
		1,
	} {
		forgeries = append(
			forgeries,
			attack.Forgery{Name: named("tid", other), Edits: bench.Edits{Claims: attack.Member("tid", other)}},
		)
	}
	err = attack.DenyAll(ctx, p, trial, attack.Unauthorized, forgeries)
	if hits := trap.Hits.Load(); hits > 0 {
		return &check.Mismatch{
			Want:     "no request to an address made of tid",
			Got:      fmt.Sprintf("%d requests", hits),
			Level:    check.Must,
			Insecure: true,
		}
	}
	return err
}

func otherProducts(s *attack.Specimen) []attack.Forgery {
	id := client(s)
	// the token's times are kept, so that they are not what it fails by
	kept := func(names ...string) func(map[string]any) {
		return func(claims map[string]any) {
			for name := range claims {
				switch name {
				case "iat", "nbf", "exp", "jti":
				default:
					delete(claims, name)
				}
			}
			for i := 0; i < len(names); i += 2 {
				claims[names[i]] = names[i+1]
			}
		}
	}
	issuer, _ := json.Marshal(s.Claims["iss"])
	return []attack.Forgery{
		{
			Name: "a client assertion",
			Edits: bench.Edits{
				Header: attack.Member("typ", "JWT"),
				Claims: kept("iss", id, "sub", id, "aud", strings.Trim(string(issuer), `"`)),
			},
		},
		{
			Name:  "a client assertion for the server",
			Edits: bench.Edits{Claims: attack.Both(kept("iss", id, "sub", id), attack.Member("aud", s.Claims["aud"]))},
		},
		{
			Name: "a logout token",
			Edits: bench.Edits{
				Header: attack.Member("typ", "logout+jwt"),
				Claims: attack.Both(
					kept("iss", attack.Text(s.Claims, "iss"), "aud", id, "sub", attack.Text(s.Claims, "sub")),
					attack.Member(
						"events",
						map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
					),
				),
			},
		},
		{
			Name: "a DPoP proof",
			Edits: bench.Edits{
				Header: attack.Both(
					attack.Member("typ", "dpop+jwt"),
					attack.Member("jwk", jwk(attack.StrangersKey(), "")),
				),
				Claims: kept("htm", "POST", "htu", attack.Text(s.Claims, "iss")),
			},
		},
		{
			Name: "a refresh token in the form of a JWT",
			Edits: bench.Edits{
				Header: attack.Member("typ", "rt+jwt"),
				Claims: members(map[string]any{"token_use": "refresh", "aud": s.Claims["iss"]}),
			},
		},
		{Name: "a code", Text: func(string) string { return "0.AXkAcodecodecodecodecodecodecodecodecode" }},
	}
}

// claimSources shows a token with more groups than a token may hold, as it says, and with the
// address where to ask for them.
func claimSources(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	if _, err := attack.Examine(trial.Token); err != nil {
		return err
	}
	if err := attack.MintIsGood(ctx, p, trial); err != nil {
		return err
	}
	trap, err := attack.NewTrap(`{"value":["everybody"]}`)
	if err != nil {
		return err
	}
	defer trap.Close()
	token, err := p.Mint(ctx, bench.Edits{Claims: members(map[string]any{
		"_claim_names":   map[string]any{"groups": "src1"},
		"_claim_sources": map[string]any{"src1": map[string]any{"endpoint": trap.URL + "/groups", "access_token": "x"}},
	})})
	if err != nil {
		return err
	}
	request := trial.Request()
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := p.Send(ctx, request)
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

// namesakes opens a session as one person, and comes to it as another of the same name.
func namesakes(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	if _, err := attack.Examine(trial.Token); err != nil {
		return err
	}
	names := members(map[string]any{
		"preferred_username": "same@contoso.example",
		"upn":                "same@contoso.example",
		"unique_name":        "same@contoso.example",
		"email":              "same@contoso.example",
		"name":               "Same Name",
	})
	mine, err := p.Mint(ctx, bench.Edits{Claims: names})
	if err != nil {
		return err
	}
	session, err := p.Open(ctx, mine)
	if err != nil {
		return err
	}
	if session.ID == "" {
		return &check.NotApplicable{Reason: "the server has no sessions that could be shared"}
	}
	request := session.Message("tools/list", nil)
	request.Header.Set("Authorization", "Bearer "+mine)
	answer, err := p.Send(ctx, request)
	if err != nil {
		return err
	}
	if !answer.Succeeded() {
		return &check.CannotJudge{
			Reason: fmt.Sprintf("the control failed: in its own session a good token is answered %d", answer.Status),
		}
	}
	for name, claims := range map[string]map[string]any{
		"another person of that name": {"oid": "5a1e0002-0000-4000-8000-00000000ffff", "sub": "another"},
		"a namesake of another tenant": {
			"tid": "5a1e0001-0000-4000-8000-00000000ffff",
			"oid": "5a1e0002-0000-4000-8000-00000000fffe",
			"sub": "another",
		},
	} {
		theirs, err := p.Mint(ctx, bench.Edits{Claims: attack.Both(names, members(claims))})
		if err != nil {
			return err
		}
		request := session.Message("tools/list", nil)
		request.Header.Set("Authorization", "Bearer "+theirs)
		if _, err := trial.Denied(ctx, name, request, bench.AnyRefusal()...); err != nil {
			return err
		}
	}
	return nil
}
