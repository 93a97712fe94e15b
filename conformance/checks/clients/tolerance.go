package clients

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcpentra/conformance/engine"
	"mcpentra/conformance/lab"
)

// clientTolerance: what clients overlook in servers that break a rule, and where that has to stop.
func clientTolerance() []engine.Check {
	return []engine.Check{
		{
			ID: "client/challenge/malformed", Role: engine.Client, Level: engine.Policy, Revisions: since20251125,
			Reference: "RFC 9110 section 11.6.1; MCP 2025-11-25 authorization, Protected Resource Metadata Discovery " +
				"Requirements",
			Sentence: "Where the challenge is not well formed, the client looks for the metadata at the well-known " +
				"addresses.",
			RunClient: works(lab.Script{}, nil,
				malformed("two addresses", `Bearer resource_metadata="%[1]s", resource_metadata="%[1]s"`),
				malformed("a relative address", `Bearer resource_metadata="`+resourcePath+`"`),
				malformed("no quotes", `Bearer resource_metadata=%s`),
				malformed("single quotes", `Bearer resource_metadata='%s'`)),
		},
		{
			ID: "client/metadata/query", Role: engine.Client, Level: engine.Must, Severity: engine.High,
			Revisions: since20250618,
			Reference: "RFC 9728 section 3.3",
			Sentence:  "Metadata that describes the server's URL with another query is not used.",
			Covers:    []string{"client-prm-resource-checked", "CL-004"},
			RunClient: spared(lab.Script{}, fetchedMetadata, secondUsed,
				describing("another query", func(l *lab.Lab) any { return l.URL() + "?tenant=b" })),
		},
		{
			ID: "client/token/error", Role: engine.Client, Level: engine.Policy, Severity: engine.Medium,
			Reference: "OAuth 2.1-13 sections 3.2.3 and 3.2.4",
			Sentence:  "A token in an error response, which has status 400, is not used.",
			RunClient: spared(lab.Script{}, gotToken, sentToken, refusingWithToken()),
		},
		{
			ID: "client/authorization/once", Role: engine.Client, Level: engine.Policy, Severity: engine.Medium,
			Revisions: since20250618,
			Reference: "OAuth 2.1-13 section 4.1.3; MCP authorization, Authorization Flow",
			Sentence: "A person who has approved is not asked again because the token endpoint takes six seconds to " +
				"answer.",
			RunClient: slowToken,
		},
		{
			ID: "client/step-up/declined", Role: engine.Client, Level: engine.Policy, Severity: engine.Medium,
			Revisions: since20251125,
			Abilities: []engine.Ability{engine.SeveralCalls},
			Reference: "MCP 2025-11-25 authorization, Step-Up Authorization Flow; RFC 6749 section 4.1.2.1",
			Sentence:  "A person who declined more scopes is not asked for the same scopes again by the next call.",
			RunClient: declinedStepUp,
		},
	}
}

// malformed is a variant with a challenge that is not well formed, or whose address is not absolute.
func malformed(name, challenge string) variant {
	return variant{"a challenge with " + name, lab.Script{Challenge: func(l *lab.Lab) []string {
		if !strings.Contains(challenge, "%") {
			return []string{challenge}
		}
		return []string{fmt.Sprintf(challenge, l.Origin(lab.Server)+resourcePath)}
	}}}
}

// refusingWithToken is a variant with a token in an error response. An error in a 200 would prove
// nothing: clients ignore members that they do not know (RFC 6749 section 5.1).
func refusingWithToken() variant {
	refuse := func(_ *lab.Lab, _ lab.Party, _ url.Values, answer map[string]any) int {
		answer["error"] = "invalid_grant"
		return http.StatusBadRequest
	}
	return variant{"an error", lab.Script{Token: refuse}}
}

// sentToken is the harm of a token at the MCP server.
func sentToken(l *lab.Lab) string {
	if slices.ContainsFunc(l.Endpoint(), func(one lab.Request) bool { return one.Header.Get("Authorization") != "" }) {
		return "it was sent to the MCP server"
	}
	return ""
}

// slowToken has the token endpoint take its time.
func slowToken(ctx context.Context, p *engine.ClientProbe) error {
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
		return &engine.CannotJudge{Reason: "the client did not come as far as the token endpoint", Err: ending(l)}
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

// declinedStepUp has the person decline what a step up asks for, and the client call the tool again.
func declinedStepUp(ctx context.Context, p *engine.ClientProbe) error {
	several := func(task *engine.Task) { task.Calls = 3 }
	granted := lab.Script{Scope: "tools.read tools.call", ToolScopes: []string{"tools.call"}}
	l, err := control(ctx, p, granted, several)
	if err != nil {
		return err
	}
	if l.Calls() < 2 {
		return &engine.CannotJudge{Reason: "the control failed: the client calls the tool once", Err: ending(l)}
	}
	denied := lab.Script{Scope: "tools.read", ToolScopes: []string{"tools.call"}, Answers: declining("tools.call")}
	l = try(ctx, p, denied, several)
	asked := 0
	for _, page := range l.Authorizations(l.Authority()) {
		if slices.Contains(strings.Fields(page.Query.Get("scope")), "tools.call") {
			asked++
		}
	}
	switch {
	case asked == 0:
		return &engine.NotApplicable{Reason: "the client does not step up"}
	case asked > 1:
		return l.Mismatch("one question to the person for the same scopes", fmt.Sprint(asked))
	}
	return nil
}

// declining answers a request for a scope with access_denied, and others as is right.
func declining(scope string) func(l *lab.Lab, a *lab.Authorization) []lab.Answer {
	return func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
		right := a.Right()
		if slices.Contains(strings.Fields(a.Params.Get("scope")), scope) {
			right.Params.Del("code")
			right.Params.Set("error", "access_denied")
		}
		return []lab.Answer{right}
	}
}
