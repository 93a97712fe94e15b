package checks

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// issuerClientChecks are checks of authorization-server/client: how the authorization server that a
// server names treats clients that register themselves (RFC 7591). The checks redeem tokens that do
// not exist. So a client whose secret counts gets invalid_grant, and the others get invalid_client.
func issuerClientChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:         "authorization-server/client/two-secrets",
				Level:      check.Policy,
				Revisions:  withMetadata,
				Disruptive: true,
				Reference:  "RFC 6749 sections 2.3 and 5.2",
				Sentence: "A client that authenticates in the Authorization header and in the body at once " +
					"is refused.",
			},
			Run: takesTwoSecrets,
		},
		{
			Rule: check.Rule{
				ID:         "authorization-server/client/lockout",
				Level:      check.Policy,
				Severity:   check.Medium,
				Revisions:  withMetadata,
				Disruptive: true,
				Reference:  "RFC 6749 section 10.10; OWASP Authentication Cheat Sheet, account lockout",
				Sentence: "Wrong secrets do not lock out the right one: everybody who saw a client's ID can " +
					"send them.",
			},
			Run: locksOut,
		},
	}
}

// registerSecret registers a client whose right secret is known to count, and whose wrong one is
// not.
func registerSecret(ctx context.Context, p *bench.Probe, document *attack.IssuerDocument) (*secretClient, error) {
	answer, made, err := register(ctx, p, document, "application/json", "client_secret_basic")
	switch {
	case err != nil:
		return nil, err
	case made.ID == "" || made.Secret == "" || made.Method != "" && made.Method != "client_secret_basic":
		reason := fmt.Sprintf("no client with a secret could register (%d)", answer.Status)
		return nil, &check.CannotJudge{Reason: reason}
	}
	right, err := present(ctx, p, document, made, made.Secret, false)
	if err != nil {
		return nil, err
	}
	if right != "invalid_grant" {
		return nil, &check.CannotJudge{Reason: "the control failed: with the right secret the answer is " + right}
	}
	return made, nil
}

// present redeems a refresh token that does not exist, and returns the error code, or the status of
// an answer without one.
func present(
	ctx context.Context,
	p *bench.Probe,
	document *attack.IssuerDocument,
	client *secretClient,
	secret string,
	inBodyToo bool,
) (string, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"a-token-that-does-not-exist"}}
	if inBodyToo {
		form["client_id"] = []string{client.ID}
		form["client_secret"] = []string{secret}
	}
	basic := url.QueryEscape(client.ID) + ":" + url.QueryEscape(secret)
	answer, err := p.Send(ctx, bench.Request{
		URL:  document.TokenEndpoint,
		Body: []byte(form.Encode()),
		Header: http.Header{
			"Content-Type":  {"application/x-www-form-urlencoded"},
			"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(basic))},
		},
	})
	if err != nil {
		return "", err
	}
	var refused struct {
		Error string `json:"error"`
	}
	known := []string{"invalid_grant", "invalid_client", "invalid_request"}
	if json.Unmarshal(answer.Body, &refused) != nil || !slices.Contains(known, refused.Error) {
		return fmt.Sprint(answer.Status), nil
	}
	return refused.Error, nil
}

func takesTwoSecrets(ctx context.Context, p *bench.Probe) error {
	document, err := registrationOf(ctx, p)
	if err != nil {
		return err
	}
	client, err := registerSecret(ctx, p, document)
	if err != nil {
		return err
	}
	wrong, err := present(ctx, p, document, client, "not-the-secret", false)
	if err != nil {
		return err
	}
	if wrong != "invalid_client" {
		return &check.CannotJudge{Reason: "the control failed: with a wrong secret the answer is " + wrong}
	}
	both, err := present(ctx, p, document, client, client.Secret, true)
	if err == nil && both == "invalid_grant" {
		return p.Mismatch("invalid_request for a client that authenticates twice", "both were taken")
	}
	return err
}

// maxGuesses is how many wrong secrets are tried.
const maxGuesses = 15

// locksOut sends wrong secrets of one client. Another client shows that it is not all requests that
// are too many.
func locksOut(ctx context.Context, p *bench.Probe) error {
	document, err := registrationOf(ctx, p)
	if err != nil {
		return err
	}
	other, err := registerSecret(ctx, p, document)
	if err != nil {
		return err
	}
	client, err := registerSecret(ctx, p, document)
	if err != nil {
		return err
	}
	for range maxGuesses {
		if _, err := present(ctx, p, document, client, "not-the-secret", false); err != nil {
			return err
		}
	}
	others, err := present(ctx, p, document, other, other.Secret, false)
	if err != nil {
		return err
	}
	if others != "invalid_grant" {
		return &check.CannotJudge{Reason: "after the wrong secrets no client is served: " + others}
	}
	right, err := present(ctx, p, document, client, client.Secret, false)
	if err == nil && right != "invalid_grant" {
		return p.Mismatch("the right secret to count after wrong ones", right)
	}
	return err
}
