package checks

import (
	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// answerChecks are checks of client/answer.
func answerChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/answer/repeated",
				Level:     check.Policy,
				Severity:  check.Low,
				Reference: "OAuth 2.1-13 section 3.1; RFC 9207 section 2.4",
				Sentence:  "An authorization response with a repeated parameter is ambiguous, and is not used.",
				Covers:    []string{"CL-008", "CL-009"},
			},
			Run: noHarm(
				lab.Script{},
				authorized,
				firstRedeemed,
				repeatedParameter("state"),
				repeatedParameter("code"),
				repeatedParameter("iss"),
			),
		},
	}
}

// repeatedParameter returns a variant with a parameter twice in the response, the right one first.
func repeatedParameter(parameter string) variant {
	return variant{
		"a response with " + parameter + " twice",
		lab.Script{Answers: func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
			odd := a.Right()
			if !odd.Params.Has(parameter) {
				odd.Params.Set(parameter, a.Issuer)
			}
			odd.Params.Add(parameter, "another")
			return []lab.Answer{odd, a.Right()}
		}},
	}
}
