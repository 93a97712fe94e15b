package checks

import (
	"context"
	"net/http"
	"net/url"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// consentFormChecks returns the checks of authorization-server/consent: whether the form of an
// approval belongs to its browser and its request.
func consentFormChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/consent/forged",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 6749 section 10.12; MCP security best practices, Consent UI: CSRF protection",
				Sentence:  "An approval that another site forges does not count.",
				Covers:    []string{"AS-005", "server-proxy-consent-csrf"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   consentForged,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/consent/origin",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "MCP security best practices, Consent UI; OWASP CSRF Prevention, Verifying Origin",
				Sentence:  "An approval from the page of another site does not count, even with the right token.",
				Covers:    []string{"AS-005", "server-proxy-consent-csrf"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   consentOrigin,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/consent/parallel",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "OAuth 2.1 draft-13 section 4.1.2: the response belongs to the request",
				Sentence:  "Of two authorizations in one browser, each ends at its own client with its own state.",
				Covers:    []string{"AS-006"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   consentParallel,
		},
	}
}

// A consentFlow is a client whose consent form the check knows.
type consentFlow struct {
	probe   *bench.Probe
	client  *bench.Client
	consent *bench.Exchange
}

// newConsentFlow sends a person through a good authorization, and finds the consent form.
func newConsentFlow(ctx context.Context, p *bench.Probe) (*consentFlow, error) {
	made, err := p.PublicApproved(ctx)
	if err != nil {
		return nil, err
	}
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	consent := made.Browser.Consent(metadata.AuthorizationEndpoint)
	if consent == nil {
		return nil, &check.NotApplicable{Reason: "no form of its own approves the client"}
	}
	return &consentFlow{probe: p, client: made.Client, consent: consent}, nil
}

// captured sends a person in a new browser up to the consent form, and returns the form with its
// address.
func (f *consentFlow) captured(ctx context.Context) (*bench.Exchange, error) {
	var captured *bench.Exchange
	browser := f.probe.NewBrowser()
	browser.Tamper = func(request *http.Request, form url.Values) *http.Response {
		if !f.consent.IsSameForm(request, form) {
			return nil
		}
		captured = &bench.Exchange{Request: request, Form: form}
		return bench.Stop(request)
	}
	made, err := f.probe.AuthorizeAs(ctx, bench.Visitor{Browser: browser}, f.client)
	if err == nil && captured == nil {
		err = made.CannotJudge("the second authorization shows no consent form")
	}
	return captured, err
}

// tampered sends a person through an authorization where the consent form is changed. If the server
// shows the form again, the visit ends, because the person decides anew.
func (f *consentFlow) tampered(
	ctx context.Context, change func(browser *bench.Browser, request *http.Request, form url.Values),
) (*bench.Authorization, error) {
	browser := f.probe.NewBrowser()
	changed := false
	browser.Tamper = func(request *http.Request, form url.Values) *http.Response {
		isConsent := f.consent.IsSameForm(request, form)
		switch {
		case isConsent && changed:
			return bench.Stop(request)
		case isConsent:
			changed = true
			change(browser, request, form)
		}
		return nil
	}
	made, err := f.probe.AuthorizeAs(ctx, bench.Visitor{Browser: browser}, f.client)
	if err == nil && !changed {
		err = made.CannotJudge("the second authorization shows no consent form")
	}
	return made, err
}

// consentForged tries authorization-server/consent/forged. The forging site knows the form and the
// address of an authorization of its own.
func consentForged(ctx context.Context, p *bench.Probe) error {
	flow, err := newConsentFlow(ctx, p)
	if err != nil {
		return err
	}
	stolen, err := flow.captured(ctx)
	if err != nil {
		return err
	}
	foreignForm := func(browser *bench.Browser, request *http.Request, _ url.Values) {
		bench.SetPath(request, stolen.Request.URL)
		bench.SetForm(request, stolen.Form)
		comeFromElsewhere(browser, request)
	}
	bareForm := func(browser *bench.Browser, request *http.Request, form url.Values) {
		bench.SetPath(request, stolen.Request.URL)
		bench.SetForm(request, withoutSecrets(form))
		comeFromElsewhere(browser, request)
	}
	link := func(browser *bench.Browser, request *http.Request, _ url.Values) {
		bench.SetPath(request, stolen.Request.URL)
		bench.SetLink(request, stolen.Form)
		comeFromElsewhere(browser, request)
	}
	var found []*check.Mismatch
	for name, change := range map[string]func(*bench.Browser, *http.Request, url.Values){
		"the form of another browser":             foreignForm,
		"a form without hidden values":            bareForm,
		"a link with the form of another browser": link,
	} {
		made, err := flow.tampered(ctx, change)
		if err != nil {
			return err
		}
		if made.Code() != "" {
			found = append(found, p.Insecure("no code for "+name, made.String()))
		}
	}
	return bench.All(found...)
}

// comeFromElsewhere makes a request of a page of another site.
func comeFromElsewhere(browser *bench.Browser, request *http.Request) {
	if request.Method == http.MethodPost {
		request.Header.Set("Origin", "https://evil.example")
	}
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	bench.CrossSiteCookies(request, browser.Exchanges())
}

// withoutSecrets returns a form without the values that can be tokens against forgery.
func withoutSecrets(form url.Values) url.Values {
	kept := url.Values{}
	for name, values := range form {
		if len(values[0]) < bench.MinToken {
			kept[name] = values
		}
	}
	return kept
}

// consentOrigin tries authorization-server/consent/origin.
func consentOrigin(ctx context.Context, p *bench.Probe) error {
	flow, err := newConsentFlow(ctx, p)
	if err != nil {
		return err
	}
	made, err := flow.tampered(ctx, func(_ *bench.Browser, request *http.Request, _ url.Values) {
		request.Header.Set("Origin", "https://evil.example")
		request.Header.Set("Sec-Fetch-Site", "cross-site")
	})
	if err == nil && made.Code() != "" {
		return p.Insecure("no code for a form with a foreign Origin", made.String())
	}
	return err
}

// consentParallel tries authorization-server/consent/parallel. The second authorization runs while
// the consent form of the first is open.
func consentParallel(ctx context.Context, p *bench.Probe) error {
	flow, err := newConsentFlow(ctx, p)
	if err != nil {
		return err
	}
	other, err := p.Second(ctx)
	if err != nil {
		return err
	}
	if _, err := p.Approved(ctx, other); err != nil {
		return err
	}
	browser := p.NewBrowser()
	var second *bench.Authorization
	var errSecond error
	browser.Tamper = func(request *http.Request, form url.Values) *http.Response {
		if !flow.consent.IsSameForm(request, form) {
			return nil
		}
		browser.Tamper = nil
		second, errSecond = p.AuthorizeAs(ctx, bench.Visitor{Browser: browser}, other)
		bench.RenewCookies(request, browser.Exchanges())
		return nil
	}
	first, err := p.AuthorizeAs(ctx, bench.Visitor{Browser: browser}, flow.client)
	switch {
	case err != nil:
		return err
	case errSecond != nil:
		return errSecond
	case second == nil:
		return first.CannotJudge("the second authorization shows no consent form")
	}
	for _, pair := range [][2]*bench.Authorization{{first, second}, {second, first}} {
		made := pair[0]
		switch {
		case made.Code() == "":
			return p.MismatchAt(check.Policy, "a code for each of two authorizations in one browser", made.String())
		case made.Response.Get("state") == pair[1].Query.Get("state"):
			return p.Insecure("a response with the state of its own request", "a response with the other state")
		}
	}
	return nil
}
