package checks

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
	"mcpentra/conformance/issuers/rig"
)

// thirdPartyAnswerChecks returns the checks of authorization-server/third-party that change the
// answers of the third party.
func thirdPartyAnswerChecks() []bench.Check {
	needs := []bench.Need{bench.Scripted, bench.ThirdParty}
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/third-party/id-token",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "OpenID Connect Core section 3.1.3.7",
				Sentence:  "An ID token with a wrong nonce, audience or issuer, or an expired one, gives no tokens.",
				Covers:    []string{"AS-043"},
			},
			Needs: needs,
			Run:   thirdPartyIDToken,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/third-party/signature",
				Level:     check.Policy,
				Severity:  check.Critical,
				Reference: "OpenID Connect Core section 3.1.3.7; RFC 8725 section 3.1",
				Sentence:  "An ID token without a signature, or with one of another key, gives no tokens.",
				Covers:    []string{"AS-043"},
			},
			Needs: needs,
			Run:   thirdPartySignature,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/third-party/issuer",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "RFC 9207 section 2.4; RFC 9700 section 4.4",
				Sentence:  "A third party's answer with a foreign iss, or without an announced one, gives no tokens.",
			},
			Needs: needs,
			Run:   thirdPartyIssuer,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/third-party/token-response",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "OAuth 2.1 draft-13 sections 3.2.3 and 3.2.4",
				Sentence:  "A token endpoint of the third party that fails gives no tokens.",
				Covers:    []string{"AS-045"},
			},
			Needs: needs,
			Run:   thirdPartyTokenResponse,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/third-party/failure",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "MCP 2025-03-26 authorization, Third-Party Authorization Flow; OAuth 2.1 section 4.1.2.1",
				Sentence:  "A failure at the third party ends with an OAuth error for the client.",
				Covers:    []string{"AS-045", "server-thirdparty-error-handling"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   thirdPartyFailure,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/third-party/own-tokens",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: []check.Revision{check.R20250326},
				Reference: "MCP 2025-03-26 authorization, Session Binding Requirements",
				Sentence:  "The client gets tokens of the server, and no token of the third party.",
				Covers:    []string{"server-thirdparty-own-token"},
			},
			Needs: needs,
			Run:   thirdPartyOwnTokens,
		},
	}
}

// newRigged is newThirdParty for a server whose people sign in at the target's Upstream.
func newRigged(ctx context.Context, p *bench.Probe) (*thirdParty, error) {
	t, err := newThirdParty(ctx, p)
	if err != nil {
		return nil, err
	}
	if _, isOurs := p.Target().Upstream.SignIn(answerOf(t.callback).Get("code")); !isOurs {
		return nil, &check.NotApplicable{Reason: "people sign in elsewhere than at " + p.Target().Upstream.URL}
	}
	if t.request.URL.Query().Get("client_id") == t.client.ID {
		return nil, &check.NotApplicable{Reason: "the client itself is sent to the third party"}
	}
	return t, nil
}

// gives reports whether an authorization ends with tokens. A server may redeem the third party's
// code only when the client redeems its own.
func (t *thirdParty) gives(ctx context.Context, made *bench.Authorization) (bool, error) {
	if made.Code() == "" {
		return false, nil
	}
	_, tokens, err := t.probe.Redeem(ctx, made)
	return tokens != nil, err
}

// answerOf returns the parameters of an answer of the third party.
func answerOf(request *http.Request) url.Values { return request.URL.Query() }

// changed sends a person through a sign-in, in which the third party answers with a change.
func (t *thirdParty) changed(ctx context.Context, change rig.Change) (*bench.Authorization, error) {
	return t.withCallback(ctx, func(query url.Values) {
		t.probe.Target().Upstream.Change(query.Get("code"), change)
	})
}

// rigged is changed, and reports whether the sign-in gives tokens.
func (t *thirdParty) rigged(ctx context.Context, change rig.Change) (bool, error) {
	made, err := t.changed(ctx, change)
	if err != nil {
		return false, err
	}
	return t.gives(ctx, made)
}

// idTokenReader is newRigged for a server that reads the ID token of the third party.
func idTokenReader(ctx context.Context, p *bench.Probe) (*thirdParty, error) {
	t, err := newRigged(ctx, p)
	if err != nil {
		return nil, err
	}
	if used, _ := p.Target().Upstream.SignIn(answerOf(t.callback).Get("code")); !used.AsksForIDToken() {
		return nil, &check.NotApplicable{Reason: "the server asks the third party for no ID token"}
	}
	gives, err := t.rigged(ctx, member("id_token", "mcp-auth-conformance"))
	if err == nil && gives {
		err = &check.NotApplicable{Reason: "the server does not read the ID token"}
	}
	return t, err
}

// member returns a change of one member of the token response. A nil value removes it.
func member(name string, value any) rig.Change {
	return rig.Change{Members: func(members map[string]any) { edit(members, name, value) }}
}

// claim returns a change of one claim of the ID token. A nil value removes it.
func claim(name string, value any) rig.Change {
	return rig.Change{Claims: func(claims map[string]any) { edit(claims, name, value) }}
}

func edit(members map[string]any, name string, value any) {
	if value == nil {
		delete(members, name)
		return
	}
	members[name] = value
}

// thirdPartyIDToken tries authorization-server/third-party/id-token.
func thirdPartyIDToken(ctx context.Context, p *bench.Probe) error {
	t, err := idTokenReader(ctx, p)
	if err != nil {
		return err
	}
	foreign := p.Target().Upstream.URL + "/other"
	changes := []tokenChange{
		{"another audience", claim("aud", "mcp-auth-conformance")},
		{"a list of other audiences", claim("aud", []string{"mcp-auth-conformance", "other"})},
		{"another issuer", claim("iss", foreign)},
		{"the issuer of another host", claim("iss", "https://mcp-auth-conformance.example")},
		{"an exp of yesterday", claim("exp", time.Now().Add(-24*time.Hour).Unix())},
	}
	if t.request.URL.Query().Has("nonce") {
		changes = append(
			changes,
			tokenChange{"another nonce", claim("nonce", strings.Repeat("n", 32))},
			tokenChange{"no nonce", claim("nonce", nil)},
		)
	}
	return t.wantRefused(ctx, changes)
}

// thirdPartySignature tries authorization-server/third-party/signature. A client may trust the
// token endpoint's TLS in place of a signature.
func thirdPartySignature(ctx context.Context, p *bench.Probe) error {
	t, err := idTokenReader(ctx, p)
	if err != nil {
		return err
	}
	return t.wantRefused(ctx, []tokenChange{
		{"no signature", rig.Change{Unsigned: true}},
		{"a signature of another key", rig.Change{ForeignKey: true}},
	})
}

// A tokenChange is a change of the ID token.
type tokenChange struct {
	name   string
	change rig.Change
}

// wantRefused wants no tokens after each change of the ID token.
func (t *thirdParty) wantRefused(ctx context.Context, changes []tokenChange) error {
	var found []*check.Mismatch
	for _, vector := range changes {
		gives, err := t.rigged(ctx, vector.change)
		if err != nil {
			return err
		}
		if gives {
			found = append(found, t.probe.Insecure("no tokens after an ID token with "+vector.name, "tokens"))
		}
	}
	return bench.All(found...)
}

// thirdPartyIssuer tries authorization-server/third-party/issuer.
func thirdPartyIssuer(ctx context.Context, p *bench.Probe) error {
	t, err := newRigged(ctx, p)
	if err != nil {
		return err
	}
	var found []*check.Mismatch
	for _, vector := range []struct {
		name   string
		change bench.Change
	}{
		{"the iss of another host", bench.Set("iss", "https://mcp-auth-conformance.example")},
		{"an empty iss", bench.Set("iss", "")},
		{"no iss", bench.Without("iss")},
	} {
		made, err := t.withCallback(ctx, vector.change)
		if err != nil {
			return err
		}
		gives, err := t.gives(ctx, made)
		if err != nil {
			return err
		}
		if gives {
			found = append(found, p.Insecure("no tokens after an answer with "+vector.name, "tokens"))
		}
	}
	return bench.All(found...)
}

// A tokenFailure is a way in which the third party's token endpoint fails.
type tokenFailure struct {
	name   string
	change rig.Change
	level  check.Level // empty means the rule's
}

// tokenFailures are the ways in which a token endpoint fails at once.
func tokenFailures() []tokenFailure {
	return []tokenFailure{
		{name: "invalid_grant", change: failing(http.StatusBadRequest, `{"error":"invalid_grant"}`)},
		{name: "invalid_client", change: failing(http.StatusUnauthorized, `{"error":"invalid_client"}`)},
		{name: "status 429", change: failing(http.StatusTooManyRequests, `{"error":"temporarily_unavailable"}`)},
		{name: "status 500", change: failing(http.StatusInternalServerError, "internal error")},
		{name: "status 503 and a page", change: failing(http.StatusServiceUnavailable, "<p>Come back later.</p>")},
		{name: "an empty answer", change: failing(http.StatusOK, "")},
		{name: "an answer that is not JSON", change: failing(http.StatusOK, "access_token=abc")},
		{name: "an answer that is cut off", change: failing(http.StatusOK, `{"access_token":"abc`)},
		{name: "an error with status 200", change: failing(http.StatusOK, `{"error":"invalid_grant"}`)},
		{name: "no answer", change: rig.Change{Token: http.HandlerFunc(drop)}},
		{name: "the token type mac", change: member("token_type", "mac"), level: check.Policy},
		{name: "no access token", change: member("access_token", nil), level: check.Policy},
	}
}

// failing returns a change that answers a token request with a status and a text.
func failing(status int, text string) rig.Change {
	return rig.Change{Token: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "1")
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	})}
}

// drop closes the connection without an answer.
func drop(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// thirdPartyTokenResponse tries authorization-server/third-party/token-response.
func thirdPartyTokenResponse(ctx context.Context, p *bench.Probe) error {
	t, err := newRigged(ctx, p)
	if err != nil {
		return err
	}
	var found []*check.Mismatch
	for _, vector := range tokenFailures() {
		gives, err := t.rigged(ctx, vector.change)
		if err != nil {
			return err
		}
		if gives {
			mismatch := p.Insecure("no tokens after "+vector.name+" of the third party", "tokens")
			mismatch.Level = vector.level
			found = append(found, mismatch)
		}
	}
	return bench.All(found...)
}

// thirdPartyFailure tries authorization-server/third-party/failure. A page of the server in place
// of the redirect is a warning.
func thirdPartyFailure(ctx context.Context, p *bench.Probe) error {
	t, err := newThirdParty(ctx, p)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(t.client.RedirectURI, "http://") {
		return &check.NotApplicable{Reason: "the client has no loopback redirect URI"}
	}
	var found []*check.Mismatch
	for _, code := range []string{"access_denied", "server_error", "temporarily_unavailable"} {
		made, err := t.withCallback(ctx, func(query url.Values) {
			query.Del("code")
			query.Set("error", code)
		})
		if err != nil {
			return err
		}
		found = append(found, judgeFailure(p, made, "error="+code))
	}
	if p.Target().Upstream == nil {
		return bench.All(found...)
	}
	if _, err := newRigged(ctx, p); err != nil {
		return bench.All(found...)
	}
	for _, vector := range tokenFailures()[:4] {
		made, err := t.changed(ctx, vector.change)
		if err != nil {
			return err
		}
		if made.Code() == "" { // authorization-server/third-party/token-response judges a code
			found = append(found, judgeFailure(p, made, vector.name))
		}
	}
	return bench.All(found...)
}

// judgeFailure wants an error at the client after a failure of the third party.
func judgeFailure(p *bench.Probe, made *bench.Authorization, failure string) *check.Mismatch {
	want := "an error with the client's state after " + failure + " of the third party"
	switch {
	case made.Code() != "":
		return p.Insecure(want, made.String())
	case made.Landed == nil:
		return p.MismatchAt(check.Should, want, made.String())
	case made.Response.Get("error") == "":
		return p.Mismatch(want, made.String())
	case made.Response.Get("state") != made.Query.Get("state"):
		return p.Mismatch(want, fmt.Sprintf("the state %q", made.Response.Get("state")))
	}
	return nil
}

// thirdPartyOwnTokens tries authorization-server/third-party/own-tokens.
func thirdPartyOwnTokens(ctx context.Context, p *bench.Probe) error {
	t, err := newRigged(ctx, p)
	if err != nil {
		return err
	}
	made, err := t.changed(ctx, rig.Change{})
	if err != nil {
		return err
	}
	answer, tokens, err := p.Redeem(ctx, made)
	switch {
	case err != nil:
		return err
	case tokens == nil:
		return &check.CannotJudge{Reason: "the control failed: a code is answered with " + answer.String()}
	}
	var given []string
	for _, exchange := range made.Browser.Exchanges() {
		if t.isCallback(exchange.Request) {
			used, _ := p.Target().Upstream.SignIn(answerOf(exchange.Request).Get("code"))
			given = used.Tokens
		}
	}
	for _, secret := range given {
		for place, text := range map[string]string{
			"the token response":         string(answer.Body),
			"the authorization response": made.Landed.String(),
		} {
			if strings.Contains(text, secret) {
				return p.Insecure("no token of the third party in "+place, "the third party's token")
			}
		}
	}
	return nil
}
