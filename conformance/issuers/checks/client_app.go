package checks

import (
	"context"
	"net/url"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// clientAppChecks returns the checks of authorization-server/client for clients that call for
// themselves (OAuth 2.1 section 4.2).
func clientAppChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/client/app-authenticated",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 6749 section 4.4.2; OAuth 2.1 draft-13 section 4.2.1",
				Sentence:  "A client that calls for itself gets a token only with its secret.",
				Covers:    []string{"as-ext-cc-client-authenticated", "AS-057"},
			},
			Needs: []bench.Need{bench.App},
			Run:   clientAppAuthenticated,
		},
	}
}

// clientAppAuthenticated tries authorization-server/client/app-authenticated.
func clientAppAuthenticated(ctx context.Context, p *bench.Probe) error {
	app := p.App()
	if app.Secret == "" {
		return &check.NotApplicable{Reason: "the client that calls for itself has no secret"}
	}
	form := func(changes ...bench.Change) url.Values {
		values := url.Values{"grant_type": {"client_credentials"}}
		if resource := p.Target().Resource; resource != "" {
			values.Set("resource", resource)
		}
		for _, change := range changes {
			change(values)
		}
		return values
	}
	answer, tokens, err := p.Token(ctx, app, form())
	switch {
	case err != nil:
		return err
	case tokens == nil:
		return &check.CannotJudge{Reason: "the control failed: the right secret is answered with " + answer.String()}
	}
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return err
	}
	wrong := *app
	wrong.Secret = "not-the-secret"
	named := bench.Set("client_id", app.ID)
	requests := map[string]bench.Request{
		"a wrong secret":  p.Authenticated(metadata.TokenEndpoint, &wrong, form()),
		"no secret":       {URL: metadata.TokenEndpoint, Form: form(named)},
		"an empty secret": {URL: metadata.TokenEndpoint, Form: form(named, bench.Set("client_secret", ""))},
		"no client":       {URL: metadata.TokenEndpoint, Form: form()},
	}
	var found []*check.Mismatch
	for name, request := range requests {
		answer, tokens, err := p.SendToken(ctx, request)
		if err != nil {
			return err
		}
		codes := []string{"invalid_client"}
		if name != "a wrong secret" {
			codes = append(codes, "invalid_request", "unauthorized_client")
		}
		found = append(found, judgeRefusal(p, name, "", answer, tokens, codes...))
	}
	return refusals(ctx, p, app, found...)
}
