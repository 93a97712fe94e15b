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
	"mcpentra/conformance/issuers/internal/bench"
)

// introspectionChecks returns the checks of authorization-server/introspection (RFC 7662).
func introspectionChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/introspection/authenticated",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 7662 sections 2.1 and 4",
				Sentence:  "Introspection needs authorization.",
				Covers:    []string{"AS-062"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   introspectionAuthenticated,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/introspection/other-client",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "RFC 7662 sections 2.2 and 4; the server decides who may introspect a token",
				Sentence:  "A client learns nothing about the token of another client.",
				Covers:    []string{"AS-062"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   introspectionOtherClient,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/introspection/revoked",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 7662 section 2.2: active means not revoked; RFC 7009 section 2",
				Sentence:  "A token that was revoked is not active.",
				Covers:    []string{"AS-062"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   introspectionRevoked,
		},
	}
}

// An introspection is the answer about a token.
type introspection struct {
	Active   bool            `json:"active"`
	Audience json.RawMessage `json:"aud"`
}

// introspect asks about a token as a client. The answer is nil if the server refuses to answer.
func introspect(
	ctx context.Context, p *bench.Probe, client *bench.Client, token string,
) (*bench.Answer, *introspection, error) {
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return nil, nil, err
	}
	if metadata.IntrospectionEndpoint == "" {
		return nil, nil, &check.NotApplicable{Reason: "the server has no introspection endpoint"}
	}
	form := url.Values{"token": {token}}
	request := bench.Request{URL: metadata.IntrospectionEndpoint, Form: form}
	if client != nil {
		request = p.Authenticated(metadata.IntrospectionEndpoint, client, form)
	}
	answer, err := p.Send(ctx, request)
	if err != nil {
		return nil, nil, err
	}
	told := &introspection{}
	if err := json.Unmarshal(answer.Body, told); err != nil || answer.Status != http.StatusOK {
		return answer, nil, nil
	}
	return answer, told, nil
}

// introspected returns a client with a secret and its tokens, about which the server tells it.
func introspected(ctx context.Context, p *bench.Probe) (*bench.Client, *bench.Tokens, error) {
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return nil, nil, err
	}
	if metadata.IntrospectionEndpoint == "" {
		return nil, nil, &check.NotApplicable{Reason: "the server has no introspection endpoint"}
	}
	client, err := p.Confidential(ctx)
	if err != nil {
		return nil, nil, err
	}
	tokens, err := p.Granted(ctx, client)
	if err != nil {
		return nil, nil, err
	}
	_, told, err := introspect(ctx, p, client, tokens.Access)
	if err == nil && (told == nil || !told.Active) {
		err = &check.NotApplicable{Reason: "a client cannot introspect its own token"}
	}
	return client, tokens, err
}

// introspectionAuthenticated tries authorization-server/introspection/authenticated.
func introspectionAuthenticated(ctx context.Context, p *bench.Probe) error {
	_, tokens, err := introspected(ctx, p)
	if err != nil {
		return err
	}
	answer, told, err := introspect(ctx, p, nil, tokens.Access)
	switch {
	case err != nil:
		return err
	case told != nil && told.Active:
		return p.Insecure("a refusal without credentials", "the token's properties")
	case answer.Status/100 != 4:
		return p.MismatchAt(check.Should, "status 401 without credentials", answer.String())
	}
	return nil
}

// introspectionOtherClient tries authorization-server/introspection/other-client.
func introspectionOtherClient(ctx context.Context, p *bench.Probe) error {
	_, tokens, err := introspected(ctx, p)
	if err != nil {
		return err
	}
	members, err := p.WithSecret(ctx)
	if err != nil {
		return err
	}
	registered, err := p.MustRegister(ctx, members)
	if err != nil {
		return err
	}
	_, told, err := introspect(ctx, p, registered.Client(), tokens.Access)
	if err == nil && told != nil && told.Active {
		return p.Insecure("active false for another client's token", "the token's properties")
	}
	return err
}

// introspectionRevoked tries authorization-server/introspection/revoked.
func introspectionRevoked(ctx context.Context, p *bench.Probe) error {
	client, tokens, err := introspected(ctx, p)
	if err != nil {
		return err
	}
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return err
	}
	if metadata.RevocationEndpoint == "" {
		return &check.NotApplicable{Reason: "the server has no revocation endpoint"}
	}
	form := url.Values{"token": {tokens.Access}, "token_type_hint": {"access_token"}}
	answer, err := p.Send(ctx, p.Authenticated(metadata.RevocationEndpoint, client, form))
	if err != nil {
		return err
	}
	if answer.Status != http.StatusOK {
		return &check.NotApplicable{Reason: "the server revokes no access tokens: " + answer.String()}
	}
	_, told, err := introspect(ctx, p, client, tokens.Access)
	if err == nil && told != nil && told.Active {
		return p.Insecure("active false for a revoked token", "active true")
	}
	return err
}

// resourceAudience tries authorization-server/resource/audience. It reads tokens that are JWTs, and
// introspects others.
func resourceAudience(ctx context.Context, p *bench.Probe) error {
	client, err := p.Public(ctx)
	if err != nil {
		return err
	}
	resources := []string{p.Target().Resource}
	if p.Target().OtherResource != "" {
		resources = append(resources, p.Target().OtherResource)
	}
	var audiences []string
	for _, resource := range resources {
		asker := client
		if metadata, err := p.Metadata(ctx); err == nil && metadata.IntrospectionEndpoint != "" {
			if confidential, err := p.Confidential(ctx); err == nil {
				asker = confidential
			}
		}
		tokens, err := p.Granted(ctx, asker, bench.Set("resource", resource))
		if err != nil {
			return err
		}
		audience, err := audienceOf(ctx, p, asker, tokens.Access)
		if err != nil {
			return err
		}
		if audience == "" {
			return p.Mismatch("aud in the token for "+resource, "a token without it")
		}
		audiences = append(audiences, audience)
	}
	if len(audiences) == 2 && audiences[0] == audiences[1] {
		return p.Mismatch("different aud in tokens for two resources", fmt.Sprintf("%s in both", audiences[0]))
	}
	return nil
}

// audienceOf returns the audience of a token as JSON. It is empty if a JWT has none.
func audienceOf(ctx context.Context, p *bench.Probe, client *bench.Client, token string) (string, error) {
	if parts := strings.Split(token, "."); len(parts) == 3 {
		var claims introspection
		text, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err == nil && json.Unmarshal(text, &claims) == nil {
			return string(claims.Audience), nil
		}
	}
	_, told, err := introspect(ctx, p, client, token)
	if err != nil {
		return "", err
	}
	if told == nil || !told.Active || slices.Contains([]string{"", "null"}, string(told.Audience)) {
		return "", &check.NotApplicable{Reason: "the audience of the tokens is not visible"}
	}
	return string(told.Audience), nil
}
