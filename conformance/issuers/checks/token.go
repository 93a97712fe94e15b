package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// tokenChecks returns the checks of authorization-server/token: the token endpoint (OAuth 2.1
// section 3.2).
func tokenChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/token/no-store",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "OAuth 2.1 draft-13 section 3.2.3",
				Sentence:  "An answer with tokens is JSON that no cache stores.",
				Covers:    []string{"as-token-response-no-store", "AS-060"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   tokenNoStore,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/token/members",
				Level:     check.Must,
				Reference: "OAuth 2.1 draft-13 section 3.2.3",
				Sentence:  "An answer with tokens has access_token and the token_type Bearer.",
				Covers:    []string{"as-token-response-members"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   tokenMembers,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/token/errors",
				Level:     check.Must,
				Reference: "OAuth 2.1 draft-13 section 3.2.4",
				Sentence:  "A wrong token request is refused with 400 and a defined code.",
				Covers:    []string{"as-token-errors", "server-400-malformed"},
			},
			Run: tokenErrors,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/token/other-grants",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "OAuth 2.1 draft-13 section 3.2.4; RFC 9700 section 2.4",
				Sentence:  "A public client gets no tokens from a grant that it has no authorization for.",
				Covers:    []string{"AS-063", "server-legacy-oauth21"},
			},
			Run: tokenOtherGrants,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/token/forms",
				Level:     check.Should,
				Severity:  check.Low,
				Reference: "OAuth 2.1 draft-13 sections 3.2 and 3.2.2",
				Sentence:  "Tokens are issued only for a form that is sent by POST, and other requests break nothing.",
				Covers:    []string{"AS-059"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   tokenForms,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/token/lifetime",
				Level:     check.Should,
				Severity:  check.Medium,
				Reference: "MCP authorization, Token Theft; OAuth 2.1 draft-13 section 7.1.3.5",
				Sentence:  "An access token lives for at most 90 minutes.",
				Covers:    []string{"as-short-lived-tokens", "server-legacy-token-rotation"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   tokenLifetime,
		},
	}
}

// granted takes a client through the flow, and returns the answer with the tokens.
func granted(ctx context.Context, p *bench.Probe, changes ...bench.Change) (*bench.Answer, error) {
	made, err := p.PublicApproved(ctx, changes...)
	if err != nil {
		return nil, err
	}
	answer, _, err := p.Redeem(ctx, made)
	if err == nil && answer.Status != http.StatusOK {
		err = &check.CannotJudge{Reason: "the control failed: a good code is answered with " + answer.String()}
	}
	return answer, err
}

// tokenNoStore tries authorization-server/token/no-store.
func tokenNoStore(ctx context.Context, p *bench.Probe) error {
	answer, err := granted(ctx, p)
	if err != nil {
		return err
	}
	kind, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	switch {
	case err != nil || kind != "application/json":
		return p.Mismatch("application/json", fmt.Sprintf("%q", answer.Header.Get("Content-Type")))
	case !isUncached(answer.Header):
		return p.Mismatch("Cache-Control: no-store", fmt.Sprintf("%q", answer.Header.Get("Cache-Control")))
	}
	return nil
}

// tokenMembers tries authorization-server/token/members.
func tokenMembers(ctx context.Context, p *bench.Probe) error {
	answer, err := granted(ctx, p)
	if err != nil {
		return err
	}
	var members map[string]any
	if err := json.Unmarshal(answer.Body, &members); err != nil {
		return p.Mismatch("a JSON object", err.Error())
	}
	kind, _ := members["token_type"].(string)
	_, isNumber := members["expires_in"].(float64)
	switch {
	case strings.EqualFold(kind, "DPoP"):
		return &check.NotApplicable{Reason: "the server issues tokens of another type than Bearer"}
	case !strings.EqualFold(kind, "Bearer"):
		return p.Mismatch("token_type Bearer", fmt.Sprintf("%q", kind))
	case members["expires_in"] != nil && !isNumber:
		return p.Mismatch("expires_in that is a number", fmt.Sprintf("%T", members["expires_in"]))
	}
	return nil
}

// tokenErrors tries authorization-server/token/errors.
func tokenErrors(ctx context.Context, p *bench.Probe) error {
	client, err := p.Public(ctx)
	if err != nil {
		return err
	}
	defined := []string{
		"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
		"invalid_scope", "invalid_target",
	}
	verifier := bench.Set("code_verifier", otherVerifier)
	var found []*check.Mismatch
	for name, form := range map[string]url.Values{
		"an unknown grant type": {"grant_type": {"mcp-auth-conformance"}},
		"no grant type":         {"code": {"mcp-auth-conformance"}},
		"an unknown code":       {"grant_type": {"authorization_code"}, "code": {"mcp-auth-conformance"}},
		"no code":               {"grant_type": {"authorization_code"}},
	} {
		verifier(form)
		form.Set("redirect_uri", client.RedirectURI)
		answer, tokens, err := p.Token(ctx, client, form)
		if err != nil {
			return err
		}
		found = append(found, judgeRefusal(p, name, "", answer, tokens, defined...))
	}
	return bench.All(found...)
}

// tokenOtherGrants tries authorization-server/token/other-grants.
func tokenOtherGrants(ctx context.Context, p *bench.Probe) error {
	client, err := p.Public(ctx)
	if err != nil {
		return err
	}
	const assertion = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtY3AtYXV0aC1jb25mb3JtYW5jZSJ9."
	var found []*check.Mismatch
	for _, form := range []url.Values{
		{"grant_type": {"password"}, "username": {"admin"}, "password": {"admin"}},
		{"grant_type": {"client_credentials"}},
		{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}},
		{
			"grant_type":         {"urn:ietf:params:oauth:grant-type:token-exchange"},
			"subject_token":      {assertion},
			"subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"},
		},
		{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {"mcp-auth-conformance"}},
		{"grant_type": {"implicit"}},
		{"grant_type": {"urn:example:mcp-auth-conformance"}},
	} {
		answer, tokens, err := p.Token(ctx, client, form)
		if err != nil {
			return err
		}
		want := "no tokens for a public client: " + form.Get("grant_type")
		switch {
		case tokens != nil:
			found = append(found, p.Insecure(want, "tokens"))
		case answer.Status >= http.StatusInternalServerError:
			found = append(found, p.MismatchAt(check.Should, want, answer.String()))
		}
	}
	return bench.All(found...)
}

// tokenForms tries authorization-server/token/forms.
func tokenForms(ctx context.Context, p *bench.Probe) error {
	client, _, err := p.PublicGranted(ctx)
	if err != nil {
		return err
	}
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return err
	}
	made, err := p.Approved(ctx, client)
	if err != nil {
		return err
	}
	form := made.CodeForm(bench.Set("client_id", client.ID))
	members := map[string]string{}
	for name := range form {
		members[name] = form.Get(name)
	}
	asJSON, err := json.Marshal(members)
	if err != nil {
		return err
	}
	kind := func(value string) http.Header { return http.Header{"Content-Type": {value}} }
	query := metadata.TokenEndpoint + "?" + form.Encode()
	encoded := []byte(form.Encode())
	var found []*check.Mismatch
	for _, vector := range []struct {
		name    string
		request bench.Request
		level   check.Level
	}{
		{"GET", bench.Request{Method: http.MethodGet, URL: query}, check.Should},
		{"a query", bench.Request{Method: http.MethodPost, URL: query, Form: url.Values{}}, check.Should},
		{
			"JSON",
			bench.Request{URL: metadata.TokenEndpoint, Header: kind("application/json"), Body: asJSON},
			check.Policy,
		},
		{"no type", bench.Request{URL: metadata.TokenEndpoint, Header: kind(""), Body: encoded}, check.Policy},
		{
			"multipart without a boundary",
			bench.Request{URL: metadata.TokenEndpoint, Header: kind("multipart/form-data"), Body: encoded},
			check.Policy,
		},
		{
			"two types",
			bench.Request{
				URL:    metadata.TokenEndpoint,
				Header: kind("application/json, application/x-www-form-urlencoded"),
				Body:   encoded,
			},
			check.Policy,
		},
		{
			"a form of 1 MB",
			bench.Request{URL: metadata.TokenEndpoint, Form: url.Values{"foo": {strings.Repeat("f", 1<<20)}}},
			check.Should,
		},
	} {
		answer, tokens, err := p.SendToken(ctx, vector.request)
		if err != nil {
			return err
		}
		switch {
		case tokens != nil:
			// The code is used up, so the other vectors would say nothing.
			return p.MismatchAt(vector.level, "a refusal of a token request as "+vector.name, "tokens")
		case answer.Status >= http.StatusInternalServerError:
			found = append(found, p.Mismatch("a status 4xx for a token request as "+vector.name, answer.String()))
		}
	}
	return bench.All(found...)
}

// maxLifetime is the longest life of an access token in seconds.
const maxLifetime = 90 * 60

// tokenLifetime tries authorization-server/token/lifetime.
func tokenLifetime(ctx context.Context, p *bench.Probe) error {
	answer, err := granted(ctx, p)
	if err != nil {
		return err
	}
	var tokens struct {
		ExpiresIn *float64 `json:"expires_in"`
	}
	err = json.Unmarshal(answer.Body, &tokens)
	switch {
	case err != nil || tokens.ExpiresIn == nil:
		return &check.NotApplicable{Reason: "the answer has no expires_in"}
	case *tokens.ExpiresIn > maxLifetime:
		return p.Mismatch(fmt.Sprintf("expires_in of at most %d", maxLifetime), fmt.Sprint(*tokens.ExpiresIn))
	}
	return nil
}
