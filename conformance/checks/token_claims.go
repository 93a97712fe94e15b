package checks

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"mcpentra/conformance/engine"
)

// notAllowed are the answers to a token without a scope that is needed.
var notAllowed = []int{http.StatusForbidden, http.StatusUnauthorized}

// tokenClaims: for whom and until when a token is, and what it allows (RFC 7519 section 4.1, RFC 8707 section 2).
func tokenClaims() []engine.Check {
	good := []engine.TokenKind{engine.Good}
	return []engine.Check{
		{
			ID: "server/token/missing-audience", Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Needs: good, NeedsMint: true, Revisions: withMetadata,
			Covers:    []string{"RS-043", "server-401-missing-audience"},
			Reference: "MCP authorization, Token Audience Binding and Validation; RFC 9068 section 4",
			Sentence:  "A token that does not say for whom it is is refused.",
			Run: forged(unauthorized, func(*specimen) []forgery {
				var all []forgery
				for _, value := range []any{nothing, nil, "", []string{}, []string{""}, map[string]any{}, 0, true} {
					all = append(all, forgery{name: named("aud", value), edits: engine.Edits{Claims: member("aud", value)}})
				}
				return all
			}),
		},
		{
			ID: "server/token/lookalike-audience", Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Needs: good, NeedsMint: true, Revisions: withMetadata,
			Covers:    []string{"RS-043", "RS-044", "server-401-lookalike-audience", "server-401-wrong-audience"},
			Reference: "RFC 7519 section 4.1.3; RFC 8707 section 2",
			Sentence:  "The audience of a token is compared as a whole: prefixes, neighbours and other ports do not count.",
			Run:       forged(unauthorized, withLookalikeAudiences),
		},
		{
			ID: "server/token/audience-array", Role: engine.Server, Level: engine.Should, Needs: good, NeedsMint: true, Revisions: withMetadata,
			Covers:    []string{"server-accept-audience-array"},
			Reference: "RFC 7519 section 4.1.3",
			Sentence:  "A token whose audience is an array of the server alone is served.",
			Run:       audienceArrays,
		},
		{
			ID: "server/token/public-client", Role: engine.Server, Level: engine.Must, Severity: engine.Medium, Needs: []engine.TokenKind{engine.Good, engine.PublicClient},
			Covers:    []string{"RS-050"},
			Reference: "Microsoft identity platform, Access token claims reference, azpacr; RFC 6749 section 2.1",
			Sentence:  "Where a server is configured to take tokens of confidential clients, it refuses those of public ones.",
			Run:       actorRefused(engine.PublicClient, "a token of a public client"),
		},
		{
			ID: "server/token/unlisted-client", Role: engine.Server, Level: engine.Must, Severity: engine.Medium, Needs: []engine.TokenKind{engine.Good, engine.UnlistedClient},
			Covers:    []string{"RS-050"},
			Reference: "RFC 9068 section 4; Microsoft identity platform, Claims validation, Validate the actor",
			Sentence:  "Where a server is configured to take tokens of certain clients, it refuses those of others.",
			Run:       actorRefused(engine.UnlistedClient, "a token of a client that is not listed"),
		},
		{
			ID: "server/token/expiry-form", Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Needs: good, NeedsMint: true, Covers: []string{"RS-051"},
			Reference: "RFC 7519 sections 2 and 4.1.4; RFC 9068 section 2.2",
			Sentence:  "An expiry time that is no number, or not there, does not make a token last for ever.",
			Run: forged(unauthorized, func(s *specimen) []forgery {
				soon := time.Now().Add(time.Hour).Unix()
				all := []forgery{{name: "no exp", level: lesser(s.ruled()), edits: engine.Edits{Claims: member("exp", nothing)}}}
				for _, value := range []any{nil, "", "never", strconv.FormatInt(soon, 10), []int64{soon}, map[string]any{}, true, 0, -1, 1, time.Now().Add(-time.Hour).Unix()} {
					all = append(all, forgery{name: named("exp", value), edits: engine.Edits{Claims: member("exp", value)}})
				}
				return append(all,
					forgery{name: "exp 1e400", edits: engine.Edits{Claims: member("exp", nothing), ClaimsText: last(`"exp":1e400`)}},
					forgery{name: "exp -1e400", edits: engine.Edits{Claims: member("exp", nothing), ClaimsText: last(`"exp":-1e400`)}},
					forgery{name: "exp before iat", level: engine.Policy, edits: engine.Edits{Claims: members(map[string]any{"iat": soon + 60, "exp": soon})}},
				)
			}),
		},
		{
			ID: "server/token/start-form", Role: engine.Server, Level: engine.Must, Severity: engine.Medium, Needs: good, NeedsMint: true, Covers: []string{"RS-052"},
			Reference: "RFC 7519 sections 2 and 4.1.5",
			Sentence:  "A time at which a token begins to count (nbf) is a number, and waited for.",
			Run: forged(unauthorized, func(*specimen) []forgery {
				later := time.Now().Add(20 * time.Minute).Unix()
				var all []forgery
				for _, value := range []any{later, float64(later) + 0.5, strconv.FormatInt(later, 10), "tomorrow", []int64{later}, map[string]any{}} {
					all = append(all, forgery{name: named("nbf", value), edits: engine.Edits{Claims: members(map[string]any{"nbf": value, "exp": later + 3600})}})
				}
				return append(all, forgery{name: "iat in the future", level: engine.Policy, edits: engine.Edits{Claims: members(map[string]any{"iat": later, "exp": later + 3600})}})
			}),
		},
		{
			ID: "server/token/case-twins", Role: engine.Server, Level: engine.Must, Severity: engine.High, Needs: good, NeedsMint: true, Covers: []string{"RS-053"},
			Reference: "RFC 7519 section 4; RFC 8725 section 3.7",
			Sentence:  "A claim whose name is written in another case is another claim, and does not put a wrong one right.",
			Run: forged(unauthorized, func(s *specimen) []forgery {
				past, future := fmt.Sprint(time.Now().Add(-2*time.Hour).Unix()), fmt.Sprint(time.Now().Add(time.Hour).Unix())
				audience, issuer := quoted(s.claims["aud"]), quoted(s.claims["iss"])
				twin := func(name, bad, twin, good string) forgery {
					return forgery{name: name + " and " + twin, edits: engine.Edits{Claims: member(name, nothing), ClaimsText: last(`"` + name + `":` + bad + `,"` + twin + `":` + good)}}
				}
				return []forgery{
					twin("aud", `"https://other.example/mcp"`, "AUD", audience), twin("aud", `"https://other.example/mcp"`, "Aud", audience),
					twin("exp", past, "EXP", future), twin("exp", past, "Exp", future), twin("iss", `"https://other.example"`, "ISS", issuer),
					{name: "AUD alone", edits: engine.Edits{Claims: member("aud", nothing), ClaimsText: last(`"AUD":` + audience)}},
				}
			}),
		},
		{
			ID: "server/token/duplicate-claims", Role: engine.Server, Level: engine.Must, Severity: engine.High, Needs: good, NeedsMint: true, Covers: []string{"RS-053"},
			Reference: "RFC 7519 section 4; RFC 8725 section 2.6",
			Sentence:  "Of a claim that stands there twice the first one never decides.",
			Run: forged(unauthorized, func(*specimen) []forgery {
				past := fmt.Sprint(time.Now().Add(-2 * time.Hour).Unix())
				return []forgery{
					{name: "another's aud last", edits: engine.Edits{ClaimsText: last(`"aud":"https://other.example/mcp"`)}},
					{name: "a past exp last", edits: engine.Edits{ClaimsText: last(`"exp":` + past)}},
					{name: "another's iss last", edits: engine.Edits{ClaimsText: last(`"iss":"https://other.example"`)}},
					{name: "another's aud last, its name escaped", edits: engine.Edits{ClaimsText: last(`"\u0061ud":"https://other.example/mcp"`)}},
				}
			}),
		},
		{
			ID: "server/token/lookalike-scope", Role: engine.Server, Level: engine.Must, Severity: engine.High, Needs: []engine.TokenKind{engine.Good, engine.WithoutScope}, NeedsMint: true,
			Covers:    []string{"RS-049"},
			Reference: "RFC 6750 section 3.1; OAuth 2.1 section 1.4.1; RFC 9068 section 2.2.3",
			Sentence:  "A scope is compared as a whole, in its case, and in the claim where the issuer puts it.",
			Run:       forged(notAllowed, withLookalikeScopes),
		},
		{
			ID: "server/token/app-only", Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Needs: []engine.TokenKind{engine.Good, engine.WithoutScope}, NeedsMint: true,
			Covers:    []string{"RS-048", "server-ext-cc-validates"},
			Reference: "Microsoft identity platform, Claims validation, Validate the actor",
			Sentence:  "A token that an application got for itself does not do what a person has allowed; its roles are not scopes.",
			Run: forged(notAllowed, func(s *specimen) []forgery {
				roles := strings.Fields(scopes(s))
				app := func(more map[string]any) engine.Edits {
					return engine.Edits{Claims: both(withoutScope, members(more))}
				}
				return []forgery{
					{name: "no roles", edits: app(map[string]any{"idtyp": "app", "sub": "an application", "oid": "an application"})},
					{name: "the scopes as roles", edits: app(map[string]any{"idtyp": "app", "sub": "an application", "oid": "an application", "roles": roles})},
					{name: "the scopes as roles, without idtyp", edits: app(map[string]any{"sub": "an application", "oid": "an application", "roles": roles})},
				}
			}),
		},
	}
}

// lesser is the level of a forgery in a check of level Must.
func lesser(level engine.Level) engine.Level {
	if level == engine.Must {
		return ""
	}
	return level
}

func withLookalikeAudiences(s *specimen) []forgery {
	values := []any{"00000003-0000-0000-c000-000000000000", "https://graph.microsoft.com", "https://management.azure.com/", "https://other.example/mcp", []string{"https://other.example/mcp"}, []string{"https://other.example/mcp", "https://graph.microsoft.com"}}
	audience := text(s.claims, "aud")
	if list, isList := s.claims["aud"].([]any); isList && len(list) > 0 {
		audience, _ = list[0].(string)
	}
	if audience != "" {
		last := audience[len(audience)-1:]
		other := "0"
		if last == other {
			other = "1"
		}
		values = append(values, audience+".evil.example", audience+"2", audience+"/x", audience[:len(audience)-1], audience[:len(audience)-1]+other, " "+audience, audience+" ", audience+"\x00",
			audience+",https://other.example", "https://evil.example/"+audience, []string{audience + "2"}, map[string]any{audience: true}, map[string]any{"aud": audience})
		if scheme, rest, found := strings.Cut(audience, "://"); found {
			host, path, _ := strings.Cut(rest, "/")
			name, _, _ := strings.Cut(host, ":")
			values = append(values, scheme+"://"+name+":1/"+path, scheme+"://"+host+"@evil.example/"+path, scheme+"://"+host+".evil.example/"+path)
		}
	}
	if id := client(s); id != audience {
		values = append(values, id)
	}
	var all []forgery
	for _, value := range values {
		all = append(all, forgery{name: named("aud", value), edits: engine.Edits{Claims: member("aud", value)}})
	}
	return all
}

// actorRefused wants a token refused that is good but for the client that has it.
func actorRefused(kind engine.TokenKind, name string) func(ctx context.Context, p *engine.Probe) error {
	return func(ctx context.Context, p *engine.Probe) error {
		trial, err := p.Trial(ctx)
		if err != nil {
			return err
		}
		token, err := p.Token(ctx, kind)
		if err != nil {
			return err
		}
		return deny(ctx, p, trial, notAllowed, vector{name: name, change: authorization(func(string) string { return "Bearer " + token })})
	}
}

// audienceArrays shows an array of one. To refuse an array with others in it is a policy that OAuth 2.1 section 5.2 allows.
func audienceArrays(ctx context.Context, p *engine.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	s, err := examine(trial.Token)
	if err != nil {
		return err
	}
	own, isText := s.claims["aud"].(string)
	if !isText {
		return nil // an array, or what the issuer has in its place: the trial has shown that it is served
	}
	if err := mintIsGood(ctx, p, trial); err != nil {
		return err
	}
	token, err := p.Mint(ctx, engine.Edits{Claims: member("aud", []string{own})})
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
func scopes(s *specimen) string { return text(s.claims, scopeClaim(s)) }

func scopeClaim(s *specimen) string {
	if _, there := s.claims["scp"]; there {
		return "scp"
	}
	return "scope"
}

func withLookalikeScopes(s *specimen) []forgery {
	granted, claim := scopes(s), scopeClaim(s)
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
	only := func(name string, value any) engine.Edits {
		return engine.Edits{Claims: both(withoutScope, member(name, value))}
	}
	all := []forgery{
		{name: "no scope", edits: engine.Edits{Claims: withoutScope}}, {name: "an empty scope", edits: only(claim, "")}, {name: "a blank scope", edits: only(claim, "   ")},
		{name: "capitals", edits: only(claim, each(strings.ToUpper))}, {name: "longer ones", edits: only(claim, each(func(scope string) string { return scope + ".all" }))},
		{name: "ones with something in front", edits: only(claim, each(func(scope string) string { return "x" + scope }))},
		{name: "shorter ones", edits: only(claim, each(func(scope string) string { return scope[:len(scope)-1] }))},
		{name: "an asterisk", edits: only(claim, "*")}, {name: "null", edits: only(claim, nil)}, {name: "a number", edits: only(claim, 1)},
		{name: "with other ones, between commas", edits: only(claim, "x,"+strings.Join(list, ",")+",y")},
		{name: "the claim scopes", edits: only("scopes", granted)}, {name: "the claim roles", edits: only("roles", list)},
	}
	return all
}
