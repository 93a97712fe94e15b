package checks

import (
	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// assertionChecks returns the checks of authorization-server/assertion: clients that authenticate
// with a JWT of their own (private_key_jwt, RFC 7523).
func assertionChecks() []bench.Check {
	needs := []bench.Need{bench.SignIn}
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/assertion/accepted",
				Level:     check.Should,
				Reference: "RFC 8414 section 2; RFC 7523 section 2.2",
				Sentence:  "A client that could register keys gets tokens with an assertion.",
				Covers:    []string{"as-metadata-auth-methods-true"},
			},
			Needs: needs,
			Run:   assertionAccepted,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/assertion/required",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "OAuth 2.1 draft-13 sections 3.2.1 and 3.2.2; RFC 7523 section 2.2",
				Sentence:  "A client that has registered keys gets no tokens without an assertion.",
				Covers:    []string{"as-client-auth-required", "AS-057"},
			},
			Needs: needs,
			Run:   assertionRequired,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/assertion/client",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 7521 sections 4.2 and 5.2; RFC 7523 section 3",
				Sentence:  "The issuer and the subject of an assertion are the client. So is client_id, if it is sent.",
				Covers:    []string{"AS-057"},
			},
			Needs: needs,
			Run:   assertionClient,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/assertion/audience",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 7523 section 3, item 3",
				Sentence:  "An assertion for another server, or for none, is refused.",
				Covers:    []string{"AS-057"},
			},
			Needs: needs,
			Run:   refusesAssertions(audienceFlaws),
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/assertion/sole-audience",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "draft-ietf-oauth-rfc7523bis: the audience is the issuer, as the sole value",
				Sentence:  "An assertion for several servers is refused.",
				Covers:    []string{"AS-057"},
			},
			Needs: needs,
			Run:   refusesAssertions(sharedFlaws),
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/assertion/expiry",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 7523 section 3, items 4 and 5",
				Sentence:  "An assertion that has expired, never expires or is not valid yet is refused.",
				Covers:    []string{"AS-057"},
			},
			Needs: needs,
			Run:   refusesAssertions(expiryFlaws),
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/assertion/lifetime",
				Level:     check.Policy,
				Severity:  check.Low,
				Reference: "RFC 7523 section 3, item 4: the server may reject an expiry that is far ahead",
				Sentence:  "An assertion that is valid for years is refused.",
				Covers:    []string{"AS-057"},
			},
			Needs: needs,
			Run:   refusesAssertions(lifetimeFlaws),
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/assertion/replay",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "RFC 7523 section 3, item 7: the server may refuse a jti that was used",
				Sentence:  "An assertion is accepted once.",
				Covers:    []string{"AS-057"},
			},
			Needs: needs,
			Run:   assertionReplay,
		},
	}
}
