package checks

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// challengeChecks returns the checks of server/challenge: how a server answers requests without a
// good token (RFC 6750 section 3, RFC 9728 section 5.1, MCP authorization, Error Handling).
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
					"server-authenticates-connections",
					"server-local-http-restricted",
				},
			},
			Run: challengeWithoutToken,
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
			Run: challengeBearer,
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
			Run: challengeResourceMetadata,
		},
		{
			Rule: check.Rule{
				ID:        "server/challenge/no-error-without-credentials",
				Level:     check.Should,
				Reference: "RFC 6750 section 3.1",
				Sentence:  "The challenge to a request without credentials has no error parameter.",
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
				Revisions: since(check.R20251125),
				Reference: "MCP 2025-11-25 authorization, Protected Resource Metadata Discovery Requirements; RFC " +
					"6750 section 3",
				Sentence: "The challenge of a 401 names the required scopes.",
				Covers:   []string{"server-401-scope"},
			},
			Run: challengeScope,
		},
		{
			Rule: check.Rule{
				ID:        "server/challenge/no-offline-access",
				Level:     check.Should,
				Revisions: since(check.R20260728),
				Reference: "MCP 2026-07-28 authorization, Refresh Tokens",
				Sentence: "The challenge does not ask for offline_access, because refresh tokens concern " +
					"only the client and the authorization server.",
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
				Sentence: "No text of a request adds a header to the answer, or a parameter to the challenge. " +
					"That the challenge quotes a text is a note.",
				Covers: []string{"RS-080"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    challengeInjection,
		},
	}
}

// challengeWithoutToken tries server/challenge/without-token.
func challengeWithoutToken(ctx context.Context, p *bench.Probe) error {
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
		if !slices.Contains(attack.WithoutToken, answer.Status) {
			return p.Mismatch(
				"status 401, or the refusal of an unknown method (404, 405 or 501)",
				fmt.Sprintf("status %d to %s", answer.Status, method),
			)
		}
	}
	return nil
}

// challengeBearer tries server/challenge/bearer.
func challengeBearer(ctx context.Context, p *bench.Probe) error {
	_, _, err := attack.Unauthenticated(ctx, p)
	return err
}

// challengeResourceMetadata tries server/challenge/resource-metadata.
func challengeResourceMetadata(ctx context.Context, p *bench.Probe) error {
	_, challenge, err := attack.Unauthenticated(ctx, p)
	if err != nil {
		return err
	}
	address, err := url.Parse(challenge["resource_metadata"])
	if err != nil || address.Scheme == "" || address.Host == "" {
		return p.Mismatch(
			"a parameter resource_metadata with an absolute URL",
			fmt.Sprintf("%q", challenge["resource_metadata"]),
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

// intruder is a word that no server sends by itself.
const intruder = "intruder"

// challengeNoErrorWithoutCredentials tries server/challenge/no-error-without-credentials.
func challengeNoErrorWithoutCredentials(ctx context.Context, p *bench.Probe) error {
	_, challenge, err := attack.Unauthenticated(ctx, p)
	if err == nil && challenge["error"] != "" {
		return p.Mismatch("no parameter error", challenge["error"])
	}
	return err
}

// challengeInvalidToken tries server/challenge/invalid-token.
func challengeInvalidToken(ctx context.Context, p *bench.Probe) error {
	if _, err := p.Control(ctx); err != nil {
		return err
	}
	answer, err := p.WantRefused(ctx, bench.Request{Header: bench.Bearer(attack.MalformedToken)})
	if err != nil {
		return err
	}
	challenge, err := p.Challenge(answer)
	if err == nil && challenge["error"] != "invalid_token" {
		return p.Mismatch("error=\"invalid_token\"", fmt.Sprintf("%q", challenge["error"]))
	}
	return err
}

// challengeScope tries server/challenge/scope.
func challengeScope(ctx context.Context, p *bench.Probe) error {
	_, challenge, err := attack.Unauthenticated(ctx, p)
	if err == nil && strings.TrimSpace(challenge["scope"]) == "" {
		return p.Mismatch("a parameter scope", "none")
	}
	return err
}

// challengeNoOfflineAccess tries server/challenge/no-offline-access.
func challengeNoOfflineAccess(ctx context.Context, p *bench.Probe) error {
	_, challenge, err := attack.Unauthenticated(ctx, p)
	if err == nil && slices.Contains(strings.Fields(challenge["scope"]), "offline_access") {
		return p.Mismatch("a scope without offline_access", challenge["scope"])
	}
	return err
}

// challengeInjection puts a word, and characters that could end a header or a parameter, into parts
// of a request that a server might repeat.
func challengeInjection(ctx context.Context, p *bench.Probe) error {
	if _, err := p.Control(ctx); err != nil {
		return err
	}
	plain, err := p.WantRefused(ctx, bench.Request{Header: bench.Bearer(attack.MalformedJWT)})
	if err != nil {
		return err
	}
	challenges := len(plain.Header.Values("WWW-Authenticate"))
	var all []injection
	for _, evil := range []string{
		intruder,
		intruder + "\r\nX-" + intruder + ": 1",
		`", error="` + intruder,
		intruder + `\`,
		intruder + "é",
		intruder + "\x00",
	} {
		all = append(all, injections(evil)...)
	}
	return inputs.TryAll(all, func(attempt injection) error {
		answer, err := p.Send(ctx, attempt.request)
		if err != nil {
			return err
		}
		found := len(answer.Header.Values("WWW-Authenticate"))
		if found != challenges && answer.Status == plain.Status {
			return p.Mismatch("as many challenges as for any bad token", fmt.Sprint(found))
		}
		return wantNotInjected(p, attempt.name, answer)
	})
}

type injection struct {
	name    string
	request bench.Request
}

// injections returns requests with a text in different places.
func injections(text string) []injection {
	token := func(header, claims map[string]string) bench.Request {
		parts := []string{attack.Base64(attack.JSON(header)), attack.Base64(attack.JSON(claims)), "AAAA"}
		return bench.Request{Header: bench.Bearer(strings.Join(parts, "."))}
	}
	query := func(name string) bench.Request {
		return bench.Request{Header: bench.Bearer(attack.MalformedJWT), Query: url.Values{name: {text}}}
	}
	issuer := map[string]string{"iss": "x"}
	return []injection{
		{"kid", token(map[string]string{"alg": "RS256", "kid": text}, issuer)},
		{"alg", token(map[string]string{"alg": text}, issuer)},
		{"iss", token(map[string]string{"alg": "RS256"}, map[string]string{"iss": text})},
		{"scope", query("scope")},
		{"resource", query("resource")},
	}
}

// wantNotInjected wants a refusal whose head does not have the word.
func wantNotInjected(p *bench.Probe, name string, answer *bench.Answer) error {
	if answer.Status/100 == 2 {
		return p.Insecure("a refusal of "+name, fmt.Sprintf("status %d", answer.Status))
	}
	if answer.Status == http.StatusUnauthorized {
		challenge, err := p.Challenge(answer)
		repeats := strings.Contains(strings.Join(answer.Header.Values("WWW-Authenticate"), ", "), intruder)
		switch {
		case err != nil && repeats:
			return err
		case err != nil:
			return nil // server/challenge/every-refusal is about malformed challenges
		case strings.Contains(challenge["error"], intruder):
			return p.Insecure("no parameter of the challenge from "+name, "error="+challenge["error"])
		}
	}
	for header, values := range answer.Header {
		value := strings.Join(values, ", ")
		switch {
		case strings.Contains(strings.ToLower(header), intruder):
			return p.Insecure("no header of the answer from "+name, header+": "+value)
		case strings.Contains(strings.ToLower(value), intruder):
			err := p.Insecure("nothing of "+name+" in the head of the answer", header+": "+value)
			return inputs.Graded(err, check.Policy, check.Low)
		}
	}
	return nil
}
