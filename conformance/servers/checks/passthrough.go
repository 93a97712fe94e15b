package checks

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// passthroughChecks returns the checks of server/passthrough: whether the caller's token leaves the
// server (MCP authorization, Access Token Privilege Restriction).
func passthroughChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:       "server/passthrough/inbound-token",
				Level:    check.Must,
				Severity: check.Critical,
				Reference: "MCP authorization, Access Token Privilege Restriction; MCP security best " +
					"practices, Token Passthrough",
				Sentence: "The server does not forward the caller's token: no header, URL or body that it " +
					"sends upstream has it, and (policy) no other token has its ID (jti).",
				Covers: []string{"RS-103", "server-no-token-passthrough", "server-thirdparty-own-token"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.CanaryTool, bench.ForwardedView},
			Run:    passthroughInboundToken,
		},
		{
			Rule: check.Rule{
				ID:        "server/passthrough/own-token",
				Level:     check.Should,
				Severity:  check.High,
				Reference: "MCP authorization, Access Token Privilege Restriction",
				Sentence: "A token that the server sends upstream is meant for the upstream: the server " +
					"itself refuses it.",
				Covers: []string{"RS-103", "server-upstream-own-token", "server-thirdparty-own-token"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.CanaryTool, bench.ForwardedView},
			Run:    passthroughOwnToken,
		},
	}
}

// passthroughInboundToken looks for the token in several encodings, and without its signature. A
// service that trusts the server may accept the token without it.
func passthroughInboundToken(ctx context.Context, p *bench.Probe) error {
	trial, all, err := callAndForward(ctx, p)
	if err != nil {
		return err
	}
	type form struct{ name, text string }
	forms := []form{
		{"the token", trial.Token},
		{"the token, escaped", url.QueryEscape(trial.Token)},
		{"the token in Base64", base64.StdEncoding.EncodeToString([]byte(trial.Token))},
	}
	if parts := strings.Split(trial.Token, "."); len(parts) == 3 {
		forms = append(forms,
			form{"the token without its signature", parts[0] + "." + parts[1]},
			form{"the token's signature", parts[2]},
		)
	}
	for _, forwarded := range all {
		for _, form := range forms {
			if strings.Contains(asText(forwarded), form.text) {
				return p.Insecure(
					"nothing of the caller's token in requests to the upstream",
					form.name+" "+location(forwarded, form.text),
				)
			}
		}
	}
	return otherTokenWithID(p, trial.Token, all)
}

// isJWT finds JWTs in a text.
var isJWT = regexp.MustCompile(`eyJ[\w-]+\.eyJ[\w-]+\.[\w-]*`)

// otherTokenWithID looks for a token that has the ID of the caller's. The server has made it from
// the caller's token, and two tokens of an ID cannot be told apart (RFC 7519 section 4.1.7).
func otherTokenWithID(p *bench.Probe, own string, all []bench.Forwarded) error {
	jwt, err := attack.ParseJWT(own)
	if err != nil || attack.Text(jwt.Claims, "jti") == "" {
		return nil
	}
	for _, forwarded := range all {
		for _, token := range isJWT.FindAllString(asText(forwarded), -1) {
			other, err := attack.ParseJWT(token)
			if err != nil || attack.Text(other.Claims, "jti") != attack.Text(jwt.Claims, "jti") {
				continue
			}
			found := p.Insecure("no other token with the ID of the caller's", "one "+location(forwarded, token))
			return inputs.Graded(found, check.Policy, check.Low)
		}
	}
	return nil
}

// location returns the part of a request that has a text.
func location(forwarded bench.Forwarded, text string) string {
	if strings.Contains(forwarded.URL, text) {
		return "in the address"
	}
	for name, values := range forwarded.Header {
		if strings.Contains(strings.Join(values, "\n"), text) {
			return "in the header " + name
		}
	}
	return "in the body"
}

// passthroughOwnToken sends the tokens that went upstream to the server itself. The caller's own
// token is for the other check.
func passthroughOwnToken(ctx context.Context, p *bench.Probe) error {
	trial, all, err := callAndForward(ctx, p)
	if err != nil {
		return err
	}
	tried := map[string]bool{trial.Token: true}
	hasToken := false
	for _, forwarded := range all {
		for _, credentials := range forwarded.Header.Values("Authorization") {
			scheme, token, _ := strings.Cut(credentials, " ")
			if !strings.EqualFold(scheme, "Bearer") {
				continue
			}
			hasToken = true
			if tried[token] || len(tried) > maxForwarded {
				continue
			}
			tried[token] = true
			request := attack.WithToken(token, trial.Request())
			if _, err := trial.WantRefused(ctx, "the token that the server sends upstream", request,
				http.StatusUnauthorized, http.StatusForbidden); err != nil {
				return err
			}
		}
	}
	if !hasToken {
		return &check.NotApplicable{Reason: "no request that was sent upstream has a token"}
	}
	return nil
}

// maxForwarded is how many different tokens are tried.
const maxForwarded = 20

// callAndForward calls the canary. It returns the trial and the requests that the server has sent
// upstream.
func callAndForward(ctx context.Context, p *bench.Probe) (*bench.Trial, []bench.Forwarded, error) {
	trial, err := p.Trial(ctx)
	if err != nil {
		return nil, nil, err
	}
	request := attack.WithToken(trial.Token, trial.Request())
	answer, err := p.Send(ctx, request)
	if err != nil {
		return nil, nil, err
	}
	if !answer.Succeeded() {
		return nil, nil, &check.CannotJudge{
			Reason: fmt.Sprintf("the control failed: with a good token the server answers %d", answer.Status),
		}
	}
	all := p.Forwarded()
	hasMarker := func(forwarded bench.Forwarded) bool {
		return strings.Contains(asText(forwarded), request.Marker())
	}
	if !slices.ContainsFunc(all, hasMarker) {
		return nil, nil, &check.CannotJudge{
			Reason: "the control failed: no request that was sent upstream has the marker of the call",
		}
	}
	return trial, all, nil
}

// asText writes a request as text.
func asText(forwarded bench.Forwarded) string {
	var text bytes.Buffer
	fmt.Fprintf(&text, "%s\n", forwarded.URL)
	_ = forwarded.Header.Write(&text)
	text.Write(forwarded.Body)
	return text.String()
}
