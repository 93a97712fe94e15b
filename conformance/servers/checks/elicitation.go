package checks

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// elicitationChecks are checks of server/elicitation.
func elicitationChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/elicitation/form",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: []check.Revision{check.R20260728},
				Reference: "MCP client features, Elicitation, Form Mode Security",
				Sentence: "A form asks for no password, key, token or number of a card, as far as the names of its " +
					"fields tell.",
				Covers: []string{"server-elicitation-form-no-secrets"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.RoundsTool},
			Run:    formWithoutSecrets,
		},
		{
			Rule: check.Rule{
				ID:        "server/elicitation/url",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: []check.Revision{check.R20260728},
				Reference: "MCP client features, Elicitation, Safe URL Handling",
				Sentence: "A page that people are sent to is under https, and its address holds no token and nothing " +
					"about the person.",
				Covers: []string{"server-elicitation-url-clean", "server-elicitation-url-https"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.RoundsTool},
			Run:    cleanAddresses,
		},
	}
}

// secretField matches what a field for a secret is called.
var secretField = regexp.MustCompile(
	`(?i)passw|passphrase|passcode|secret|api.?key|private.?key|token|credential|card.?(number|no)|credit.?card|\bcv[` +
		`cv]\b|\bpin\b|\botp\b`,
)

func formWithoutSecrets(ctx context.Context, p *bench.Probe) error {
	a, err := askBack(ctx, p)
	if err != nil {
		return err
	}
	forms := 0
	for _, input := range a.inputs {
		if input.Method != "elicitation/create" || input.Params.Mode == "url" {
			continue
		}
		forms++
		for name, field := range input.Params.Schema.Properties {
			for _, text := range []string{name, field.Title, field.Description} {
				if secretField.MatchString(text) {
					return p.MismatchAt(
						check.Should,
						"a form without secrets, or a person who says that this is none",
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

// personal matches what stands in an address about a person, or lets them in: a mail address, a
// token, a name for one.
var personal = regexp.MustCompile(
	`(?i)[^/=&?]+(@|%40)[a-z0-9-]+\.[a-z]|eyJ[A-Za-z0-9_-]{10,` +
		`}\.|[?&#](access_token|id_token|refresh_token|token|password|secret|api_?key|client_secret)=`,
)

func cleanAddresses(ctx context.Context, p *bench.Probe) error {
	a, err := askBack(ctx, p)
	if err != nil {
		return err
	}
	pages := 0
	for _, input := range a.inputs {
		if input.Method != "elicitation/create" || input.Params.Mode != "url" {
			continue
		}
		pages++
		page, err := url.Parse(input.Params.URL)
		switch {
		case err != nil || page.Host == "" || page.User != nil:
			return p.Mismatch("an absolute URL without a name and password", fmt.Sprintf("%q", input.Params.URL))
		case personal.MatchString(input.Params.URL), strings.Contains(input.Params.URL, a.session.Token):
			return p.Insecure("an address without tokens and without anything about the person", "one with such")
		case !secure(page):
			return p.MismatchAt(check.Should, "https, or loopback", page.Scheme)
		}
		if err := pageShowsNothing(ctx, p, a, input.Params.URL); err != nil {
			return err
		}
	}
	if pages == 0 {
		return &check.NotApplicable{Reason: "the tool sends nobody to a page"}
	}
	return nil
}

// pageShowsNothing opens a page as somebody whom it does not know, where it belongs to the server
// under test.
func pageShowsNothing(ctx context.Context, p *bench.Probe, a *asked, address string) error {
	endpoint, err := url.Parse(p.URL())
	if err != nil {
		return &check.CannotJudge{Reason: "the endpoint's URL", Err: err}
	}
	if page, err := url.Parse(address); err != nil || page.Host != endpoint.Host {
		return nil // of others nothing is asked
	}
	answer, err := p.Send(ctx, bench.Request{Method: http.MethodGet, URL: address, Header: http.Header{}})
	if err == nil && (strings.Contains(string(answer.Body), a.marker) ||
		strings.Contains(string(answer.Body), a.session.Token)) {
		return p.Insecure(
			"a page that shows nothing of the request to somebody whom it does not know",
			"what the request was about",
		)
	}
	return err
}
