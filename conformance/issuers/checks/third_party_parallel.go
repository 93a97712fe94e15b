package checks

import (
	"context"
	"net/http"
	"net/url"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// thirdPartyParallelChecks returns the checks of authorization-server/third-party about sign-ins at
// the same time.
func thirdPartyParallelChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/third-party/interleaved",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "CWE-488; CVE-2026-33544",
				Sentence:  "A sign-in at the third party goes on although another person signs in meanwhile.",
				Covers:    []string{"AS-006"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   thirdPartyInterleaved,
		},
	}
}

// thirdPartyInterleaved tries authorization-server/third-party/interleaved. When the first person
// comes back from the third party, another person in another browser signs in from beginning to
// end. A server that keeps the data of one sign-in has then lost the first, or mixes the two up.
func thirdPartyInterleaved(ctx context.Context, p *bench.Probe) error {
	t, err := newThirdParty(ctx, p)
	if err != nil {
		return err
	}
	var second *bench.Authorization
	var failed error
	first := p.NewBrowser()
	first.Tamper = func(request *http.Request, _ url.Values) *http.Response {
		if t.isCallback(request) && second == nil && failed == nil {
			second, failed = p.Clone().Approved(ctx, t.client)
		}
		return nil
	}
	made, err := p.AuthorizeAs(ctx, bench.Visitor{Browser: first}, t.client)
	switch {
	case err != nil:
		return err
	case failed != nil:
		return failed
	case second == nil:
		return made.CannotJudge("the sign-in does not come back from the third party")
	}
	for _, current := range []struct {
		name string
		made *bench.Authorization
	}{{"the second sign-in", second}, {"the sign-in around it", made}} {
		gives, err := t.gives(ctx, current.made)
		if err != nil {
			return err
		}
		if !gives {
			return p.Mismatch("tokens for "+current.name, current.made.String())
		}
	}
	return nil
}
