package checks

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// pkceChecks returns the checks of authorization-server/pkce (RFC 7636).
func pkceChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/pkce/required-public",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "OAuth 2.1 draft-13 sections 4.1.2.1 and 7.5.2",
				Sentence:  "A public client without a code challenge gets no code.",
				Covers: []string{
					"as-pkce-required-public",
					"as-empty-parameters",
					"AS-023",
					"server-legacy-pkce-required",
				},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   pkceRequiredPublic,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/pkce/required-confidential",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "OAuth 2.1 draft-13 sections 4.1.2.1 and 7.5.2",
				Sentence:  "A client with a secret gets no code without a code challenge or a nonce.",
				Covers:    []string{"as-pkce-required-confidential", "AS-023"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   pkceRequiredConfidential,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/pkce/verifier",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "OAuth 2.1 draft-13 section 4.1.3; RFC 7636 section 4.6",
				Sentence:  "A code is redeemed only with the verifier of its challenge.",
				Covers: []string{
					"as-pkce-verifier-checked",
					"as-code-bound",
					"AS-024",
					"AS-053",
					"server-legacy-pkce-required",
				},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   pkceVerifier,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/pkce/downgrade",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "OAuth 2.1 draft-13 sections 3.2.4 and 4.1.3; RFC 9700 section 4.8.2",
				Sentence:  "A verifier is refused if the code was requested without a challenge.",
				Covers:    []string{"as-pkce-downgrade-refused", "AS-024"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   pkceDowngrade,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/pkce/unknown-method",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "OAuth 2.1 draft-13 section 4.1.2.1; RFC 7636 section 4.4.1",
				Sentence:  "An unknown code_challenge_method is refused.",
				Covers:    []string{"as-pkce-unknown-method", "AS-023"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   pkceUnknownMethod,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/pkce/plain",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 7636 sections 4.3 and 4.6; OAuth 2.1 draft-13 section 4.1.1",
				Sentence:  "The method plain is refused, or its verifier is compared.",
				Covers:    []string{"AS-023"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   pkcePlain,
		},
	}
}

// publicClient returns a public client that has got a code.
func publicClient(ctx context.Context, p *bench.Probe) (*bench.Client, error) {
	client, err := p.Public(ctx)
	if err != nil {
		return nil, err
	}
	_, err = p.Approved(ctx, client)
	return client, err
}

// confidentialClient returns a client with a secret that has got tokens.
func confidentialClient(ctx context.Context, p *bench.Probe) (*bench.Client, error) {
	client, err := p.Confidential(ctx)
	if err != nil {
		return nil, err
	}
	_, err = p.Granted(ctx, client)
	return client, err
}

// pkceRequiredPublic tries authorization-server/pkce/required-public.
func pkceRequiredPublic(ctx context.Context, p *bench.Probe) error {
	client, err := publicClient(ctx, p)
	if err != nil {
		return err
	}
	var found []*check.Mismatch
	for name, change := range map[string]bench.Change{
		"no code_challenge":       bench.Without("code_challenge", "code_challenge_method"),
		"an empty code_challenge": bench.Set("code_challenge", ""),
	} {
		made, err := p.Authorize(ctx, client, change)
		if err != nil {
			return err
		}
		mismatch, err := judgeBareCode(ctx, p, made, "no code: "+name)
		if err != nil {
			return err
		}
		found = append(found, mismatch)
	}
	return bench.All(found...)
}

// judgeBareCode wants no code for a request without a challenge. It is insecure if the code can be
// redeemed without a verifier.
func judgeBareCode(
	ctx context.Context, p *bench.Probe, made *bench.Authorization, want string,
) (*check.Mismatch, error) {
	if made.Code() == "" {
		return nil, nil
	}
	mismatch := p.Mismatch(want, made.String())
	_, tokens, err := p.Redeem(ctx, made, bench.Without("code_verifier"))
	mismatch.Insecure = tokens != nil
	return mismatch, err
}

// pkceRequiredConfidential tries authorization-server/pkce/required-confidential.
func pkceRequiredConfidential(ctx context.Context, p *bench.Probe) error {
	client, err := confidentialClient(ctx, p)
	if err != nil {
		return err
	}
	made, err := p.Authorize(ctx, client, bench.Without("code_challenge", "code_challenge_method"))
	if err != nil {
		return err
	}
	mismatch, err := judgeBareCode(ctx, p, made, "no code without code_challenge")
	if err != nil {
		return err
	}
	return bench.All(mismatch)
}

// A tokenVector is a token request with a flaw.
type tokenVector struct {
	name   string
	change bench.Change
	// level is the level for a server that accepts it. Empty means the rule's.
	level check.Level
}

// pkceVerifier tries authorization-server/pkce/verifier.
func pkceVerifier(ctx context.Context, p *bench.Probe) error {
	client, _, err := p.PublicGranted(ctx)
	if err != nil {
		return err
	}
	asChallenge := func(form url.Values) {
		form.Set("code_verifier", oauth2.S256ChallengeFromVerifier(form.Get("code_verifier")))
	}
	withNewline := func(form url.Values) { form.Set("code_verifier", form.Get("code_verifier")+"\n") }
	return refuseCodes(ctx, p, client, []string{"invalid_grant", "invalid_request"}, []tokenVector{
		{"another verifier", bench.Set("code_verifier", oauth2.GenerateVerifier()), ""},
		{"no verifier", bench.Without("code_verifier"), ""},
		{"an empty verifier", bench.Set("code_verifier", ""), ""},
		{"the challenge as verifier", asChallenge, ""},
		{"a line break after the verifier", withNewline, check.Should},
	})
}

// refuseCodes wants the redemption of a fresh code refused for each vector.
func refuseCodes(
	ctx context.Context, p *bench.Probe, client *bench.Client, codes []string, vectors []tokenVector,
) error {
	var found []*check.Mismatch
	for _, vector := range vectors {
		made, err := p.Approved(ctx, client)
		if err != nil {
			return err
		}
		answer, tokens, err := p.Redeem(ctx, made, vector.change)
		if err != nil {
			return err
		}
		found = append(found, judgeRefusal(p, vector.name, vector.level, answer, tokens, codes...))
	}
	return refusals(ctx, p, client, found...)
}

// refusals is bench.All for mismatches of judgeRefusal. If the server breaks on an unknown code
// too, authorization-server/token/errors reports that, and its breaks say no more here.
func refusals(ctx context.Context, p *bench.Probe, client *bench.Client, found ...*check.Mismatch) error {
	isBreak := func(m *check.Mismatch) bool { return m != nil && !m.Insecure && strings.HasPrefix(m.Got, "status 5") }
	if !slices.ContainsFunc(found, isBreak) {
		return bench.All(found...)
	}
	answer, _, err := p.Token(ctx, client, url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {"mcp-auth-conformance"},
		"code_verifier": {otherVerifier},
		"redirect_uri":  {client.RedirectURI},
	})
	if err != nil {
		return err
	}
	if answer.Status < http.StatusInternalServerError {
		return bench.All(found...)
	}
	if err := bench.All(slices.DeleteFunc(found, isBreak)...); err != nil {
		return err
	}
	return &check.Skipped{
		Of:     "authorization-server/token/errors",
		Reason: "the server answers an unknown code with " + answer.String(),
	}
}

// judgeRefusal wants a token request refused with one of the error codes. Tokens break the rule at
// a level. Another refusal by the client's fault is a warning.
func judgeRefusal(
	p *bench.Probe, name string, level check.Level, answer *bench.Answer, tokens *bench.Tokens, codes ...string,
) *check.Mismatch {
	want := "status 400 " + strings.Join(codes, " or ") + ": " + name
	isRefusal := answer.Status == http.StatusBadRequest || answer.Status == http.StatusUnauthorized
	switch {
	case tokens != nil:
		mismatch := p.Insecure(want, "tokens")
		mismatch.Level = level
		return mismatch
	case isRefusal && slices.Contains(codes, answer.ErrorCode()):
		return nil
	case answer.Status/100 == 4:
		return p.MismatchAt(check.Should, want, answer.String())
	}
	return p.Mismatch(want, answer.String())
}

// pkceDowngrade tries authorization-server/pkce/downgrade.
func pkceDowngrade(ctx context.Context, p *bench.Probe) error {
	client, err := confidentialClient(ctx, p)
	if err != nil {
		return err
	}
	made, err := p.Authorize(ctx, client, bench.Without("code_challenge", "code_challenge_method"))
	if err != nil || made.Code() == "" {
		return err
	}
	answer, tokens, err := p.Redeem(ctx, made)
	if err != nil {
		return err
	}
	name := "a verifier for a code without a challenge"
	return refusals(ctx, p, client, judgeRefusal(p, name, "", answer, tokens, "invalid_grant", "invalid_request"))
}

// pkceUnknownMethod tries authorization-server/pkce/unknown-method.
func pkceUnknownMethod(ctx context.Context, p *bench.Probe) error {
	client, err := publicClient(ctx, p)
	if err != nil {
		return err
	}
	made, err := p.Authorize(ctx, client, bench.Set("code_challenge_method", "S512"))
	switch {
	case err != nil:
		return err
	case made.Code() != "":
		return p.Insecure("no code for the method S512", made.String())
	case made.Landed != nil && made.Response.Get("error") != "invalid_request":
		return p.MismatchAt(check.Should, "error=invalid_request", made.String())
	}
	return nil
}

// pkcePlain tries authorization-server/pkce/plain.
func pkcePlain(ctx context.Context, p *bench.Probe) error {
	client, err := publicClient(ctx, p)
	if err != nil {
		return err
	}
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return err
	}
	var found []*check.Mismatch
	for name, method := range map[string]bench.Change{
		"plain":     bench.Set("code_challenge_method", "plain"),
		"no method": bench.Without("code_challenge_method"),
	} {
		verifier := oauth2.GenerateVerifier()
		challenge := bench.Set("code_challenge", verifier)
		wrong, err := p.Authorize(ctx, client, method, challenge)
		if err != nil || wrong.Code() == "" {
			continue // refused
		}
		_, tokens, err := p.Redeem(ctx, wrong, bench.Set("code_verifier", oauth2.GenerateVerifier()))
		if err != nil {
			return err
		}
		if tokens != nil {
			found = append(found, p.Insecure("no tokens for another verifier: "+name, "tokens"))
			continue
		}
		right, err := p.Approved(ctx, client, method, challenge)
		if err != nil {
			return err
		}
		_, tokens, err = p.Redeem(ctx, right, bench.Set("code_verifier", verifier))
		if err != nil {
			return err
		}
		if tokens != nil && !slices.Contains(metadata.ChallengeMethods, "plain") {
			want := "a refusal of a method that is not advertised: " + name
			found = append(found, p.MismatchAt(check.Should, want, "tokens"))
		}
	}
	return bench.All(found...)
}
