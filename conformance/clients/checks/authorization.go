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

// authorizationChecks are checks of client/authorization: the authorization request as a whole.
func authorizationChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/authorization/code-only",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "OAuth 2.1-13 sections 4.1.1 and 10; RFC 9700 section 2.4",
				Sentence: "A client never uses the implicit grant or a person's password, even if the server " +
					"offers nothing else.",
				Covers: []string{"CL-031"},
			},
			Run: noHarm(
				lab.Script{},
				fetchedIssuer,
				obsoleteGrant,
				variant{
					"metadata with the implicit grant and passwords only",
					lab.Script{Metadata: offerObsoleteGrants},
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
				Sentence: "A token endpoint that takes six seconds to answer does not make the client ask " +
					"the person again.",
			},
			Run: authorizationOnce,
		},
	}
}

// offerObsoleteGrants makes the metadata list only the implicit grant and the password grant.
func offerObsoleteGrants(_ *lab.Lab, _ lab.Party, _ string, document map[string]any) {
	document["response_types_supported"] = []string{"token"}
	document["grant_types_supported"] = []string{"implicit", "password"}
}

// obsoleteGrant reports an authorization request for something other than a code, or a token
// request with a password.
func obsoleteGrant(l *lab.Lab) string {
	for _, request := range l.Authorizations(l.Authority()) {
		if kind := request.Query.Get("response_type"); kind != "code" {
			return fmt.Sprintf("an authorization request with response_type %q", kind)
		}
	}
	for _, request := range l.TokenRequests(l.Authority()) {
		if request.Form.Get("grant_type") == "password" {
			return "a token request with a password"
		}
	}
	return ""
}

// authorizationOnce tries client/authorization/once: the token endpoint answers after six seconds.
func authorizationOnce(ctx context.Context, p *bench.Probe) error {
	if err := wantControl(ctx, p, lab.Script{}); err != nil {
		return err
	}
	const seconds = 6
	slow := *p
	slow.Target.Timeout = max(p.Target.Timeout, lab.RunTimeout) + p.Target.Seconds(seconds)
	wait := func(_ *lab.Lab, r *lab.Request, _ http.ResponseWriter, request *http.Request) bool {
		if r.Form.Get("grant_type") == "authorization_code" {
			pause(request.Context(), p.Target.Seconds(seconds))
		}
		return false
	}
	l := runClient(ctx, &slow, lab.Script{Intercept: wait})
	switch n := len(l.Authorizations(l.Authority())); {
	case n == 0 || len(l.TokenRequests(l.Authority())) == 0:
		return &check.CannotJudge{Reason: "the client did not reach the token endpoint", Err: ending(l)}
	case n > 1:
		return l.Mismatch("one authorization request", fmt.Sprint(n))
	}
	return nil
}

// pause waits for a while, or until the context ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
