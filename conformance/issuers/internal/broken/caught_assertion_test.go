package broken_test

import "mcpentra/conformance/issuers/internal/broken"

var assertionCaught = map[broken.Fault][]string{
	broken.RefusesAssertions:  {"authorization-server/assertion/accepted"},
	broken.AsksForNoAssertion: {"authorization-server/assertion/required"},
	broken.ChecksNoAssertion: {
		"authorization-server/assertion/signature",
		"authorization-server/assertion/client",
		"authorization-server/assertion/header-key",
	},
	broken.AcceptsAnyClientsKey:    {"authorization-server/assertion/client"},
	broken.AcceptsUnsigned:         {"authorization-server/assertion/algorithm"},
	broken.UsesPublicKeysAsSecrets: {"authorization-server/assertion/algorithm"},
	broken.AcceptsOtherAlgorithms:  {"authorization-server/assertion/registered-algorithm"},
	broken.TrustsAssertionKeys:     {"authorization-server/assertion/header-key"},
	broken.FetchesAssertionKeys:    {"authorization-server/assertion/header-key"},
	broken.CallsAssertionKeys:      {"authorization-server/assertion/header-key"},
	broken.IgnoresAssertionAudience: {
		"authorization-server/assertion/audience",
		"authorization-server/assertion/sole-audience",
	},
	broken.MatchesAudienceBeginning: {"authorization-server/assertion/audience"},
	broken.AcceptsSharedAssertions:  {"authorization-server/assertion/sole-audience"},
	broken.IgnoresAssertionExpiry:   {"authorization-server/assertion/expiry"},
	broken.AcceptsEndlessAssertions: {"authorization-server/assertion/expiry"},
	broken.AcceptsEarlyAssertions:   {"authorization-server/assertion/expiry"},
	broken.AcceptsLongAssertions:    {"authorization-server/assertion/lifetime"},
	broken.IgnoresAssertionIssuer:   {"authorization-server/assertion/client"},
	broken.IgnoresAssertionSubject:  {"authorization-server/assertion/client"},
	broken.AcceptsAssertionsTwice:   {"authorization-server/assertion/replay"},
}
