package checks

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"slices"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// pkceChecks are checks of client/pkce.
func pkceChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:           "client/pkce/verifier",
				Level:        check.Must,
				EachRevision: true,
				Reference: "OAuth 2.1-13 section 4.1.1; RFC 7636 section 4; MCP authorization, Authorization Code " +
					"Protection",
				Sentence: "An authorization request has a code_challenge, and the token request has the " +
					"code_verifier that belongs to it.",
				Covers: []string{"client-pkce-used"},
			},
			Run: judge(lab.Script{}, wantVerifier),
		},
		{
			Rule: check.Rule{
				ID:           "client/pkce/s256",
				Level:        check.Must,
				Severity:     check.Medium,
				EachRevision: true,
				Reference:    "OAuth 2.1-13 section 4.1.1; RFC 7636 section 4.2",
				Sentence:     "The code_challenge_method is S256.",
				Covers:       []string{"client-pkce-s256"},
			},
			Run: judge(lab.Script{}, eachAuthorization(wantS256)),
		},
		{
			Rule: check.Rule{
				ID:        "client/pkce/gate",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Authorization Code Protection",
				Sentence:  "A client refuses to continue if the metadata does not announce PKCE.",
				Covers:    []string{"client-pkce-refuse-unadvertised", "CL-007"},
			},
			Run: noHarm(lab.Script{}, fetchedIssuer, sentToAuthorize,
				variant{
					"RFC 8414 metadata without code_challenge_methods_supported",
					lab.Script{Metadata: withMethods(nil)},
				},
				variant{
					"OpenID Connect metadata without code_challenge_methods_supported",
					lab.Script{IssuerAt: []string{issuerOpenID}, Metadata: withMethods(nil)},
				}),
		},
		{
			Rule: check.Rule{
				ID:        "client/pkce/never-plain",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "OAuth 2.1-13 section 4.1.1; RFC 7636 section 4.2",
				Sentence:  "A client that supports S256 never falls back to plain, whatever the metadata offers.",
				Covers:    []string{"client-pkce-s256", "CL-007", "CL-031"},
			},
			Run: noHarm(
				lab.Script{},
				fetchedIssuer,
				otherMethod,
				variant{"plain as the only method", lab.Script{Metadata: withMethods([]string{"plain"})}},
				variant{"a method that resembles S256", lab.Script{Metadata: withMethods([]string{"s256"})}},
				variant{"no method", lab.Script{Metadata: withMethods([]string{})}},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/pkce/fresh",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 7636 sections 4.1 and 7.1",
				Sentence:  "Each authorization request has its own verifier of 43 to 128 allowed characters.",
				Covers:    []string{"client-pkce-fresh-verifier", "CL-012"},
			},
			Run: pkceFresh,
		},
	}
}

// wantVerifier wants a code_challenge, and the code_verifier that belongs to it.
func wantVerifier(l *lab.Lab) error {
	asked := l.Authorizations(l.Authority())
	redeemed := l.TokenRequests(l.Authority())
	if len(asked) == 0 || len(redeemed) == 0 {
		return l.Mismatch("an authorization request and a token request", "none")
	}
	challenge := asked[0].Query.Get("code_challenge")
	verifier := redeemed[0].Form.Get("code_verifier")
	if challenge == "" || verifier == "" {
		return l.Mismatch("code_challenge and code_verifier", "none")
	}
	sum := sha256.Sum256([]byte(verifier))
	s256 := base64.RawURLEncoding.EncodeToString(sum[:])
	if challenge != verifier && challenge != s256 {
		return l.Mismatch("the code_verifier of the code_challenge", "another")
	}
	return nil
}

// wantS256 wants the code_challenge_method S256.
func wantS256(l *lab.Lab, asked url.Values) error {
	if method := asked.Get("code_challenge_method"); method != "S256" {
		return l.Mismatch("code_challenge_method=S256", fmt.Sprintf("%q", method))
	}
	return nil
}

// otherMethod reports an authorization request without code_challenge_method S256.
func otherMethod(l *lab.Lab) string {
	for _, request := range l.Authorizations(l.Authority()) {
		if method := request.Query.Get("code_challenge_method"); method != "S256" {
			return fmt.Sprintf("an authorization request with code_challenge_method %q", method)
		}
	}
	return ""
}

// pkceFresh tries client/pkce/fresh.
func pkceFresh(ctx context.Context, p *bench.Probe) error {
	var challenges, verifiers []string
	for range 2 {
		l, err := completeTask(ctx, p, lab.Script{})
		if err != nil {
			return err
		}
		for _, request := range l.Authorizations(l.Authority()) {
			challenge := request.Query.Get("code_challenge")
			if slices.Contains(challenges, challenge) {
				return l.Insecure("a different code_challenge each time", "the same one twice")
			}
			challenges = append(challenges, challenge)
		}
		for _, request := range l.TokenRequests(l.Authority()) {
			verifier := request.Form.Get("code_verifier")
			if !validVerifier.MatchString(verifier) {
				return l.Mismatch(
					"a code_verifier of 43 to 128 allowed characters",
					fmt.Sprintf("%d characters", len(verifier)),
				)
			}
			if slices.Contains(verifiers, verifier) {
				return l.Insecure("a different code_verifier each time", "the same one twice")
			}
			verifiers = append(verifiers, verifier)
		}
	}
	return nil
}

// validVerifier is the form of a code_verifier (RFC 7636 section 4.1).
var validVerifier = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)

// withMethods sets code_challenge_methods_supported in the metadata. Nil removes it.
func withMethods(methods []string) func(*lab.Lab, lab.Party, string, map[string]any) {
	return func(_ *lab.Lab, _ lab.Party, _ string, document map[string]any) {
		document["code_challenge_methods_supported"] = methods
		if methods == nil {
			delete(document, "code_challenge_methods_supported")
		}
	}
}

// eachAuthorization judges the parameters of each authorization request. It cannot judge a client
// that makes none.
func eachAuthorization(verdict func(l *lab.Lab, asked url.Values) error) func(l *lab.Lab) error {
	return func(l *lab.Lab) error {
		made := l.Authorizations(l.Authority())
		if len(made) == 0 {
			return &check.CannotJudge{Reason: "the client makes no authorization request", Err: ending(l)}
		}
		for _, request := range made {
			params := request.Query
			if request.Form != nil {
				params = request.Form
			}
			if err := verdict(l, params); err != nil {
				return err
			}
		}
		return nil
	}
}
