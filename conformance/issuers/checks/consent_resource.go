package checks

import (
	"context"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// consentResourceChecks returns the checks of authorization-server/consent for servers that issue
// tokens for several resources.
func consentResourceChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/consent/other-resource",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "OAuth 2.1 draft-13 section 7.3; RFC 8707 section 3",
				Sentence:  "A consent to one resource does not count for another resource.",
				Covers:    []string{"AS-002"},
			},
			Needs: []bench.Need{bench.Scripted, bench.Resource, bench.Another},
			Run:   consentOtherResource,
		},
	}
}

// consentOtherResource tries authorization-server/consent/other-resource. Another client makes the
// control, because the person approves both resources for it.
func consentOtherResource(ctx context.Context, p *bench.Probe) error {
	control, err := p.Public(ctx)
	if err != nil {
		return err
	}
	if err := eachResourceWorks(ctx, p, control); err != nil {
		return err
	}
	registered, err := p.MustRegister(ctx, bench.Members{
		"redirect_uris":    []string{bench.SiteRedirect},
		"application_type": "web",
	})
	if err != nil {
		return err
	}
	client := registered.Client()
	browser, err := signedIn(ctx, p, client)
	if err != nil {
		return err
	}
	other := bench.Set("resource", p.Target().OtherResource)
	return wantAsked(ctx, p, browser, client, "a page for another resource", other)
}
