package checks

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// pageChecks returns the checks of authorization-server/page: the pages that a person sees.
func pageChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/page/frames",
				Level:     check.Should,
				Severity:  check.High,
				Reference: "OAuth 2.1 draft-13 section 7.10; RFC 9700 section 4.16",
				Sentence:  "No other site can show the sign-in and consent pages in a frame.",
				Covers:    []string{"as-clickjacking", "AS-009", "server-proxy-consent-no-framing"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   pageFrames,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/page/scripts",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "OAuth 2.1 draft-13 section 7.11; Content Security Policy Level 3",
				Sentence:  "The consent page forbids inline scripts.",
				Covers:    []string{"AS-010"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   pageScripts,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/page/markup",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "OAuth 2.1 draft-13 section 7.11",
				Sentence:  "Metadata and parameters of a client are escaped in pages.",
				Covers:    []string{"AS-011"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   pageMarkup,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/page/client-name",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "RFC 7591 section 5; Unicode TR 36 section 3",
				Sentence:  "Pages show no control characters of a client's name.",
				Covers:    []string{"AS-012"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   pageClientName,
		},
		{
			Rule: check.Rule{
				ID:       "authorization-server/page/redirect-host",
				Level:    check.Policy,
				Severity: check.Medium,
				Reference: "MCP security best practices, Consent UI; MCP 2025-11-25 authorization, Localhost " +
					"Redirect URI Risks",
				Sentence: "A page before the code shows the host of a self-registered redirect URI.",
				Covers:   []string{"AS-012", "server-proxy-consent-names-client"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   pageRedirectHost,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/page/no-307",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "OAuth 2.1 draft-13 sections 1.6 and 7.5.4; RFC 9700 section 4.12",
				Sentence:  "A form is not answered with 307, which would send a password on.",
				Covers:    []string{"as-no-307", "AS-014"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   pageNo307,
		},
	}
}

// ownPages returns the pages with a form that the authorization server itself showed in a good
// authorization.
func ownPages(ctx context.Context, p *bench.Probe) ([]bench.Exchange, error) {
	made, err := p.PublicApproved(ctx)
	if err != nil {
		return nil, err
	}
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	endpoint, err := url.Parse(metadata.AuthorizationEndpoint)
	if err != nil {
		return nil, &check.CannotJudge{Reason: "the authorization endpoint is not a URL", Err: err}
	}
	pages := slices.DeleteFunc(made.Browser.Exchanges(), func(exchange bench.Exchange) bool {
		return !exchange.HasForm() || exchange.Request.URL.Host != endpoint.Host
	})
	if len(pages) == 0 {
		return nil, &check.NotApplicable{Reason: "the server itself shows no page with a form"}
	}
	return pages, nil
}

// policyOf returns the sources of a directive in a page's Content-Security-Policy, and whether it
// has one.
func policyOf(header http.Header, name string) ([]string, bool) {
	for _, line := range header.Values("Content-Security-Policy") {
		for directive := range strings.SplitSeq(line, ";") {
			words := strings.Fields(strings.ToLower(directive))
			if len(words) > 0 && words[0] == name {
				return words[1:], true
			}
		}
	}
	return nil, false
}

// pageFrames tries authorization-server/page/frames. Without a browser, a script against frames
// cannot be seen, so a missing header is a warning.
func pageFrames(ctx context.Context, p *bench.Probe) error {
	pages, err := ownPages(ctx, p)
	if err != nil {
		return err
	}
	for _, page := range pages {
		option := strings.ToUpper(page.Header.Get("X-Frame-Options"))
		ancestors, found := policyOf(page.Header, "frame-ancestors")
		isOpen := slices.Contains(ancestors, "*") || slices.Contains(ancestors, "https:")
		if option == "DENY" || option == "SAMEORIGIN" || found && !isOpen {
			continue
		}
		return p.Mismatch("X-Frame-Options or frame-ancestors at "+pathOf(page), "neither")
	}
	return nil
}

// pageScripts tries authorization-server/page/scripts.
func pageScripts(ctx context.Context, p *bench.Probe) error {
	pages, err := ownPages(ctx, p)
	if err != nil {
		return err
	}
	page := pages[len(pages)-1]
	sources, found := policyOf(page.Header, "script-src")
	if !found {
		sources, found = policyOf(page.Header, "default-src")
	}
	isUnsafe := slices.Contains(sources, "'unsafe-inline'") && !slices.ContainsFunc(sources, isNonce)
	if !found || isUnsafe {
		return p.Mismatch("a Content-Security-Policy without inline scripts at "+pathOf(page),
			fmt.Sprintf("%q", page.Header.Get("Content-Security-Policy")))
	}
	return nil
}

// isNonce reports whether a source makes browsers ignore 'unsafe-inline'.
func isNonce(source string) bool {
	return strings.HasPrefix(source, "'nonce-") || strings.HasPrefix(source, "'sha")
}

// The element that the checks try to inject into pages.
const (
	injectedElement = "mcp-auth-conformance"
	injection       = `x"'><mcp-auth-conformance>`
)

// pageMarkup tries authorization-server/page/markup.
func pageMarkup(ctx context.Context, p *bench.Probe) error {
	client, err := publicClient(ctx, p)
	if err != nil {
		return err
	}
	var found []*check.Mismatch
	_, registered, err := p.Register(ctx, bench.Registration(bench.Members{
		"client_name":    injection,
		"client_name#de": injection,
		"client_uri":     "https://mcp-auth-conformance.example/" + injection,
		"logo_uri":       "https://mcp-auth-conformance.example/" + injection,
		"scope":          injection,
	}))
	if !isNotApplicable(err) && err != nil {
		return err
	}
	if registered != nil {
		made, err := p.Authorize(ctx, registered.Client())
		if err != nil {
			return err
		}
		found = append(found, judgeMarkup(p, made, "metadata"))
	}
	for _, name := range []string{
		"state", "scope", "client_id", "redirect_uri", "response_type", "resource", "login_hint", "error", "prompt",
	} {
		made, err := p.Authorize(ctx, client, bench.Set(name, injection))
		if err != nil {
			return err
		}
		found = append(found, judgeMarkup(p, made, name))
	}
	return bench.All(found...)
}

func judgeMarkup(p *bench.Probe, made *bench.Authorization, name string) *check.Mismatch {
	for _, exchange := range made.Browser.Exchanges() {
		if exchange.IsPage() && exchange.HasElement(injectedElement) {
			return p.Insecure("escaped "+name+" at "+pathOf(exchange), "an element of the client")
		}
	}
	return nil
}

// isNotApplicable reports whether an error says that a rule does not apply.
func isNotApplicable(err error) bool {
	_, ok := err.(*check.NotApplicable)
	return ok
}

// hiddenCharacters are invisible, or change the direction of text.
const hiddenCharacters = "\u202e\u200b\u2066\u0007"

// pageClientName tries authorization-server/page/client-name.
func pageClientName(ctx context.Context, p *bench.Probe) error {
	if _, err := p.MustRegister(ctx, nil); err != nil {
		return err
	}
	_, registered, err := p.Register(ctx, bench.Registration(bench.Members{
		"client_name": "Conformance" + hiddenCharacters + "Name",
	}))
	if err != nil || registered == nil {
		return err
	}
	made, err := p.Authorize(ctx, registered.Client())
	if err != nil {
		return err
	}
	for _, exchange := range made.Browser.Exchanges() {
		text := exchange.Text()
		i := strings.Index(text, "Conformance"+hiddenCharacters[:3])
		if exchange.IsPage() && i >= 0 {
			got := fmt.Sprintf("%+q", text[i:min(len(text), i+20)])
			return p.Mismatch("a name without control characters at "+pathOf(exchange), got)
		}
	}
	return nil
}

// pageRedirectHost tries authorization-server/page/redirect-host.
func pageRedirectHost(ctx context.Context, p *bench.Probe) error {
	members := bench.Members{"redirect_uris": []string{bench.SiteRedirect}, "application_type": "web"}
	registered, err := p.MustRegister(ctx, members)
	if err != nil {
		return err
	}
	made, err := p.Approved(ctx, registered.Client())
	if err != nil {
		return err
	}
	pages := 0
	for _, exchange := range made.Browser.Exchanges() {
		if exchange.HasForm() {
			pages++
		}
		if strings.Contains(strings.ToLower(exchange.Text()), "mcp-auth-conformance.example") {
			return nil
		}
	}
	if pages == 0 {
		return &check.NotApplicable{Reason: "no page is shown before the code"}
	}
	got := fmt.Sprintf("%d pages without it", pages)
	return p.Mismatch("mcp-auth-conformance.example on a page before the code", got)
}

// pageNo307 tries authorization-server/page/no-307. A scripted person stops at a 307.
func pageNo307(ctx context.Context, p *bench.Probe) error {
	client, err := p.Public(ctx)
	if err != nil {
		return err
	}
	made, err := p.Authorize(ctx, client)
	if err != nil {
		return err
	}
	var passwords []string
	for _, exchange := range made.Browser.Exchanges() {
		passwords = append(passwords, exchange.Passwords()...)
		if exchange.Status != http.StatusTemporaryRedirect && exchange.Status != http.StatusPermanentRedirect {
			continue
		}
		if exchange.Form == nil {
			continue
		}
		hasPassword := slices.ContainsFunc(passwords, exchange.Form.Has)
		want := "status 303 or 302 after a form at " + pathOf(exchange)
		if hasPassword && exchange.Status == http.StatusTemporaryRedirect {
			return p.Insecure(want, exchange.String())
		}
		return p.MismatchAt(check.Should, want, exchange.String())
	}
	if made.Code() == "" {
		return made.CannotJudge("the control failed: a good authorization request ends with " + made.String())
	}
	return nil
}
