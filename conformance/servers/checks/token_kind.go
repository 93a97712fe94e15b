package checks

import (
	"maps"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// tokenKindChecks returns the checks of server/token about other JWTs of the same issuer (RFC 8725
// sections 3.11 and 3.12).
func tokenKindChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/token/graph",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "MCP authorization, Token Audience Binding and Validation; RFC 8725 section 3.9",
				Sentence: "A token like Microsoft Graph's, whose header nonce is hashed before it is " +
					"signed, is refused.",
				Covers: []string{"RS-045"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.RefusesForged(attack.Unauthorized, tokenGraphForgeries),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/id-token",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "OAuth 2.1 section 5.2; RFC 8725 sections 2.8, 3.11 and 3.12; RFC 9068 section 5",
				Sentence:  "An ID token is refused as an access token, whatever its audience.",
				Covers:    []string{"RS-046", "server-401-id-token"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.WithoutScope},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.RefusesForged(attack.Unauthorized, tokenIDTokenForgeries),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/other-products",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "OAuth 2.1 section 5.2; RFC 8725 section 3.12; RFC 7523 section 3; RFC 9449 section 4.2",
				Sentence: "Other signed tokens of an authorization flow, such as client assertions, logout " +
					"tokens and DPoP proofs, are refused as access tokens.",
				Covers: []string{"RS-047"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.RefusesForged(attack.Unauthorized, tokenOtherProductsForgeries),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/bound",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "RFC 9449 section 7.2; RFC 8705 section 3",
				Sentence: "A token that is bound to a key (cnf) is refused from a bearer. This is a MUST " +
					"for servers that know these bindings.",
				Covers: []string{"RS-055"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.RefusesForged(attack.Unauthorized, tokenBoundForgeries),
		},
	}
}

// tokenGraphForgeries returns tokens like Microsoft Graph's. Their signature covers a hash of the
// nonce that the header has.
func tokenGraphForgeries(*attack.JWT) []attack.Forgery {
	claims := attack.Member("aud", "https://graph.microsoft.com")
	return []attack.Forgery{
		{
			Name:  "signed with the hash",
			Edits: bench.Edits{Header: attack.Member("nonce", "the hash"), Claims: claims},
			Text:  withNonce,
		},
		{
			Name:  "signed as it is",
			Edits: bench.Edits{Header: attack.Member("nonce", "the nonce"), Claims: claims},
		},
	}
}

// withNonce replaces the hash in the header by the nonce.
func withNonce(token string) string {
	header, _, _ := strings.Cut(token, ".")
	plain, err := attack.DecodeBase64(header)
	if err != nil {
		return token
	}
	return attack.Base64(strings.Replace(string(plain), "the hash", "the nonce", 1)) + token[len(header):]
}

// tokenIDTokenForgeries returns ID tokens for the client and for the server.
func tokenIDTokenForgeries(jwt *attack.JWT) []attack.Forgery {
	id := func(audience any) bench.Edits {
		claims := attack.Members(map[string]any{"aud": audience, "nonce": "of the sign-in", "name": "A Person"})
		return bench.Edits{Header: attack.Member("typ", "JWT"), Claims: attack.Both(withoutScope, claims)}
	}
	// A client and an API with one registration share an ID, so only the missing scope tells.
	want := attack.Unauthorized
	if strings.Contains(audienceOf(jwt), clientID(jwt)) {
		want = notAllowed
	}
	return []attack.Forgery{
		{Name: "for the client", Edits: id(clientID(jwt)), Want: want},
		{
			Name:  "for the server too",
			Edits: id(jwt.Claims["aud"]),
			Want:  notAllowed,
		},
	}
}

// clientID returns the client that the token was issued to.
func clientID(jwt *attack.JWT) string {
	for _, claim := range []string{"azp", "appid", "client_id"} {
		if id := attack.Text(jwt.Claims, claim); id != "" {
			return id
		}
	}
	return "an unknown client"
}

// tokenOtherProductsForgeries returns other JWTs that the issuer's key could have signed, and a
// code.
func tokenOtherProductsForgeries(jwt *attack.JWT) []attack.Forgery {
	id := clientID(jwt)
	issuer := attack.Text(jwt.Claims, "iss")
	events := map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}
	forgeries := []attack.Forgery{
		{
			Name: "a client assertion",
			Edits: bench.Edits{
				Header: attack.Member("typ", "JWT"),
				Claims: onlyClaims(map[string]any{"iss": id, "sub": id, "aud": issuer}),
			},
		},
		{
			Name: "a client assertion for the server",
			Edits: bench.Edits{
				Claims: onlyClaims(map[string]any{"iss": id, "sub": id, "aud": jwt.Claims["aud"]}),
			},
		},
		{
			Name: "a DPoP proof",
			Edits: bench.Edits{
				Header: attack.Members(map[string]any{"typ": "dpop+jwt", "jwk": jwk(attack.NewKey(), "")}),
				Claims: onlyClaims(map[string]any{"htm": "POST", "htu": issuer}),
			},
		},
		{Name: "a code", Text: func(string) string { return "0.AXkAcodecodecodecodecodecodecodecodecode" }},
	}
	audience := audienceOf(jwt)
	if !strings.Contains(audience, id) { // else the audience tells nothing
		forgeries = append(forgeries, attack.Forgery{
			Name: "a logout token",
			Edits: bench.Edits{
				Header: attack.Member("typ", "logout+jwt"),
				Claims: onlyClaims(map[string]any{
					"iss":    issuer,
					"aud":    id,
					"sub":    attack.Text(jwt.Claims, "sub"),
					"events": events,
				}),
			},
		})
	}
	if strings.TrimSuffix(audience, "/") != strings.TrimSuffix(issuer, "/") {
		forgeries = append(forgeries, attack.Forgery{
			Name: "a refresh token in the form of a JWT",
			Edits: bench.Edits{
				Header: attack.Member("typ", "rt+jwt"),
				Claims: attack.Members(map[string]any{"token_use": "refresh", "aud": jwt.Claims["iss"]}),
			},
		})
	}
	return forgeries
}

// onlyClaims returns an edit that replaces all claims except the times and the ID, so that the
// token is not refused for these.
func onlyClaims(values map[string]any) func(map[string]any) {
	return func(claims map[string]any) {
		for name := range claims {
			switch name {
			case "iat", "nbf", "exp", "jti":
			default:
				delete(claims, name)
			}
		}
		maps.Copy(claims, values)
	}
}

func tokenBoundForgeries(*attack.JWT) []attack.Forgery {
	bound := func(method, thumbprint string) bench.Edits {
		return bench.Edits{Claims: attack.Member("cnf", map[string]any{method: thumbprint})}
	}
	return []attack.Forgery{
		{Name: "DPoP", Edits: bound("jkt", "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I")},
		{Name: "mutual TLS", Edits: bound("x5t#S256", "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2")},
	}
}
