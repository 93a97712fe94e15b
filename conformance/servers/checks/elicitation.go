package checks

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// elicitationChecks returns the checks of server/elicitation.
func elicitationChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/elicitation/form",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since(check.R20260728),
				Reference: "MCP client features, Elicitation, Form Mode Security",
				Sentence:  "No form has a field whose name asks for a password, key, token or card number.",
				Covers:    []string{"server-elicitation-form-no-secrets"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.RoundsTool},
			Run:    elicitationForm,
		},
		{
			Rule: check.Rule{
				ID:        "server/elicitation/url",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since(check.R20260728),
				Reference: "MCP client features, Elicitation, Safe URL Handling",
				Sentence: "A page that a person is sent to uses https, and its URL has no token and no " +
					"personal data.",
				Covers: []string{"server-elicitation-url-clean", "server-elicitation-url-https"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.RoundsTool},
			Run:    elicitationURL,
		},
	}
}

// elicitationForm looks at the names, titles and descriptions of the fields of all forms.
func elicitationForm(ctx context.Context, p *bench.Probe) error {
	round, err := attack.BeginRound(ctx, p)
	if err != nil {
		return err
	}
	forms := 0
	for _, input := range round.Inputs {
		if input.Method != "elicitation/create" || input.Params.Mode == "url" {
			continue
		}
		forms++
		for name, field := range input.Params.Schema.Properties {
			for _, text := range []string{name, field.Title, field.Description} {
				if secretField.MatchString(text) {
					return p.MismatchAt(
						check.Should,
						"a form without secrets, or a person who confirms that this is not a secret",
						fmt.Sprintf("a field called %q", text),
					)
				}
			}
		}
	}
	if forms == 0 {
		return &check.NotApplicable{Reason: "the tool shows no form"}
	}
	return nil
}

// secretField matches the names of fields for a secret.
var secretField = regexp.MustCompile(
	`(?i)passw|passphrase|passcode|secret|api.?key|private.?key|token|credential|card.?(number|no)|credit.?card|` +
		`\bcv[cv]\b|\bpin\b|\botp\b`,
)

// elicitationURL looks at the addresses of all pages, and opens the server's own.
func elicitationURL(ctx context.Context, p *bench.Probe) error {
	round, err := attack.BeginRound(ctx, p)
	if err != nil {
		return err
	}
	pages := 0
	for _, input := range round.Inputs {
		if input.Method != "elicitation/create" || input.Params.Mode != "url" {
			continue
		}
		pages++
		page, err := url.Parse(input.Params.URL)
		switch {
		case err != nil || page.Host == "" || page.User != nil:
			return p.Mismatch("an absolute URL without a name and password", fmt.Sprintf("%q", input.Params.URL))
		case personalData.MatchString(input.Params.URL), strings.Contains(input.Params.URL, round.Session.Token):
			return p.Insecure("an address without tokens and personal data", "an address with one of them")
		case !attack.IsSecure(page):
			return p.MismatchAt(check.Should, "https, or loopback", page.Scheme)
		}
		if err := wantNothingShown(ctx, p, round, page); err != nil {
			return err
		}
	}
	if pages == 0 {
		return &check.NotApplicable{Reason: "the tool sends its caller to no page"}
	}
	return nil
}

// wantNothingShown opens a page of the server under test as an unknown visitor.
func wantNothingShown(ctx context.Context, p *bench.Probe, round *attack.Round, page *url.URL) error {
	endpoint, err := url.Parse(p.URL())
	if err != nil {
		return &check.CannotJudge{Reason: "the endpoint's URL is malformed", Err: err}
	}
	if page.Host != endpoint.Host {
		return nil // the check opens no pages of other servers
	}
	answer, err := p.Send(ctx, bench.Request{Method: http.MethodGet, URL: page.String(), Header: http.Header{}})
	if err != nil {
		return err
	}
	body := string(answer.Body)
	if strings.Contains(body, round.Marker) || strings.Contains(body, round.Session.Token) {
		return p.Insecure("a page that shows an unknown visitor nothing of the call", "the call's argument or token")
	}
	return nil
}

// personalData matches addresses that identify a person or give access: mail addresses, tokens, and
// parameters for secrets.
var personalData = regexp.MustCompile(
	`(?i)[^/=&?]+(@|%40)[a-z0-9-]+\.[a-z]|eyJ[A-Za-z0-9_-]{10,}\.|` +
		`[?&#](access_token|id_token|refresh_token|token|password|secret|api_?key|client_secret)=`,
)
