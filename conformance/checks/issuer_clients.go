package checks

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"mcpentra/conformance/engine"
)

// issuerClients: how the authorization server that a server names treats clients that register themselves (RFC 7591).
// The checks redeem tokens that do not exist. So a client whose secret counts gets invalid_grant, and the others get
// invalid_client.
func issuerClients() []engine.Check {
	return []engine.Check{
		{
			ID: "authorization-server/registration/media-type", Role: engine.AuthorizationServer, Level: engine.Policy,
			Revisions: withMetadata, Severity: engine.Low,
			Reference: "RFC 7591 section 3.1; Fetch standard, CORS-safelisted request header",
			Sentence: "A registration that is not application/json is refused: " +
				"any page can send one with a visitor's browser.",
			Run: registersText,
		},
		{
			ID: "authorization-server/client/two-secrets", Role: engine.AuthorizationServer, Level: engine.Policy,
			Revisions: withMetadata, Disruptive: true,
			Reference: "RFC 6749 sections 2.3 and 5.2",
			Sentence:  "A client that authenticates in the Authorization header and in the body at once is refused.",
			Run:       takesTwoSecrets,
		},
		{
			ID: "authorization-server/client/lockout", Role: engine.AuthorizationServer, Level: engine.Policy,
			Revisions: withMetadata, Severity: engine.Medium, Disruptive: true,
			Reference: "RFC 6749 section 10.10; OWASP Authentication Cheat Sheet, account lockout",
			Sentence:  "Wrong secrets do not lock out the right one: everybody who saw a client's ID can send them.",
			Run:       locksOut,
		},
	}
}

// registrationOf is the metadata of an issuer at which clients register themselves.
func registrationOf(ctx context.Context, p *engine.Probe) (*issuerDocument, error) {
	document, _, _, err := findIssuer(ctx, p)
	switch {
	case err != nil:
		return nil, &engine.CannotJudge{Reason: "the authorization server has no metadata", Err: err}
	case document.RegistrationEndpoint == "" || document.TokenEndpoint == "":
		return nil, &engine.NotApplicable{Reason: "no client registers itself at the authorization server"}
	}
	return document, nil
}

// registersText sends what a page can send without asking first.
func registersText(ctx context.Context, p *engine.Probe) error {
	document, err := registrationOf(ctx, p)
	if err != nil {
		return err
	}
	answer, _, err := register(ctx, p, document, "text/plain", "none")
	if err != nil {
		return err
	}
	if answer.Status == http.StatusCreated || answer.Status == http.StatusOK {
		return p.Mismatch("415 or 400 for a registration as text/plain", fmt.Sprint(answer.Status))
	}
	return nil
}

// A secretClient is one that has registered with a secret.
type secretClient struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
	Method string `json:"token_endpoint_auth_method"`
}

func register(
	ctx context.Context, p *engine.Probe, document *issuerDocument, mediaType, method string,
) (*engine.Answer, *secretClient, error) {
	body := `{"client_name":"conformance check","redirect_uris":["http://127.0.0.1:1/callback"],` +
		`"token_endpoint_auth_method":"` + method + `"}`
	answer, err := p.Send(ctx, engine.Request{
		URL: document.RegistrationEndpoint, Header: http.Header{"Content-Type": {mediaType}}, Body: []byte(body),
	})
	if err != nil {
		return nil, nil, err
	}
	made := &secretClient{}
	if json.Unmarshal(answer.Body, made) != nil {
		made = &secretClient{}
	}
	return answer, made, nil
}

// registerSecret registers a client whose right secret is known to count, and whose wrong one is not.
func registerSecret(ctx context.Context, p *engine.Probe, document *issuerDocument) (*secretClient, error) {
	answer, made, err := register(ctx, p, document, "application/json", "client_secret_basic")
	switch {
	case err != nil:
		return nil, err
	case made.ID == "" || made.Secret == "" || made.Method != "" && made.Method != "client_secret_basic":
		reason := fmt.Sprintf("no client with a secret could register (%d)", answer.Status)
		return nil, &engine.CannotJudge{Reason: reason}
	}
	right, err := present(ctx, p, document, made, made.Secret, false)
	if err != nil {
		return nil, err
	}
	if right != "invalid_grant" {
		return nil, &engine.CannotJudge{Reason: "the control failed: with the right secret the answer is " + right}
	}
	return made, nil
}

// present redeems a refresh token that does not exist, and returns the error code, or the status of an answer without
// one.
func present(
	ctx context.Context, p *engine.Probe, document *issuerDocument, client *secretClient, secret string, inBodyToo bool,
) (string, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"a-token-that-does-not-exist"}}
	if inBodyToo {
		form["client_id"], form["client_secret"] = []string{client.ID}, []string{secret}
	}
	basic := url.QueryEscape(client.ID) + ":" + url.QueryEscape(secret)
	answer, err := p.Send(ctx, engine.Request{
		URL: document.TokenEndpoint, Body: []byte(form.Encode()),
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

func takesTwoSecrets(ctx context.Context, p *engine.Probe) error {
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
		return &engine.CannotJudge{Reason: "the control failed: with a wrong secret the answer is " + wrong}
	}
	both, err := present(ctx, p, document, client, client.Secret, true)
	if err == nil && both == "invalid_grant" {
		return p.Mismatch("invalid_request for a client that authenticates twice", "both were taken")
	}
	return err
}

// maxGuesses is how many wrong secrets are tried.
const maxGuesses = 15

// locksOut sends wrong secrets of one client. Another client shows that it is not all requests that are too many.
func locksOut(ctx context.Context, p *engine.Probe) error {
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
		return &engine.CannotJudge{Reason: "after the wrong secrets no client is served: " + others}
	}
	right, err := present(ctx, p, document, client, client.Secret, false)
	if err == nil && right != "invalid_grant" {
		return p.Mismatch("the right secret to count after wrong ones", right)
	}
	return err
}
