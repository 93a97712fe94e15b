package checks

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// passthroughChecks are checks of server/passthrough: what becomes of the caller's token behind the
// server (MCP authorization, Access Token Privilege Restriction).
func passthroughChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:       "server/passthrough/inbound-token",
				Level:    check.Must,
				Severity: check.Critical,
				Reference: "MCP authorization, Access Token Privilege Restriction; MCP security best " +
					"practices, Token " +
					"Passthrough",
				Sentence: "The caller's token goes no further than the server: no header, address or body that is " +
					"sent on has it.",
				Covers: []string{"RS-103", "server-no-token-passthrough"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.CanaryTool, bench.ForwardedView},
			Run:    inboundToken,
		},
		{
			Rule: check.Rule{
				ID:        "server/passthrough/own-token",
				Level:     check.Should,
				Severity:  check.High,
				Reference: "MCP authorization, Access Token Privilege Restriction",
				Sentence: "A token that the server sends on is meant for what stands behind it: the server itself " +
					"does not take it.",
				Covers: []string{"RS-103", "server-upstream-own-token"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.CanaryTool, bench.ForwardedView},
			Run:    ownToken,
		},
	}
}

// sentOn calls the canary and returns the trial and what the server sent on because of it.
func sentOn(ctx context.Context, p *bench.Probe) (*bench.Trial, []bench.Forwarded, error) {
	trial, err := p.Trial(ctx)
	if err != nil {
		return nil, nil, err
	}
	request := trial.Request()
	request.Header.Set("Authorization", "Bearer "+trial.Token)
	answer, err := p.Send(ctx, request)
	switch {
	case err != nil:
		return nil, nil, err
	case !answer.Succeeded():
		return nil, nil, &check.CannotJudge{
			Reason: fmt.Sprintf("the control failed: with a good token the server answers %d", answer.Status),
		}
	}
	all := p.Forwarded()
	marked := func(one bench.Forwarded) bool { return strings.Contains(written(one), request.Marker()) }
	if !slices.ContainsFunc(all, marked) {
		return nil, nil, &check.CannotJudge{
			Reason: "the control failed: nothing that was sent on has the marker of the call",
		}
	}
	return trial, all, nil
}

// written is a request as text.
func written(one bench.Forwarded) string {
	var text bytes.Buffer
	fmt.Fprintf(&text, "%s\n", one.URL)
	_ = one.Header.Write(&text)
	text.Write(one.Body)
	return text.String()
}

// inboundToken looks for the token as it came, as URLs and Basic credentials write it, and without
// its signature, which whoever trusts the server takes as well.
func inboundToken(ctx context.Context, p *bench.Probe) error {
	trial, all, err := sentOn(ctx, p)
	if err != nil {
		return err
	}
	forms := map[string]string{
		"the token":           trial.Token,
		"the token, escaped":  url.QueryEscape(trial.Token),
		"the token in Base64": base64.StdEncoding.EncodeToString([]byte(trial.Token)),
	}
	if parts := strings.Split(trial.Token, "."); len(parts) == 3 {
		forms["the token without its signature"] = parts[0] + "." + parts[1]
		forms["the token's signature"] = parts[2]
	}
	for _, one := range all {
		for name, form := range forms {
			if strings.Contains(written(one), form) {
				return p.Insecure("nothing of the caller's token in what is sent on", name+" "+place(one, form))
			}
		}
	}
	return nil
}

// place says where in a request a text stands.
func place(one bench.Forwarded, text string) string {
	if strings.Contains(one.URL, text) {
		return "in the address"
	}
	for name, values := range one.Header {
		if strings.Contains(strings.Join(values, "\n"), text) {
			return "in the header " + name
		}
	}
	return "in the body"
}

// ownToken brings the credentials that were sent on back to the server.
func ownToken(ctx context.Context, p *bench.Probe) error {
	trial, all, err := sentOn(ctx, p)
	if err != nil {
		return err
	}
	tried := map[string]bool{trial.Token: true}
	seen := false // the caller's own is the other check's
	for _, one := range all {
		for _, credentials := range one.Header.Values("Authorization") {
			scheme, token, _ := strings.Cut(credentials, " ")
			if !strings.EqualFold(scheme, "Bearer") {
				continue
			}
			seen = true
			if tried[token] || len(tried) > maxSentOn {
				continue
			}
			tried[token] = true
			request := trial.Request()
			request.Header.Set("Authorization", "Bearer "+token)
			if _, err := trial.Denied(
				ctx,
				"the token that the server sends on",
				request,
				http.StatusUnauthorized,
				http.StatusForbidden,
			); err != nil {
				return err
			}
		}
	}
	if !seen {
		return &check.NotApplicable{Reason: "nothing that is sent on has a token"}
	}
	return nil
}

// maxSentOn is how many different tokens are brought back.
const maxSentOn = 20
