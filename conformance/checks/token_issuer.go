package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"mcpentra/conformance/engine"
)

// tokenIssuer: whose tokens a server takes (RFC 8725 section 3.8), and what tells them from the issuer's other products.
func tokenIssuer() []engine.Check {
	good := []engine.TokenKind{engine.Good}
	return []engine.Check{
		{
			ID: "server/token/lookalike-issuer", Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Needs: good, NeedsMint: true,
			Covers:    []string{"RS-040", "server-401-wrong-issuer"},
			Reference: "RFC 8725 section 3.8; RFC 9068 section 4",
			Sentence:  "The issuer of a token is compared byte by byte.",
			Run:       forged(unauthorized, withLookalikeIssuers),
		},
		{
			ID: "server/token/tenant", Role: engine.Server, Level: engine.Policy, Severity: engine.Critical, Needs: good, NeedsMint: true, Covers: []string{"RS-041"},
			Reference: "Microsoft identity platform, Access tokens, Validate tokens",
			Sentence:  "A token whose tenant (tid) is not that of its issuer is refused, and no address is made of it.",
			Run:       foreignTenant,
		},
		{
			ID: "server/token/version", Role: engine.Server, Level: engine.Policy, Severity: engine.Medium, Needs: good, NeedsMint: true, Covers: []string{"RS-054"},
			Reference: "Microsoft identity platform, Access token claims reference",
			Sentence:  "A token that says it is of another version (ver) than the issuer's is refused.",
			Run: forged(unauthorized, func(s *specimen) []forgery {
				if text(s.claims, "ver") == "" {
					return nil
				}
				var all []forgery
				for _, version := range []any{"1.0", "2.0", "3.0", "", nil, 2, nothing} {
					if version != s.claims["ver"] {
						all = append(all, forgery{name: named("ver", version), edits: engine.Edits{Claims: member("ver", version)}})
					}
				}
				return all
			}),
		},
		{
			ID: "server/token/graph", Role: engine.Server, Level: engine.Must, Severity: engine.Medium, Needs: good, NeedsMint: true, Covers: []string{"RS-045"},
			Reference: "MCP authorization, Token Audience Binding and Validation; RFC 8725 section 3.9",
			Sentence:  "A token in the manner of Microsoft Graph's, with a nonce in its header that is signed as a hash, is refused.",
			Run: forged(unauthorized, func(*specimen) []forgery {
				claims := member("aud", "https://graph.microsoft.com")
				return []forgery{
					{name: "signed with the hash", edits: engine.Edits{Header: member("nonce", "the hash"), Claims: claims}, text: func(token string) string {
						header, _, _ := strings.Cut(token, ".")
						plain, err := decoded(header)
						if err != nil {
							return token
						}
						return encoded(strings.Replace(string(plain), "the hash", "the nonce", 1)) + token[len(header):]
					}},
					{name: "signed as it stands", edits: engine.Edits{Header: member("nonce", "the nonce"), Claims: claims}},
				}
			}),
		},
		{
			ID: "server/token/id-token", Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Needs: []engine.TokenKind{engine.Good, engine.WithoutScope}, NeedsMint: true,
			Covers:    []string{"RS-046", "server-401-id-token"},
			Reference: "OAuth 2.1 section 5.2; RFC 8725 sections 2.8, 3.11 and 3.12; RFC 9068 section 5",
			Sentence:  "An ID token is no access token, whomever it is for.",
			Run: forged(unauthorized, func(s *specimen) []forgery {
				id := func(audience any) engine.Edits {
					return engine.Edits{Header: member("typ", "JWT"), Claims: both(withoutScope, members(map[string]any{"aud": audience, "nonce": "of the sign-in", "name": "Somebody"}))}
				}
				return []forgery{
					{name: "for the client", edits: id(client(s))},
					{name: "for the server too", edits: id(s.claims["aud"]), want: []int{http.StatusUnauthorized, http.StatusForbidden}},
				}
			}),
		},
		{
			ID: "server/token/other-products", Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Needs: good, NeedsMint: true, Covers: []string{"RS-047"},
			Reference: "OAuth 2.1 section 5.2; RFC 8725 section 3.12; RFC 7523 section 3; RFC 9449 section 4.2",
			Sentence:  "What else is signed in an authorization flow, such as a client assertion, a logout token or a DPoP proof, is no access token.",
			Run:       forged(unauthorized, otherProducts),
		},
		{
			ID: "server/token/bound", Role: engine.Server, Level: engine.Policy, Severity: engine.High, Needs: good, NeedsMint: true, Covers: []string{"RS-055"},
			Reference: "RFC 9449 section 7.2; RFC 8705 section 3",
			Sentence:  "A token that is bound to a key (cnf) is refused where only a bearer shows it: a must for those who know such bindings.",
			Run: forged(unauthorized, fixed(
				forgery{name: "DPoP", edits: engine.Edits{Claims: member("cnf", map[string]any{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})}},
				forgery{name: "mutual TLS", edits: engine.Edits{Claims: member("cnf", map[string]any{"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"})}},
			)),
		},
		{
			ID: "server/token/principal", Role: engine.Server, Level: engine.Must, Severity: engine.High, Needs: good, NeedsMint: true, Covers: []string{"RS-057"},
			Reference: "OpenID Connect Core section 5.7; Microsoft identity platform, Claims validation",
			Sentence:  "People are told apart by what the issuer never gives to two of them, and not by their name or e-mail.",
			Run:       namesakes,
		},
		{
			ID: "server/token/claim-sources", Role: engine.Server, Level: engine.Must, Severity: engine.High, Needs: good, NeedsMint: true, Covers: []string{"RS-056"},
			Reference: "OpenID Connect Core section 5.6.2; Microsoft identity platform, Groups overage claim",
			Sentence:  "An address from which claims are to be had (_claim_sources) is not called: it is for the server to know where it asks.",
			Run:       claimSources,
		},
	}
}

// named says what a claim is in a forgery.
func named(claim string, value any) string {
	if value == nothing {
		return "no " + claim
	}
	shown := quoted(value)
	return claim + " " + shown[:min(len(shown), 80)]
}

// client is the party that the token was issued to.
func client(s *specimen) string {
	for _, claim := range []string{"azp", "appid", "client_id"} {
		if id := text(s.claims, claim); id != "" {
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

func withLookalikeIssuers(s *specimen) []forgery {
	issuer := text(s.claims, "iss")
	scheme, rest, _ := strings.Cut(issuer, "://")
	host, path, _ := strings.Cut(rest, "/")
	values := []any{
		issuer + "/", strings.TrimSuffix(issuer, "/") + "/.", strings.ToUpper(issuer), scheme + "://" + strings.ToUpper(host) + "/" + path, issuer + ".evil.example", issuer + "?x", issuer + "#x",
		" " + issuer, issuer + " ", issuer + "\x00", scheme + "://evil.example/" + rest, scheme + "://" + host + "@evil.example/" + path, scheme + "://" + host + ".evil.example/" + path,
		strings.Replace(issuer, "o", "о", 1) /* the Cyrillic letter */, issuer[:len(issuer)-1], "", nil, nothing, []string{issuer}, map[string]any{"iss": issuer}, 1,
	}
	if strings.HasSuffix(issuer, "/") {
		values[0] = strings.TrimSuffix(issuer, "/")
	}
	if scheme == "https" {
		values = append(values, "http://"+rest)
	} else {
		values = append(values, "https://"+rest)
	}
	if tenant := text(s.claims, "tid"); tenant != "" && strings.Contains(issuer, tenant) {
		for _, other := range []string{"common", "organizations", "consumers", "{tenantid}", "9188040d-6c67-4c5b-b112-36a304b66dad", "00000000-0000-0000-0000-000000000001"} {
			values = append(values, strings.Replace(issuer, tenant, other, 1))
		}
		values = append(values, "https://login.microsoftonline.us/"+tenant+"/v2.0", "https://login.partner.microsoftonline.cn/"+tenant+"/v2.0")
	}
	var all []forgery
	for _, value := range values {
		if value != issuer {
			all = append(all, forgery{name: named("iss", value), edits: engine.Edits{Claims: member("iss", value)}})
		}
	}
	return all
}

// foreignTenant names other tenants, and a lure where a server that makes an address of the tenant would call.
func foreignTenant(ctx context.Context, p *engine.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	s, err := examine(trial.Token)
	if err != nil {
		return err
	}
	tenant := text(s.claims, "tid")
	if tenant == "" {
		return &engine.NotApplicable{Reason: "the issuer has no tenants"}
	}
	lure, err := newLure(`{"keys":[]}`)
	if err != nil {
		return err
	}
	defer lure.Close()
	host := strings.TrimPrefix(lure.URL, "http://")
	var forgeries []forgery
	for _, other := range []any{
		"00000000-0000-0000-0000-000000000001", strings.ToUpper(tenant) + "A", "not-a-guid", "../../x", "@" + host, host + "/", "x@" + host + "/", lure.URL, "", nil, nothing, []string{tenant}, 1,
	} {
		forgeries = append(forgeries, forgery{name: named("tid", other), edits: engine.Edits{Claims: member("tid", other)}})
	}
	err = denyAll(ctx, p, trial, unauthorized, forgeries)
	if hits := lure.hits.Load(); hits > 0 {
		return &engine.Mismatch{Want: "no request to an address made of tid", Got: fmt.Sprintf("%d requests", hits), Level: engine.Must, Insecure: true}
	}
	return err
}

func otherProducts(s *specimen) []forgery {
	id := client(s)
	kept := func(names ...string) func(map[string]any) { // the token's times are kept, so that they are not what it fails by
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
	issuer, _ := json.Marshal(s.claims["iss"])
	return []forgery{
		{name: "a client assertion", edits: engine.Edits{Header: member("typ", "JWT"), Claims: kept("iss", id, "sub", id, "aud", strings.Trim(string(issuer), `"`))}},
		{name: "a client assertion for the server", edits: engine.Edits{Claims: both(kept("iss", id, "sub", id), member("aud", s.claims["aud"]))}},
		{name: "a logout token", edits: engine.Edits{Header: member("typ", "logout+jwt"), Claims: both(kept("iss", text(s.claims, "iss"), "aud", id, "sub", text(s.claims, "sub")),
			member("events", map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}))}},
		{name: "a DPoP proof", edits: engine.Edits{Header: both(member("typ", "dpop+jwt"), member("jwk", jwk(strangersKey(), ""))), Claims: kept("htm", "POST", "htu", text(s.claims, "iss"))}},
		{name: "a refresh token in the form of a JWT", edits: engine.Edits{Header: member("typ", "rt+jwt"), Claims: members(map[string]any{"token_use": "refresh", "aud": s.claims["iss"]})}},
		{name: "a code", text: func(string) string { return "0.AXkAcodecodecodecodecodecodecodecodecode" }},
	}
}

// claimSources shows a token with more groups than a token may hold, as it says, and with the address where to ask for them.
func claimSources(ctx context.Context, p *engine.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	if _, err := examine(trial.Token); err != nil {
		return err
	}
	if err := mintIsGood(ctx, p, trial); err != nil {
		return err
	}
	lure, err := newLure(`{"value":["everybody"]}`)
	if err != nil {
		return err
	}
	defer lure.Close()
	token, err := p.Mint(ctx, engine.Edits{Claims: members(map[string]any{
		"_claim_names": map[string]any{"groups": "src1"}, "_claim_sources": map[string]any{"src1": map[string]any{"endpoint": lure.URL + "/groups", "access_token": "x"}},
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
	if hits := lure.hits.Load(); hits > 0 {
		return p.Insecure("no request to the address in _claim_sources", fmt.Sprintf("%d requests", hits))
	}
	if answer.Status >= http.StatusInternalServerError {
		return p.Mismatch("an answer", fmt.Sprintf("status %d", answer.Status))
	}
	return nil
}

// namesakes opens a session as one person, and comes to it as another of the same name.
func namesakes(ctx context.Context, p *engine.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	if _, err := examine(trial.Token); err != nil {
		return err
	}
	names := members(map[string]any{
		"preferred_username": "same@contoso.example", "upn": "same@contoso.example", "unique_name": "same@contoso.example", "email": "same@contoso.example", "name": "Same Name",
	})
	mine, err := p.Mint(ctx, engine.Edits{Claims: names})
	if err != nil {
		return err
	}
	session, err := p.Open(ctx, mine)
	if err != nil {
		return err
	}
	if session.ID == "" {
		return &engine.NotApplicable{Reason: "the server has no sessions that could be shared"}
	}
	request := session.Message("tools/list", nil)
	request.Header.Set("Authorization", "Bearer "+mine)
	answer, err := p.Send(ctx, request)
	if err != nil {
		return err
	}
	if !answer.Succeeded() {
		return &engine.CannotJudge{Reason: fmt.Sprintf("the control failed: in its own session a good token is answered %d", answer.Status)}
	}
	for name, claims := range map[string]map[string]any{
		"another person of that name":  {"oid": "5a1e0002-0000-4000-8000-00000000ffff", "sub": "another"},
		"a namesake of another tenant": {"tid": "5a1e0001-0000-4000-8000-00000000ffff", "oid": "5a1e0002-0000-4000-8000-00000000fffe", "sub": "another"},
	} {
		theirs, err := p.Mint(ctx, engine.Edits{Claims: both(names, members(claims))})
		if err != nil {
			return err
		}
		request := session.Message("tools/list", nil)
		request.Header.Set("Authorization", "Bearer "+theirs)
		if _, err := trial.Denied(ctx, name, request, engine.AnyRefusal()...); err != nil {
			return err
		}
	}
	return nil
}
