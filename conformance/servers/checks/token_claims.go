package checks

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// tokenClaimsChecks are checks of server/token: for whom and until when a token is, and what it
// allows (RFC 7519 section 4.1, RFC 8707 section 2).
func tokenClaimsChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/token/missing-audience",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: withMetadata,
				Reference: "MCP authorization, Token Audience Binding and Validation; RFC 9068 section 4",
				Sentence:  "A token that does not say for whom it is is refused.",
				Covers:    []string{"RS-043", "server-401-missing-audience"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run: attack.RefusesForged(attack.Unauthorized, func(*attack.Specimen) []attack.Forgery {
				var all []attack.Forgery
				for _, value := range []any{
					attack.Nothing,
					nil,
					"",
					[]string{},
					[]string{""},
					map[string]any{},
					0,
					true,
				} {
					all = append(
						all,
						attack.Forgery{
							Name:  named("aud", value),
							Edits: bench.Edits{Claims: attack.Member("aud", value)},
						},
					)
				}
				return all
			}),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/lookalike-audience",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: withMetadata,
				Reference: "RFC 7519 section 4.1.3; RFC 8707 section 2",
				Sentence: "The audience of a token is compared as a whole: prefixes, neighbours and other ports do " +
					"not count.",
				Covers: []string{"RS-043", "RS-044", "server-401-lookalike-audience", "server-401-wrong-audience"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.RefusesForged(attack.Unauthorized, withLookalikeAudiences),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/audience-array",
				Level:     check.Should,
				Revisions: withMetadata,
				Reference: "RFC 7519 section 4.1.3",
				Sentence:  "A token whose audience is an array of the server alone is served.",
				Covers:    []string{"server-accept-audience-array"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    audienceArrays,
		},
		{
			Rule: check.Rule{
				ID:        "server/token/public-client",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "Microsoft identity platform, Access token claims reference, azpacr; RFC 6749 section 2.1",
				Sentence: "Where a server is configured to take tokens of confidential clients, it refuses those of " +
					"public ones.",
				Covers: []string{"RS-050"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.PublicClient},
			Run:    actorRefused(bench.PublicClient, "a token of a public client"),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/unlisted-client",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 9068 section 4; Microsoft identity platform, Claims validation, Validate the actor",
				Sentence: "Where a server is configured to take tokens of certain clients, it refuses those " +
					"of others.",
				Covers: []string{"RS-050"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.UnlistedClient},
			Run:    actorRefused(bench.UnlistedClient, "a token of a client that is not listed"),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/expiry-form",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 7519 sections 2 and 4.1.4; RFC 9068 section 2.2",
				Sentence:  "An expiry time that is no number, or not there, does not make a token last for ever.",
				Covers:    []string{"RS-051"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run: attack.RefusesForged(attack.Unauthorized, func(s *attack.Specimen) []attack.Forgery {
				soon := time.Now().Add(time.Hour).Unix()
				all := []attack.Forgery{
					{
						Name:  "no exp",
						Level: lesser(s.Ruled()),
						Edits: bench.Edits{Claims: attack.Member("exp", attack.Nothing)},
					},
				}
				for _, value := range []any{
					nil,
					"",
					"never",
					strconv.FormatInt(soon, 10),
					[]int64{soon},
					map[string]any{},
					true,
					0,
					-1,
					1,
					time.Now().Add(-time.Hour).Unix(),
				} {
					all = append(
						all,
						attack.Forgery{
							Name:  named("exp", value),
							Edits: bench.Edits{Claims: attack.Member("exp", value)},
						},
					)
				}
				return append(all,
					attack.Forgery{
						Name: "exp 1e400",
						Edits: bench.Edits{
							Claims:     attack.Member("exp", attack.Nothing),
							ClaimsText: attack.Last(`"exp":1e400`),
						},
					},
					attack.Forgery{
						Name: "exp -1e400",
						Edits: bench.Edits{
							Claims:     attack.Member("exp", attack.Nothing),
							ClaimsText: attack.Last(`"exp":-1e400`),
						},
					},
					attack.Forgery{
						Name:  "exp before iat",
						Level: check.Policy,
						Edits: bench.Edits{Claims: members(map[string]any{"iat": soon + 60, "exp": soon})},
					},
				)
			}),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/start-form",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 7519 sections 2 and 4.1.5",
				Sentence:  "A time at which a token begins to count (nbf) is a number, and waited for.",
				Covers:    []string{"RS-052"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run: attack.RefusesForged(attack.Unauthorized, func(*attack.Specimen) []attack.Forgery {
				later := time.Now().Add(20 * time.Minute).Unix()
				var all []attack.Forgery
				for _, value := range []any{
					later,
					float64(later) + 0.5,
					strconv.FormatInt(later, 10),
					"tomorrow",
					[]int64{later},
					map[string]any{},
				} {
					all = append(
						all,
						attack.Forgery{
							Name:  named("nbf", value),
							Edits: bench.Edits{Claims: members(map[string]any{"nbf": value, "exp": later + 3600})},
						},
					)
				}
				return append(
					all,
					attack.Forgery{
						Name:  "iat in the future",
						Level: check.Policy,
						Edits: bench.Edits{Claims: members(map[string]any{"iat": later, "exp": later + 3600})},
					},
				)
			}),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/case-twins",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 7519 section 4; RFC 8725 section 3.7",
				Sentence: "A claim whose name is written in another case is another claim, and does not put a wrong " +
					"one right.",
				Covers: []string{"RS-053"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run: attack.RefusesForged(attack.Unauthorized, func(s *attack.Specimen) []attack.Forgery {
				past, future := fmt.Sprint(
					time.Now().Add(-2*time.Hour).Unix(),
				), fmt.Sprint(time.Now().Add(time.Hour).Unix())
				audience := attack.Quoted(s.Claims["aud"])
				issuer := attack.Quoted(s.Claims["iss"])
				spelled := func(name, bad, other, good string) attack.Forgery {
					return attack.Forgery{
						Name: name + " and " + other,
						Edits: bench.Edits{
							Claims:     attack.Member(name, attack.Nothing),
							ClaimsText: attack.Last(`"` + name + `":` + bad + `,"` + other + `":` + good),
						},
					}
				}
				return []attack.Forgery{
					spelled("aud", `"https://other.example/mcp"`, "AUD", audience),
					spelled("aud", `"https://other.example/mcp"`, "Aud", audience),
					spelled("exp", past, "EXP", future),
					spelled("exp", past, "Exp", future),
					spelled("iss", `"https://other.example"`, "ISS", issuer),
					{
						Name: "AUD alone",
						Edits: bench.Edits{
							Claims:     attack.Member("aud", attack.Nothing),
							ClaimsText: attack.Last(`"AUD":` + audience),
						},
					},
				}
			}),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/duplicate-claims",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 7519 section 4; RFC 8725 section 2.6",
				Sentence:  "Of a claim that stands there twice the first one never decides.",
				Covers:    []string{"RS-053"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run: attack.RefusesForged(attack.Unauthorized, func(*attack.Specimen) []attack.Forgery {
				past := fmt.Sprint(time.Now().Add(-2 * time.Hour).Unix())
				return []attack.Forgery{
					{
						Name:  "another's aud last",
						Edits: bench.Edits{ClaimsText: attack.Last(`"aud":"https://other.example/mcp"`)},
					},
					{Name: "a past exp last", Edits: bench.Edits{ClaimsText: attack.Last(`"exp":` + past)}},
					{
						Name:  "another's iss last",
						Edits: bench.Edits{ClaimsText: attack.Last(`"iss":"https://other.example"`)},
					},
					{
						Name:  "another's aud last, its name escaped",
						Edits: bench.Edits{ClaimsText: attack.Last(`"\u0061ud":"https://other.example/mcp"`)},
					},
				}
			}),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/lookalike-scope",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 6750 section 3.1; OAuth 2.1 section 1.4.1; RFC 9068 section 2.2.3",
				Sentence:  "A scope is compared as a whole, in its case, and in the claim where the issuer puts it.",
				Covers:    []string{"RS-049"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.WithoutScope},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.RefusesForged(notAllowed, withLookalikeScopes),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/app-only",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "Microsoft identity platform, Claims validation, Validate the actor",
				Sentence: "A token that an application got for itself does not do what a person has allowed; its " +
					"roles are not scopes.",
				Covers: []string{"RS-048", "server-ext-cc-validates"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.WithoutScope},
			Needs:  []bench.Need{bench.IssuerKey},
			Run: attack.RefusesForged(notAllowed, func(s *attack.Specimen) []attack.Forgery {
				roles := strings.Fields(scopes(s))
				app := func(more map[string]any) bench.Edits {
					return bench.Edits{Claims: attack.Both(withoutScope, members(more))}
				}
				return []attack.Forgery{
					{
						Name:  "no roles",
						Edits: app(map[string]any{"idtyp": "app", "sub": "an application", "oid": "an application"}),
					},
					{
						Name: "the scopes as roles",
						Edits: app(map[string]any{
							"idtyp": "app",
							"sub":   "an application",
							"oid":   "an application",
							"roles": roles,
						}),
					},
					{
						Name:  "the scopes as roles, without idtyp",
						Edits: app(map[string]any{"sub": "an application", "oid": "an application", "roles": roles}),
					},
				}
			}),
		},
	}
}

// notAllowed are the answers to a token without a scope that is needed.
var notAllowed = []int{http.StatusForbidden, http.StatusUnauthorized}

// lesser is the level of a forgery in a check of level Must.
func lesser(level check.Level) check.Level {
	if level == check.Must {
		return ""
	}
	return level
}

func withLookalikeAudiences(s *attack.Specimen) []attack.Forgery {
	values := []any{
		"00000003-0000-0000-c000-000000000000",
		"https://graph.microsoft.com",
		"https://management.azure.com/",
		"https://other.example/mcp",
		[]string{"https://other.example/mcp"},
		[]string{"https://other.example/mcp", "https://graph.microsoft.com"},
	}
	audience := attack.Text(s.Claims, "aud")
	if list, isList := s.Claims["aud"].([]any); isList && len(list) > 0 {
		audience, _ = list[0].(string)
	}
	if audience != "" {
		last := audience[len(audience)-1:]
		other := "0"
		if last == other {
			other = "1"
		}
		values = append(
			values,
			audience+".evil.example",
			audience+"2",
			audience+"/x",
			audience[:len(audience)-1],
			audience[:len(audience)-1]+other,
			" "+audience,
			audience+" ",
			audience+"\x00",
			audience+",https://other.example",
			"https://evil.example/"+audience,
			[]string{audience + "2"},
			map[string]any{audience: true},
			map[string]any{"aud": audience},
		)
		if scheme, rest, found := strings.Cut(audience, "://"); found {
			host, path, _ := strings.Cut(rest, "/")
			name, _, _ := strings.Cut(host, ":")
			values = append(
				values,
				scheme+"://"+name+":1/"+path,
				scheme+"://"+host+"@evil.example/"+path,
				scheme+"://"+host+".evil.example/"+path,
			)
		}
	}
	if id := client(s); id != audience {
		values = append(values, id)
	}
	var all []attack.Forgery
	for _, value := range values {
		all = append(
			all,
			attack.Forgery{Name: named("aud", value), Edits: bench.Edits{Claims: attack.Member("aud", value)}},
		)
	}
	return all
}

// actorRefused wants a token refused that is good but for the client that has it.
func actorRefused(kind bench.TokenKind, name string) func(ctx context.Context, p *bench.Probe) error {
	return func(ctx context.Context, p *bench.Probe) error {
		trial, err := p.Trial(ctx)
		if err != nil {
			return err
		}
		token, err := p.Token(ctx, kind)
		if err != nil {
			return err
		}
		return attack.Deny(
			ctx,
			p,
			trial,
			notAllowed,
			attack.Vector{Name: name, Change: attack.Authorization(func(string) string { return "Bearer " + token })},
		)
	}
}

// audienceArrays shows an array of one. To refuse an array with others in it is a policy that OAuth
// 2.1 section 5.2 allows.
func audienceArrays(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	s, err := attack.Examine(trial.Token)
	if err != nil {
		return err
	}
	own, isText := s.Claims["aud"].(string)
	if !isText {
		return nil // an array, or what the issuer has in its place: the trial has shown that it is served
	}
	if err := attack.MintIsGood(ctx, p, trial); err != nil {
		return err
	}
	token, err := p.Mint(ctx, bench.Edits{Claims: attack.Member("aud", []string{own})})
	if err != nil {
		return err
	}
	request := trial.Request()
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := p.Send(ctx, request)
	if err != nil {
		return err
	}
	if !answer.Succeeded() {
		return p.Mismatch("a result: "+named("aud", []string{own}), fmt.Sprintf("status %d", answer.Status))
	}
	return nil
}

// scopes are those of a good token, and scopeClaim is where its issuer puts them.
func scopes(s *attack.Specimen) string { return attack.Text(s.Claims, scopeClaim(s)) }

func scopeClaim(s *attack.Specimen) string {
	if _, there := s.Claims["scp"]; there {
		return "scp"
	}
	return "scope"
}

func withLookalikeScopes(s *attack.Specimen) []attack.Forgery {
	granted := scopes(s)
	claim := scopeClaim(s)
	list := strings.Fields(granted)
	if len(list) == 0 {
		return nil
	}
	each := func(change func(scope string) string) string {
		changed := make([]string, len(list))
		for i, scope := range list {
			changed[i] = change(scope)
		}
		return strings.Join(changed, " ")
	}
	only := func(name string, value any) bench.Edits {
		return bench.Edits{Claims: attack.Both(withoutScope, attack.Member(name, value))}
	}
	all := []attack.Forgery{
		{Name: "no scope", Edits: bench.Edits{Claims: withoutScope}},
		{Name: "an empty scope", Edits: only(claim, "")},
		{Name: "a blank scope", Edits: only(claim, "   ")},
		{Name: "capitals", Edits: only(claim, each(strings.ToUpper))},
		{Name: "longer ones", Edits: only(claim, each(func(scope string) string { return scope + ".all" }))},
		{
			Name:  "ones with something in front",
			Edits: only(claim, each(func(scope string) string { return "x" + scope })),
		},
		{Name: "shorter ones", Edits: only(claim, each(func(scope string) string { return scope[:len(scope)-1] }))},
		{Name: "an asterisk", Edits: only(claim, "*")},
		{Name: "null", Edits: only(claim, nil)},
		{Name: "a number", Edits: only(claim, 1)},
		{Name: "with other ones, between commas", Edits: only(claim, "x,"+strings.Join(list, ",")+",y")},
		{Name: "the claim scopes", Edits: only("scopes", granted)},
		{Name: "the claim roles", Edits: only("roles", list)},
	}
	return all
}
