package checks

import (
	"slices"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// All returns the checks, in the order in which they read best. To add one, put it into the file of
// its topic; .github/CONTRIBUTING.md has the steps.
func All() []bench.Check {
	return slices.Concat(
		metadataChecks(),
		registrationChecks(),
		authorizeChecks(),
		redirectChecks(),
		pkceChecks(),
		responseChecks(),
		consentChecks(),
		pageChecks(),
		cookiesChecks(),
		thirdPartyChecks(),
		codeChecks(),
		documentChecks(),
		introspectionChecks(),
		deviceChecks(),
		tokenChecks(),
		clientChecks(),
		resourceChecks(),
		scopeChecks(),
		refreshChecks(),
		revocationChecks(),
	)
}

// since returns the revisions from one on.
func since(first check.Revision) []check.Revision {
	all := check.Revisions()
	return all[slices.Index(all, first):]
}
