package checks

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// authorizationChecks are checks of client/authorization: what clients overlook in servers that
// break a rule, and where that has to stop.
func authorizationChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/authorization/code-only",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "OAuth 2.1-13 sections 4.1.1 and 10; RFC 9700 section 2.4",
				Sentence: "A client never uses the implicit grant, or a person's password, even where nothing else " +
					"is offered.",
				Covers: []string{"CL-031"},
			},
			Run: noHarm(
				lab.Script{},
				fetchedIssuer,
				func(l *lab.Lab) string {
					for _, one := range l.Authorizations(l.Authority()) {
						if kind := one.Query.Get("response_type"); kind != "code" {
							return fmt.Sprintf("an authorization request with response_type %q", kind)
						}
					}
					for _, one := range l.TokenRequests(l.Authority()) {
						if one.Form.Get("grant_type") == "password" {
							return "a token request with a password"
						}
					}
					return ""
				},
				variant{
					"metadata with the implicit grant and passwords only",
					lab.Script{Metadata: func(_ *lab.Lab, _ lab.Party, _ string, document map[string]any) {
						document["response_types_supported"], document["grant_types_supported"] = []string{
							"token",
						}, []string{"implicit", "password"}
					}},
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/authorization/once",
				Level:     check.Policy,
				Severity:  check.Medium,
				Revisions: since20250618,
				Reference: "OAuth 2.1-13 section 4.1.3; MCP authorization, Authorization Flow",
				Sentence: "A person who has approved is not asked again because the token endpoint takes six " +
					"seconds to " +
					"answer.",
			},
			Run: slowToken,
		},
	}
}

// slowToken has the token endpoint take its time.
func slowToken(ctx context.Context, p *bench.Probe) error {
	if _, err := control(ctx, p, lab.Script{}); err != nil {
		return err
	}
	const seconds = 6
	patient := *p
	patient.Target.Timeout = max(p.Target.Timeout, lab.RunTimeout) + p.Target.Seconds(seconds)
	wait := func(_ *lab.Lab, r *lab.Request, _ http.ResponseWriter, request *http.Request) bool {
		if r.Form.Get("grant_type") == "authorization_code" {
			pause(request.Context(), p.Target.Seconds(seconds))
		}
		return false
	}
	l := try(ctx, &patient, lab.Script{Intercept: wait})
	switch n := len(l.Authorizations(l.Authority())); {
	case n == 0 || len(l.TokenRequests(l.Authority())) == 0:
		return &check.CannotJudge{Reason: "the client did not come as far as the token endpoint", Err: ending(l)}
	case n > 1:
		return l.Mismatch("one authorization request", fmt.Sprint(n))
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
