package checks

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// challengeChecks are checks of server/challenge: what a server says to somebody without a good
// token (RFC 6750 section 3, RFC 9728 section 5.1, MCP authorization, Error Handling).
func challengeChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:           "server/challenge/without-token",
				Level:        check.Must,
				EachRevision: true,
				Reference:    "MCP authorization, Token Handling; RFC 6750 section 3",
				Sentence:     "A request without a token is refused with 401, whatever its method.",
				Covers: []string{
					"RS-001",
					"server-401-no-token",
					"server-auth-notifications",
					"server-authenticates-connections",
					"server-local-http-restricted",
					"server-elicitation-not-own-auth",
				},
			},
			Run: withoutToken,
		},
		{
			Rule: check.Rule{
				ID:        "server/challenge/bearer",
				Level:     check.Must,
				Reference: "RFC 6750 section 3; RFC 9110 section 11.6.1",
				Sentence:  "A 401 carries a well-formed Bearer challenge with at least one parameter.",
				Covers: []string{
					"server-401-challenge-present",
					"server-401-bearer-scheme",
					"server-401-challenge-syntax",
				},
			},
			Run: func(ctx context.Context, p *bench.Probe) error {
				_, _, err := attack.Bare(ctx, p)
				return err
			},
		},
		{
			Rule: check.Rule{
				ID:        "server/challenge/resource-metadata",
				Level:     check.Must,
				Revisions: []check.Revision{check.R20250618},
				Reference: "RFC 9728 section 5.1; MCP 2025-06-18 authorization, Authorization Server Location",
				Sentence: "The challenge of a 401 names the address of the protected resource metadata, and the " +
					"document is there.",
				Covers: []string{"server-401-resource-metadata", "server-401-resource-metadata-resolves"},
			},
			Run: challengedMetadata,
		},
		{
			Rule: check.Rule{
				ID:        "server/challenge/no-error-without-credentials",
				Level:     check.Should,
				Reference: "RFC 6750 section 3.1",
				Sentence:  "The challenge to a request without credentials says nothing of an error.",
				Covers:    []string{"server-401-no-error-without-credentials"},
			},
			Run: challengeNoErrorWithoutCredentials,
		},
		{
			Rule: check.Rule{
				ID:        "server/challenge/invalid-token",
				Level:     check.Should,
				Reference: "RFC 6750 section 3.1",
				Sentence:  "The challenge to a request with a bad token says error=\"invalid_token\".",
				Covers:    []string{"server-401-error-invalid-token"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    challengeInvalidToken,
		},
		{
			Rule: check.Rule{
				ID:        "server/challenge/scope",
				Level:     check.Should,
				Revisions: []check.Revision{check.R20251125, check.R20260728},
				Reference: "MCP 2025-11-25 authorization, Protected Resource Metadata Discovery Requirements; RFC " +
					"6750 section 3",
				Sentence: "The challenge of a 401 names the scopes that are needed.",
				Covers:   []string{"server-401-scope", "server-prm-scopes-supported"},
			},
			Run: challengeScope,
		},
		{
			Rule: check.Rule{
				ID:        "server/challenge/no-offline-access",
				Level:     check.Should,
				Revisions: []check.Revision{check.R20260728},
				Reference: "MCP 2026-07-28 authorization, Refresh Tokens",
				Sentence: "The challenge does not ask for offline_access: refresh tokens are between client and " +
					"authorization server.",
				Covers: []string{"server-401-no-offline-access"},
			},
			Run: challengeNoOfflineAccess,
		},
		{
			Rule: check.Rule{
				ID:        "server/challenge/injection",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 9110 section 5.5; RFC 6750 section 3",
				Sentence:  "Nothing that a request says gets into the challenge, and no header into the answer.",
				Covers:    []string{"RS-080"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    injection,
		},
	}
}

// challengeNoErrorWithoutCredentials tries server/challenge/no-error-without-credentials.
func challengeNoErrorWithoutCredentials(ctx context.Context, p *bench.Probe) error {
	_, found, err := attack.Bare(ctx, p)
	if err == nil && found["error"] != "" {
		return p.Mismatch("no parameter error", found["error"])
	}
	return err
}

// challengeInvalidToken tries server/challenge/invalid-token.
func challengeInvalidToken(ctx context.Context, p *bench.Probe) error {
	if _, err := p.Control(ctx); err != nil {
		return err
	}
	answer, err := p.WantRefused(ctx, bench.Request{Header: bench.Bearer(garbage)})
	if err != nil {
		return err
	}
	found, err := p.Challenge(answer)
	if err == nil && found["error"] != "invalid_token" {
		return p.Mismatch("error=\"invalid_token\"", fmt.Sprintf("%q", found["error"]))
	}
	return err
}

// challengeScope tries server/challenge/scope.
func challengeScope(ctx context.Context, p *bench.Probe) error {
	_, found, err := attack.Bare(ctx, p)
	if err == nil && strings.TrimSpace(found["scope"]) == "" {
		return p.Mismatch("a parameter scope", "none")
	}
	return err
}

// challengeNoOfflineAccess tries server/challenge/no-offline-access.
func challengeNoOfflineAccess(ctx context.Context, p *bench.Probe) error {
	_, found, err := attack.Bare(ctx, p)
	if err == nil && slices.Contains(strings.Fields(found["scope"]), "offline_access") {
		return p.Mismatch("a scope without offline_access", found["scope"])
	}
	return err
}

func withoutToken(ctx context.Context, p *bench.Probe) error {
	if _, err := p.WantRefused(ctx, bench.Request{}); err != nil {
		return err
	}
	if p.Revision != check.R20260728 {
		if _, err := p.WantRefused(ctx, p.Notification("notifications/initialized")); err != nil {
			return err
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPut, http.MethodHead} {
		answer, err := p.Send(ctx, bench.Request{Method: method})
		if err != nil {
			return err
		}
		// A method that the endpoint does not have may be refused before anybody asks for a token.
		if answer.Status != http.StatusUnauthorized && answer.Status != http.StatusMethodNotAllowed {
			return p.Mismatch(
				"status 401, or 405 for a method that is not there",
				fmt.Sprintf("status %d to %s", answer.Status, method),
			)
		}
	}
	return nil
}

func challengedMetadata(ctx context.Context, p *bench.Probe) error {
	_, found, err := attack.Bare(ctx, p)
	if err != nil {
		return err
	}
	address, err := url.Parse(found["resource_metadata"])
	if err != nil || address.Scheme == "" || address.Host == "" {
		return p.Mismatch(
			"a parameter resource_metadata with an absolute URL",
			fmt.Sprintf("%q", found["resource_metadata"]),
		)
	}
	var document struct {
		Resource string `json:"resource"`
	}
	if _, err := p.JSON(ctx, address.String(), &document); err != nil {
		return err
	}
	if document.Resource == "" {
		return p.Mismatch("a document with the member resource", "one without")
	}
	return nil
}

// injection puts a word of its own, and what could end a header or a parameter, wherever a server
// might repeat it.
func injection(ctx context.Context, p *bench.Probe) error {
	if _, err := p.Control(ctx); err != nil {
		return err
	}
	plain, err := p.WantRefused(ctx, bench.Request{Header: bench.Bearer(bad)})
	if err != nil {
		return err
	}
	const word = "intruder"
	part := func(members map[string]string) string {
		text, _ := json.Marshal(members)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	for _, evil := range []string{
		word,
		word + "\r\nX-" + word + ": 1",
		`", error="` + word,
		word + `\`,
		word + "é",
		word + "\x00",
	} {
		for name, request := range map[string]bench.Request{
			"kid": {
				Header: bench.Bearer(part(map[string]string{
					"alg": "RS256",
					"kid": evil,
				}) + "." + part(map[string]string{"iss": "x"}) + ".AAAA"),
			},
			"alg": {
				Header: bench.Bearer(part(map[string]string{
					"alg": evil,
				}) + "." + part(map[string]string{"iss": "x"}) + ".AAAA"),
			},
			"iss": {
				Header: bench.Bearer(part(map[string]string{
					"alg": "RS256",
				}) + "." + part(map[string]string{"iss": evil}) + ".AAAA"),
			},
			"scope":    {Header: bench.Bearer(bad), Query: url.Values{"scope": {evil}}},
			"resource": {Header: bench.Bearer(bad), Query: url.Values{"resource": {evil}}},
		} {
			answer, err := p.Send(ctx, request)
			if err != nil {
				return err
			}
			if answer.Status/100 == 2 {
				return p.Insecure("a refusal of "+name, fmt.Sprintf("status %d", answer.Status))
			}
			if answer.Status == http.StatusUnauthorized {
				if _, err := p.Challenge(answer); err != nil {
					return err
				}
			}
			for header, values := range answer.Header {
				if strings.Contains(strings.ToLower(header+strings.Join(values, " ")), word) {
					return p.Insecure(
						"nothing of "+name+" in the head of the answer",
						header+": "+strings.Join(values, ", "),
					)
				}
			}
			if len(answer.Header.Values("WWW-Authenticate")) != len(plain.Header.Values("WWW-Authenticate")) &&
				answer.Status == plain.Status {
				return p.Mismatch(
					"as many challenges as for any bad token",
					fmt.Sprint(len(answer.Header.Values("WWW-Authenticate"))),
				)
			}
		}
	}
	return nil
}
