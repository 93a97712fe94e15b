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

// issuerClientChecks returns the checks of authorization-server/client: how the authorization
// server that a server names authenticates clients that register themselves (RFC 7591). The checks
// redeem tokens that do not exist. A client with a valid secret gets invalid_grant, and the others
// get invalid_client.
func issuerClientChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:         "authorization-server/client/two-secrets",
				Level:      check.Policy,
				Revisions:  since(check.R20250618),
				Disruptive: true,
				Reference:  "RFC 6749 sections 2.3 and 5.2",
				Sentence: "A client that authenticates in the Authorization header and in the body at once " +
					"is refused.",
			},
			Run: issuerClientTwoSecrets,
		},
		{
			Rule: check.Rule{
				ID:         "authorization-server/client/lockout",
				Level:      check.Policy,
				Severity:   check.Medium,
				Revisions:  since(check.R20250618),
				Disruptive: true,
				Reference:  "RFC 6749 section 10.10; OWASP Authentication Cheat Sheet, account lockout",
				Sentence: "Wrong secrets do not lock out a client, because anyone who saw its ID can send " +
					"them.",
			},
			Run: issuerClientLockout,
		},
	}
}

// issuerClientTwoSecrets sends the right secret in two places at once.
func issuerClientTwoSecrets(ctx context.Context, p *bench.Probe) error {
	document, err := attack.FindRegistration(ctx, p)
	if err != nil {
		return err
	}
	client, err := registerConfidential(ctx, p, document)
	if err != nil {
		return err
	}
	wrong, err := redeem(ctx, p, document, client, "not-the-secret", false)
	if err != nil {
		return err
	}
	if wrong != "invalid_client" {
		return &check.CannotJudge{Reason: "the control failed: with a wrong secret the answer is " + wrong}
	}
	both, err := redeem(ctx, p, document, client, client.Secret, true)
	if err == nil && both == "invalid_grant" {
		return p.Mismatch("invalid_request for a client that authenticates twice", "both secrets accepted")
	}
	return err
}

// registerConfidential registers a client with a secret, and shows that the secret counts.
func registerConfidential(
	ctx context.Context, p *bench.Probe, document *attack.IssuerDocument,
) (*attack.ConfidentialClient, error) {
	answer, client, err := attack.RegisterAs(ctx, p, document, "application/json", "client_secret_basic")
	if err != nil {
		return nil, err
	}
	hasMethod := client.Method == "" || client.Method == "client_secret_basic"
	if client.ID == "" || client.Secret == "" || !hasMethod {
		reason := fmt.Sprintf("no client with a secret could register (%d)", answer.Status)
		return nil, &check.CannotJudge{Reason: reason}
	}
	code, err := redeem(ctx, p, document, client, client.Secret, false)
	if err != nil {
		return nil, err
	}
	if code != "invalid_grant" {
		return nil, &check.CannotJudge{Reason: "the control failed: with the right secret the answer is " + code}
	}
	return client, nil
}

// redeem redeems a refresh token that does not exist. It returns the error code, or the status of
// an answer without a known one.
func redeem(
	ctx context.Context,
	p *bench.Probe,
	document *attack.IssuerDocument,
	client *attack.ConfidentialClient,
	secret string,
	inBodyToo bool,
) (string, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"a-token-that-does-not-exist"}}
	if inBodyToo {
		form.Set("client_id", client.ID)
		form.Set("client_secret", secret)
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
	var refusal struct {
		Error string `json:"error"`
	}
	known := []string{"invalid_grant", "invalid_client", "invalid_request"}
	if err := json.Unmarshal(answer.Body, &refusal); err != nil || !slices.Contains(known, refusal.Error) {
		return fmt.Sprint(answer.Status), nil
	}
	return refusal.Error, nil
}

// issuerClientLockout sends wrong secrets of one client. Another client shows that the server has
// not just had too many requests.
func issuerClientLockout(ctx context.Context, p *bench.Probe) error {
	document, err := attack.FindRegistration(ctx, p)
	if err != nil {
		return err
	}
	other, err := registerConfidential(ctx, p, document)
	if err != nil {
		return err
	}
	client, err := registerConfidential(ctx, p, document)
	if err != nil {
		return err
	}
	for range maxGuesses {
		if _, err := redeem(ctx, p, document, client, "not-the-secret", false); err != nil {
			return err
		}
	}
	others, err := redeem(ctx, p, document, other, other.Secret, false)
	if err != nil {
		return err
	}
	if others != "invalid_grant" {
		return &check.CannotJudge{Reason: "after the wrong secrets no client is served: " + others}
	}
	right, err := redeem(ctx, p, document, client, client.Secret, false)
	if err == nil && right != "invalid_grant" {
		return p.Mismatch("the right secret to count after wrong ones", right)
	}
	return err
}

// maxGuesses is how many wrong secrets are tried.
const maxGuesses = 15
