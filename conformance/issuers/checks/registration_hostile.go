package checks

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// registrationHostileChecks returns the checks of authorization-server/registration: clients that
// try to harm the server or a person.
func registrationHostileChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/chosen-id",
				Level:     check.Should,
				Severity:  check.Medium,
				Reference: "RFC 7591 section 3.2.1: the authorization server assigns the client identifier",
				Sentence:  "A client does not choose its own client_id or client_secret.",
				Covers:    []string{"AS-072"},
			},
			Run: registrationChosenID,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/malformed",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 7591 section 3.2.2",
				Sentence:  "A malformed, deep or long registration does not break the server.",
				Covers:    []string{"AS-072"},
			},
			Run: registrationMalformed,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/links",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 7591 section 5; OAuth 2.1 draft-13 section 7.11",
				Sentence:  "No page links to a script that a client registered.",
				Covers:    []string{"AS-071"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   registrationLinks,
		},
	}
}

// registrationChosenID tries authorization-server/registration/chosen-id.
func registrationChosenID(ctx context.Context, p *bench.Probe) error {
	if _, err := p.MustRegister(ctx, nil); err != nil {
		return err
	}
	const chosen = "chosen-by-the-client-0123456789"
	members, err := p.WithSecret(ctx)
	if err != nil {
		members = bench.Members{}
	}
	members["client_id"] = chosen
	members["client_secret"] = chosen
	_, registered, err := p.Register(ctx, bench.Registration(members))
	switch {
	case err != nil:
		return err
	case registered == nil:
		return nil
	case registered.ID == chosen:
		return p.Mismatch("a client_id of the server", "the client_id that the client chose")
	case registered.Secret == chosen:
		return p.Mismatch("a client_secret of the server", "the client_secret that the client chose")
	}
	return nil
}

// deepLevels is the depth of a nested registration.
const deepLevels = 10_000

// registrationMalformed tries authorization-server/registration/malformed.
func registrationMalformed(ctx context.Context, p *bench.Probe) error {
	if _, err := p.MustRegister(ctx, nil); err != nil {
		return err
	}
	deep := `{"redirect_uris":` + strings.Repeat("[", deepLevels) + strings.Repeat("]", deepLevels) + "}"
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf("%s?number=%d", bench.SiteRedirect, i))
	}
	var found []*check.Mismatch
	for _, vector := range []registrationVector{
		{"an empty body", []byte{}},
		{"null", []byte("null")},
		{"an array", []byte("[]")},
		{"no JSON", []byte("redirect_uris=x")},
		{"deep JSON", []byte(deep)},
		{"a long name", bench.Registration(bench.Members{"client_name": strings.Repeat("x", 100_000)})},
		{"a name that is an object", bench.Registration(bench.Members{"client_name": bench.Members{"a": 1}})},
		{"no redirect URI", bench.Registration(bench.Members{"redirect_uris": []string{}})},
		{"an empty redirect URI", bench.Registration(bench.Members{"redirect_uris": []string{""}})},
		{"redirect URIs of wrong types", bench.Registration(bench.Members{"redirect_uris": []any{nil, 1, true}})},
		{"1,000 redirect URIs", bench.Registration(bench.Members{"redirect_uris": many})},
	} {
		answer, _, err := p.Register(ctx, vector.body)
		if err != nil {
			return err
		}
		if answer.Status >= http.StatusInternalServerError && answer.Status != http.StatusServiceUnavailable {
			found = append(found, p.Mismatch("a status 4xx: "+vector.name, answer.String()))
		}
	}
	answer, _, err := p.Register(ctx, bench.Registration(nil))
	if err != nil {
		return err
	}
	if answer.Status >= http.StatusInternalServerError && !answer.IsBusy() {
		found = append(found, p.Mismatch("a registration after malformed ones", answer.String()))
	}
	return bench.All(found...)
}

// registrationLinks looks for the addresses of a client in all pages before a code.
func registrationLinks(ctx context.Context, p *bench.Probe) error {
	if _, err := p.MustRegister(ctx, nil); err != nil {
		return err
	}
	const script = "javascript:mcpAuthConformance()"
	_, registered, err := p.Register(ctx, bench.Registration(bench.Members{
		"logo_uri":           script,
		"client_uri":         script,
		"tos_uri":            script,
		"policy_uri":         script,
		"client_uri#de":      script,
		"policy_uri#ja-Jpan": script,
	}))
	if err != nil || registered == nil {
		return err
	}
	made, err := p.Authorize(ctx, registered.Client())
	if err != nil {
		return err
	}
	for _, exchange := range made.Browser.Exchanges() {
		text := html.UnescapeString(string(exchange.Body))
		if strings.Contains(text, `href="`+script) || strings.Contains(text, `src="`+script) ||
			strings.Contains(text, `href='`+script) {
			return p.Insecure("a page without the script that a client registered", "a link to it at "+pathOf(exchange))
		}
	}
	return nil
}

// pathOf returns the address of an exchange without its query.
func pathOf(exchange bench.Exchange) string {
	address := *exchange.Request.URL
	address.RawQuery = ""
	return address.String()
}
