package checks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// authorizeChecks returns the checks of authorization-server/authorize: the authorization request
// (OAuth 2.1 section 4.1.1).
func authorizeChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/authorize/code-grant",
				Level:     check.Must,
				Reference: "OAuth 2.1 draft-13 section 4.1; MCP authorization, Authorization Flow",
				Sentence:  "The authorization code grant works with S256.",
				Covers:    []string{"as-code-grant"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   authorizeCodeGrant,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/authorize/unknown-parameters",
				Level:     check.Must,
				Reference: "OAuth 2.1 draft-13 sections 3.1 and 3.2",
				Sentence:  "Both endpoints ignore parameters that they do not know.",
				Covers:    []string{"as-unknown-parameters-ignored"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   authorizeUnknownParameters,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/authorize/repeated",
				Level:     check.Should,
				Severity:  check.Medium,
				Reference: "OAuth 2.1 draft-13 sections 3.1 and 4.1.2.1",
				Sentence:  "A request with two values of a parameter is refused.",
				Covers:    []string{"as-parameters-once", "AS-026", "server-400-malformed"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   authorizeRepeated,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/authorize/no-cors",
				Level:     check.Must,
				Severity:  check.Low,
				Reference: "OAuth 2.1 draft-13 section 3.1",
				Sentence:  "Scripts of other sites cannot read the authorization endpoint.",
				Covers:    []string{"as-authorize-no-cors"},
			},
			Run: authorizeNoCors,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/authorize/response-types",
				Level:     check.Should,
				Severity:  check.Medium,
				Reference: "OAuth 2.1 draft-13 section 10.1; RFC 9700 section 2.1.2; RFC 8414 section 2",
				Sentence:  "Only advertised response types work, and none puts an access token into a redirect.",
				Covers:    []string{"as-no-implicit-no-password", "AS-025", "server-legacy-oauth21"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   authorizeResponseTypes,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/authorize/long",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "OAuth 2.1 draft-13 section 4.1.2: the exact value received from the client",
				Sentence:  "A long or unusual request is served, with its state unchanged, or refused.",
				Covers:    []string{"AS-026"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   authorizeLong,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/authorize/errors",
				Level:     check.Must,
				Reference: "OAuth 2.1 draft-13 section 4.1.2.1",
				Sentence:  "An error goes to the client on loopback by redirect, with a defined code and no code.",
				Covers:    []string{"as-error-redirect"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   authorizeErrors,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/authorize/declined",
				Level:     check.Must,
				Reference: "OAuth 2.1 draft-13 section 4.1.2.1",
				Sentence:  "A person who declines sends the client access_denied and its state.",
				Covers:    []string{"as-error-redirect", "AS-013"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   authorizeDeclined,
		},
	}
}

// authorizeCodeGrant tries authorization-server/authorize/code-grant.
func authorizeCodeGrant(ctx context.Context, p *bench.Probe) error {
	made, err := p.PublicApproved(ctx)
	if err != nil {
		return err
	}
	answer, tokens, err := p.Redeem(ctx, made)
	if err == nil && tokens == nil {
		return p.Mismatch("tokens for a code", answer.String())
	}
	return err
}

// authorizeUnknownParameters tries authorization-server/authorize/unknown-parameters.
func authorizeUnknownParameters(ctx context.Context, p *bench.Probe) error {
	client, _, err := p.PublicGranted(ctx)
	if err != nil {
		return err
	}
	made, err := p.Authorize(ctx, client, bench.Set("foo", "bar"))
	if err != nil {
		return err
	}
	if made.Code() == "" {
		return p.Mismatch("a code for a request with foo=bar", made.String())
	}
	answer, tokens, err := p.Redeem(ctx, made, bench.Set("foo", "bar"))
	if err == nil && tokens == nil {
		return p.Mismatch("tokens for a request with foo=bar", answer.String())
	}
	return err
}

// authorizeRepeated tries authorization-server/authorize/repeated.
func authorizeRepeated(ctx context.Context, p *bench.Probe) error {
	client, err := publicClient(ctx, p)
	if err != nil {
		return err
	}
	var found []*check.Mismatch
	for name, second := range map[string]string{
		"redirect_uri":   "https://evil.example/callback",
		"code_challenge": strings.Repeat("A", 43),
		"state":          strings.Repeat("other", 10),
		"client_id":      "mcp-auth-conformance-unknown",
	} {
		repeat := func(query url.Values) { query[name] = []string{query.Get(name), second} }
		made, err := p.Authorize(ctx, client, repeat)
		if err != nil {
			return err
		}
		want := "a refusal of a request with two values of " + name
		switch {
		case made.Landed != nil && made.Landed.Hostname() == "evil.example":
			found = append(found, p.Insecure(want, made.String()))
		case made.Code() != "":
			found = append(found, p.Mismatch(want, made.String()))
		}
	}
	return bench.All(found...)
}

// authorizeNoCors tries authorization-server/authorize/no-cors.
func authorizeNoCors(ctx context.Context, p *bench.Probe) error {
	address, _, err := p.AuthorizationURL(ctx, &bench.Client{ID: "unknown", RedirectURI: bench.LoopbackRedirect})
	if err != nil {
		return err
	}
	const origin = "https://evil.example"
	for _, method := range []string{http.MethodGet, http.MethodOptions} {
		header := http.Header{"Origin": {origin}}
		if method == http.MethodOptions {
			header.Set("Access-Control-Request-Method", http.MethodGet)
		}
		answer, err := p.Send(ctx, bench.Request{Method: method, URL: address, Header: header})
		if err != nil {
			return err
		}
		allowed := answer.Header.Get("Access-Control-Allow-Origin")
		got := fmt.Sprintf("%q for %s", allowed, method)
		switch {
		case allowed == "*" || allowed == origin:
			return p.Mismatch("no Access-Control-Allow-Origin", got)
		case allowed != "" && allowed != "null":
			return p.MismatchAt(check.Should, "no Access-Control-Allow-Origin", got)
		}
	}
	return nil
}

// authorizeResponseTypes tries authorization-server/authorize/response-types.
func authorizeResponseTypes(ctx context.Context, p *bench.Probe) error {
	client, err := publicClient(ctx, p)
	if err != nil {
		return err
	}
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return err
	}
	var found []*check.Mismatch
	for _, kind := range []string{"token", "id_token", "code token", "mcp-auth-conformance", ""} {
		nonce := bench.Set("nonce", strings.Repeat("n", 32))
		made, err := p.Authorize(ctx, client, bench.Set("response_type", kind), nonce)
		if err != nil {
			return err
		}
		if made.Landed == nil {
			continue
		}
		fragment, _ := url.ParseQuery(made.Landed.Fragment)
		hasToken := fragment.Get("access_token") != "" || made.Response.Get("access_token") != ""
		isAdvertised := slices.Contains(metadata.ResponseTypes, kind)
		switch {
		case hasToken:
			found = append(found, p.Insecure("no access token in a redirect: "+kind, "an access token"))
		case (made.Code() != "" || fragment.Get("id_token") != "") && !isAdvertised:
			found = append(found, p.Mismatch("a refusal of the response type \""+kind+"\"", made.String()))
		}
	}
	return bench.All(found...)
}

// authorizeLong tries authorization-server/authorize/long. A server may close the connection while
// it still receives a request that is too long. The last request shows that it goes on.
func authorizeLong(ctx context.Context, p *bench.Probe) error {
	client, err := publicClient(ctx, p)
	if err != nil {
		return err
	}
	var found []*check.Mismatch
	for name, change := range map[string]bench.Change{
		"a state of 8 kB":       bench.Set("state", strings.Repeat("s", 8<<10)),
		"a state with NUL":      bench.Set("state", "a\x00b"+strings.Repeat("s", 30)),
		"a parameter of 100 kB": bench.Set("foo", strings.Repeat("f", 100<<10)),
		"5,000 scopes":          bench.Set("scope", strings.Repeat("x ", 5000)),
	} {
		made, err := p.Authorize(ctx, client, change)
		var unanswered *check.CannotJudge
		if errors.As(err, &unanswered) && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return err
		}
		last := made.Browser.Last()
		isBroken := last.Status >= http.StatusInternalServerError && !last.IsBusy()
		switch {
		case made.Landed == nil && isBroken:
			found = append(found, p.Mismatch("a status 4xx, or a redirect: "+name, last.String()))
		case made.Code() != "" && made.Response.Get("state") != made.Query.Get("state"):
			found = append(found, p.Mismatch("the state unchanged: "+name, "another state"))
		}
	}
	if _, err := p.Approved(ctx, client); err != nil {
		return err
	}
	return bench.All(found...)
}

// errorCodes are the error codes of authorization responses (OAuth 2.1 section 4.1.2.1, RFC 8707
// section 2, OpenID Connect Core section 3.1.2.6).
var errorCodes = []string{
	"invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type", "invalid_scope",
	"server_error", "temporarily_unavailable", "invalid_target", "interaction_required", "login_required",
	"account_selection_required", "consent_required", "request_not_supported", "request_uri_not_supported",
	"registration_not_supported", "invalid_request_object", "invalid_request_uri", "unsupported_response_mode",
}

// authorizeErrors tries authorization-server/authorize/errors.
func authorizeErrors(ctx context.Context, p *bench.Probe) error {
	client, err := publicClient(ctx, p)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(client.RedirectURI, "http://") {
		return &check.NotApplicable{Reason: "the client has no loopback redirect URI"}
	}
	made, err := p.Authorize(ctx, client, bench.Set("response_type", "mcp-auth-conformance"))
	if err != nil {
		return err
	}
	if made.Landed == nil {
		return p.MismatchAt(check.Should, "error=unsupported_response_type at the redirect URI", made.String())
	}
	response := made.Response
	if fragment, err := url.ParseQuery(made.Landed.Fragment); err == nil && fragment.Has("error") {
		response = fragment
	}
	return judgeError(p, made, response)
}

// judgeError judges the parameters of an error response. Another check wants the state in it:
// authorization-server/response/state.
func judgeError(p *bench.Probe, made *bench.Authorization, response url.Values) error {
	switch code := response.Get("error"); {
	case made.Code() != "":
		return p.Insecure("an error without a code", made.String())
	case code == "":
		return p.Mismatch("error in the response", made.String())
	case !slices.Contains(errorCodes, code):
		return p.MismatchAt(check.Should, "a registered error code", made.String())
	}
	return nil
}

// authorizeDeclined tries authorization-server/authorize/declined. A server may show a page instead
// of a redirect.
func authorizeDeclined(ctx context.Context, p *bench.Probe) error {
	client, err := publicClient(ctx, p)
	if err != nil {
		return err
	}
	made, err := p.AuthorizeAs(ctx, bench.Visitor{Decline: true}, client)
	switch {
	case err != nil:
		return err
	case made.Landed == nil:
		return &check.NotApplicable{Reason: "a person who declines stays at a page of the server"}
	case made.Code() != "":
		return &check.NotApplicable{Reason: "no page has a button or a link that declines"}
	}
	if err := judgeError(p, made, made.Response); err != nil {
		return err
	}
	if made.Response.Get("error") != "access_denied" {
		return p.MismatchAt(check.Should, "error=access_denied", made.String())
	}
	return nil
}
