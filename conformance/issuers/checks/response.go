package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// responseChecks returns the checks of authorization-server/response: the authorization response
// (OAuth 2.1 section 4.1.2, RFC 9207).
func responseChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/response/state",
				Level:     check.Must,
				Reference: "OAuth 2.1 draft-13 sections 4.1.2 and 4.1.2.1",
				Sentence:  "The state comes back unchanged, in a success and in an error.",
				Covers:    []string{"as-state-returned"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   responseState,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/response/iss",
				Level:     check.Should,
				Severity:  check.Medium,
				Revisions: []check.Revision{check.R20260728},
				Reference: "MCP 2026-07-28 authorization, Mix-Up Protection; RFC 9207 section 2",
				Sentence:  "Authorization responses have iss.",
				Covers:    []string{"as-iss-in-response", "AS-030"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   responseIss,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/response/iss-value",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 9207 sections 2 and 2.3",
				Sentence:  "An iss in a response is the issuer, byte by byte.",
				Covers:    []string{"as-iss-value", "AS-030"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   responseIssValue,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/response/iss-advertised",
				Level:     check.Must,
				Reference: "RFC 9207 sections 2.3 and 3",
				Sentence: "A server that sends iss advertises it, and a server that advertises iss sends it in " +
					"every response.",
				Covers: []string{"as-iss-advertised", "AS-030", "AS-064"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   responseIssAdvertised,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/response/once",
				Level:     check.Must,
				Reference: "OAuth 2.1 draft-13 section 3.1",
				Sentence:  "No parameter of a response appears twice.",
				Covers:    []string{"as-parameters-once"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   responseOnce,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/response/error-characters",
				Level:     check.Must,
				Severity:  check.Low,
				Reference: "OAuth 2.1 draft-13 sections 3.2.4 and 4.1.2.1",
				Sentence:  "Error texts have only printable ASCII, without quotes and backslashes.",
				Covers:    []string{"as-error-characters"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   responseErrorCharacters,
		},
	}
}

// responses sends a person through a success, and through an error if the person is scripted.
func responses(ctx context.Context, p *bench.Probe, changes ...bench.Change) ([]*bench.Authorization, error) {
	client, err := p.Public(ctx)
	if err != nil {
		return nil, err
	}
	made, err := p.Approved(ctx, client, changes...)
	if err != nil || p.Target().Person == nil {
		return []*bench.Authorization{made}, err
	}
	all := []*bench.Authorization{made}
	declined, err := p.AuthorizeAs(ctx, bench.Visitor{Decline: true}, client, changes...)
	if err != nil {
		return nil, err
	}
	wrong, err := p.Authorize(ctx, client, append(changes, bench.Set("response_type", "mcp-auth-conformance"))...)
	if err != nil {
		return nil, err
	}
	for _, failed := range []*bench.Authorization{declined, wrong} {
		if failed.Response.Has("error") {
			all = append(all, failed)
		}
	}
	return all, nil
}

// responseState tries authorization-server/response/state.
func responseState(ctx context.Context, p *bench.Probe) error {
	client, err := publicClient(ctx, p)
	if err != nil {
		return err
	}
	const awkward = `a b"c&d+e%20f%=g#h/i?j<k>\l~mcp-auth-conformance`
	made, err := p.Authorize(ctx, client, bench.Set("state", awkward))
	if err != nil {
		return err
	}
	if made.Landed == nil {
		return &check.CannotJudge{Reason: "a request with an unusual state ends with " + made.String()}
	}
	all, err := responses(ctx, p, bench.Set("state", awkward))
	if err != nil {
		return err
	}
	for _, made := range append(all, made) {
		if got := made.Response.Get("state"); got != awkward {
			return p.Mismatch(fmt.Sprintf("the state %q", awkward), fmt.Sprintf("%q with %s", got, made))
		}
	}
	return nil
}

// responseIss tries authorization-server/response/iss.
func responseIss(ctx context.Context, p *bench.Probe) error {
	all, err := responses(ctx, p)
	if err != nil {
		return err
	}
	for _, made := range all {
		if !made.Response.Has("iss") {
			return p.Mismatch("iss in the response", made.String())
		}
	}
	return nil
}

// responseIssValue tries authorization-server/response/iss-value.
func responseIssValue(ctx context.Context, p *bench.Probe) error {
	all, err := responses(ctx, p)
	if err != nil {
		return err
	}
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return err
	}
	sent := false
	for _, made := range all {
		values := made.Response["iss"]
		sent = sent || len(values) > 0
		if len(values) > 1 || len(values) == 1 && values[0] != metadata.Issuer {
			return p.Mismatch("one iss "+metadata.Issuer, fmt.Sprintf("%q", values))
		}
	}
	if !sent {
		return &check.NotApplicable{Reason: "the server sends no iss"}
	}
	return nil
}

// responseIssAdvertised tries authorization-server/response/iss-advertised.
func responseIssAdvertised(ctx context.Context, p *bench.Probe) error {
	all, err := responses(ctx, p)
	if err != nil {
		return err
	}
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return err
	}
	for _, made := range all {
		switch sent := made.Response.Has("iss"); {
		case sent && !metadata.IssInResponse:
			return p.Mismatch("authorization_response_iss_parameter_supported", "iss that is not advertised")
		case !sent && metadata.IssInResponse:
			return p.Mismatch("iss, as advertised", made.String())
		}
	}
	return nil
}

// responseOnce tries authorization-server/response/once.
func responseOnce(ctx context.Context, p *bench.Probe) error {
	all, err := responses(ctx, p)
	if err != nil {
		return err
	}
	for _, made := range all {
		for _, name := range []string{"code", "state", "iss", "error", "error_description"} {
			if values := made.Response[name]; len(values) > 1 {
				return p.Mismatch("at most one "+name, fmt.Sprintf("%d values", len(values)))
			}
		}
	}
	return nil
}

// responseErrorCharacters tries authorization-server/response/error-characters.
func responseErrorCharacters(ctx context.Context, p *bench.Probe) error {
	all, err := responses(ctx, p)
	if err != nil {
		return err
	}
	for _, made := range all {
		for _, name := range []string{"error", "error_description"} {
			if text := made.Response.Get(name); strings.ContainsFunc(text, isForbiddenInErrors) {
				return p.Mismatch(name+" of the permitted characters", fmt.Sprintf("%q", text))
			}
		}
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {"no-code"}, "code_verifier": {otherVerifier}}
	answer, _, err := p.Token(ctx, all[0].Client, form)
	if err != nil {
		return err
	}
	var refusal struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	_ = json.Unmarshal(answer.Body, &refusal)
	if text := refusal.Error + refusal.Description; strings.ContainsFunc(text, isForbiddenInErrors) {
		return p.Mismatch("an error of the token endpoint of the permitted characters", fmt.Sprintf("%q", text))
	}
	return nil
}

// isForbiddenInErrors reports whether an error text must not have a character.
func isForbiddenInErrors(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }
