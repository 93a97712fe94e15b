package checks

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// clientChecks returns the checks of authorization-server/client: how clients authenticate (OAuth
// 2.1 section 2.4).
func clientChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/client/authenticated",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "OAuth 2.1 draft-13 sections 3.2.1 and 3.2.2",
				Sentence:  "A client with a secret gets tokens only with its secret.",
				Covers:    []string{"as-client-auth-required", "as-token-errors", "AS-057"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   clientAuthenticated,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/client/two-methods",
				Level:     check.Should,
				Severity:  check.Low,
				Reference: "OAuth 2.1 draft-13 sections 2.4 and 3.2.4",
				Sentence:  "A client that authenticates in two ways at once is refused.",
				Covers:    []string{"AS-057"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   clientTwoMethods,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/client/challenge",
				Level:     check.Must,
				Reference: "OAuth 2.1 draft-13 section 3.2.4: 401 with WWW-Authenticate that matches",
				Sentence:  "A wrong secret in the Authorization header is refused with 401 and a challenge.",
				Covers:    []string{"as-token-errors", "AS-057"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   clientChallenge,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/client/secret-in-body",
				Level:     check.Must,
				Reference: "OAuth 2.1 draft-13 section 2.4.1",
				Sentence:  "A client with a secret can send it in the body.",
				Covers:    []string{"as-client-secret-post"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   clientSecretInBody,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/client/methods-work",
				Level:     check.Should,
				Reference: "RFC 8414 section 2",
				Sentence:  "Each advertised method of authentication works.",
				Covers:    []string{"as-metadata-auth-methods-true", "AS-064"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   clientMethodsWork,
		},
	}
}

// clientAuthenticated tries authorization-server/client/authenticated.
func clientAuthenticated(ctx context.Context, p *bench.Probe) error {
	client, err := confidentialClient(ctx, p)
	if err != nil {
		return err
	}
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return err
	}
	inBody := func(values url.Values) bench.Request {
		return bench.Request{URL: metadata.TokenEndpoint, Form: values}
	}
	var found []*check.Mismatch
	for name, request := range map[string]func(form url.Values) bench.Request{
		"no secret": func(form url.Values) bench.Request {
			form.Set("client_id", client.ID)
			return inBody(form)
		},
		"an empty secret": func(form url.Values) bench.Request {
			form.Set("client_id", client.ID)
			form.Set("client_secret", "")
			return inBody(form)
		},
		"a wrong secret": func(form url.Values) bench.Request {
			wrong := *client
			wrong.Secret = "not-the-secret"
			return p.Authenticated(metadata.TokenEndpoint, &wrong, form)
		},
		"no client": inBody,
	} {
		made, err := p.Approved(ctx, client)
		if err != nil {
			return err
		}
		answer, tokens, err := p.SendToken(ctx, request(made.CodeForm()))
		if err != nil {
			return err
		}
		codes := []string{"invalid_client"}
		if name != "a wrong secret" {
			codes = append(codes, "invalid_request", "unauthorized_client")
		}
		found = append(found, judgeRefusal(p, name, "", answer, tokens, codes...))
	}
	return refusals(ctx, p, client, found...)
}

// clientTwoMethods tries authorization-server/client/two-methods.
func clientTwoMethods(ctx context.Context, p *bench.Probe) error {
	client, err := confidentialClient(ctx, p)
	if err != nil {
		return err
	}
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return err
	}
	methods := metadata.TokenAuthMethods
	hasBoth := slices.Contains(methods, "client_secret_basic") && slices.Contains(methods, "client_secret_post")
	if methods != nil && !hasBoth {
		return &check.NotApplicable{Reason: "the server does not advertise two methods with a secret"}
	}
	for name, secret := range map[string]string{
		"two right secrets": client.Secret,
		"a wrong second":    "not-the-secret",
	} {
		made, err := p.Approved(ctx, client)
		if err != nil {
			return err
		}
		request := bench.Request{
			URL:    metadata.TokenEndpoint,
			Form:   made.CodeForm(bench.Set("client_id", client.ID), bench.Set("client_secret", secret)),
			Header: http.Header{"Authorization": {bench.Basic(client.ID, client.Secret)}},
		}
		_, tokens, err := p.SendToken(ctx, request)
		if err != nil {
			return err
		}
		if tokens != nil {
			return p.Mismatch("a refusal of a client that authenticates twice: "+name, "tokens")
		}
	}
	return nil
}

// clientChallenge tries authorization-server/client/challenge. The code is good, because a server
// may look at the code before it looks at the client.
func clientChallenge(ctx context.Context, p *bench.Probe) error {
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return err
	}
	if metadata.TokenAuthMethods != nil && !slices.Contains(metadata.TokenAuthMethods, "client_secret_basic") {
		return &check.NotApplicable{Reason: "the server does not advertise client_secret_basic"}
	}
	client, err := p.Confidential(ctx)
	if err != nil {
		return err
	}
	made, err := p.Approved(ctx, client)
	if err != nil {
		return err
	}
	answer, tokens, err := p.SendToken(ctx, bench.Request{
		URL:    metadata.TokenEndpoint,
		Form:   made.CodeForm(),
		Header: http.Header{"Authorization": {bench.Basic(client.ID, "not-the-secret")}},
	})
	switch {
	case err != nil:
		return err
	case tokens != nil:
		return p.Insecure("status 401", "tokens")
	case answer.Status != http.StatusUnauthorized:
		return p.Mismatch("status 401 for a wrong secret in the Authorization header", answer.String())
	}
	challenge := answer.Header.Get("WWW-Authenticate")
	if !strings.HasPrefix(strings.ToLower(challenge), "basic") {
		return p.Mismatch("WWW-Authenticate: Basic", fmt.Sprintf("%q", challenge))
	}
	return nil
}

// clientOfMethod returns a client that uses a method of authentication.
func clientOfMethod(ctx context.Context, p *bench.Probe, method string) (*bench.Client, error) {
	_, registered, err := p.Register(ctx, bench.Registration(bench.Members{
		"token_endpoint_auth_method": method,
		"redirect_uris":              []string{p.RedirectURI()},
	}))
	if err != nil || registered == nil {
		return nil, err
	}
	client := registered.Client()
	if registered.RedirectURIs == nil {
		client.RedirectURI = p.RedirectURI()
	}
	client.Method = method
	return client, nil
}

// clientSecretInBody tries authorization-server/client/secret-in-body.
func clientSecretInBody(ctx context.Context, p *bench.Probe) error {
	if _, err := confidentialClient(ctx, p); err != nil {
		return err
	}
	client, err := clientOfMethod(ctx, p, "client_secret_post")
	switch {
	case err != nil:
		return err
	case client == nil:
		return p.MismatchAt(check.Should, "a registration with client_secret_post", "a refusal")
	case client.Secret == "":
		return &check.NotApplicable{Reason: "no client with a secret can register"}
	}
	made, err := p.Approved(ctx, client)
	if err != nil {
		return err
	}
	answer, tokens, err := p.Redeem(ctx, made)
	if err == nil && tokens == nil {
		return p.Mismatch("tokens for a secret in the body", answer.String())
	}
	return err
}

// clientMethodsWork tries authorization-server/client/methods-work.
func clientMethodsWork(ctx context.Context, p *bench.Probe) error {
	registered, err := p.MustRegister(ctx, nil)
	if err != nil {
		return err
	}
	if _, err := p.Granted(ctx, registered.Client()); err != nil {
		return err
	}
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return err
	}
	var found []*check.Mismatch
	for _, method := range []string{"none", "client_secret_basic", "client_secret_post"} {
		if !slices.Contains(metadata.TokenAuthMethods, method) {
			continue
		}
		client, err := clientOfMethod(ctx, p, method)
		if err != nil {
			return err
		}
		if client == nil {
			found = append(found, p.Mismatch("a registration with "+method+", as advertised", "a refusal"))
			continue
		}
		made, err := p.Approved(ctx, client)
		if err != nil {
			return err
		}
		answer, tokens, err := p.Redeem(ctx, made)
		if err != nil {
			return err
		}
		if tokens == nil {
			found = append(found, p.Mismatch("tokens with "+method+", as advertised", answer.String()))
		}
	}
	return bench.All(found...)
}
