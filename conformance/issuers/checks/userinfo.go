package checks

import (
	"context"
	"net/http"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// userinfoChecks returns the checks of authorization-server/userinfo (OpenID Connect Core section
// 5.3).
func userinfoChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:       "authorization-server/userinfo/other-resource",
				Level:    check.Policy,
				Severity: check.Low,
				Reference: "MCP 2025-06-18 authorization, Token Handling; RFC 9068 section 4; OpenID Connect " +
					"Core section 5.3",
				Sentence: "The userinfo endpoint refuses an access token for another resource that was issued " +
					"without openid.",
				Covers: []string{"as-foreign-tokens-refused"},
			},
			Needs: []bench.Need{bench.SignIn},
			Run:   userinfoOtherResource,
		},
	}
}

// userinfoOtherResource tries authorization-server/userinfo/other-resource.
func userinfoOtherResource(ctx context.Context, p *bench.Probe) error {
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return err
	}
	switch {
	case metadata.UserinfoEndpoint == "":
		return &check.NotApplicable{Reason: "the server has no userinfo endpoint"}
	case !p.IssuesForResource():
		return &check.NotApplicable{Reason: "the tokens of the checks are for no resource, or for OpenID Connect"}
	}
	_, tokens, err := p.PublicGranted(ctx)
	if err != nil {
		return err
	}
	header := http.Header{"Authorization": {"Bearer " + tokens.Access}}
	answer, err := p.Send(ctx, bench.Request{URL: metadata.UserinfoEndpoint, Header: header})
	if err == nil && answer.Status/100 == 2 {
		return p.Insecure("status 400, 401 or 403", answer.String())
	}
	return err
}
