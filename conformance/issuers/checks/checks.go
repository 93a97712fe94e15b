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
		metadataMembersChecks(),
		registrationChecks(),
		registrationRedirectChecks(),
		registrationHostileChecks(),
		authorizeChecks(),
		redirectChecks(),
		redirectOpenChecks(),
		pkceChecks(),
		responseChecks(),
		consentChecks(),
		consentFormChecks(),
		consentResourceChecks(),
		pageChecks(),
		cookiesChecks(),
		thirdPartyChecks(),
		thirdPartyParallelChecks(),
		thirdPartyAnswerChecks(),
		thirdPartyTimeChecks(),
		codeChecks(),
		codeReplayChecks(),
		documentChecks(),
		documentAuthenticationChecks(),
		documentFetchChecks(),
		documentPageChecks(),
		introspectionChecks(),
		userinfoChecks(),
		deviceChecks(),
		tokenChecks(),
		clientChecks(),
		assertionChecks(),
		assertionSignatureChecks(),
		clientAppChecks(),
		resourceChecks(),
		severalResourcesChecks(),
		scopeChecks(),
		refreshChecks(),
		refreshRotationChecks(),
		refreshGrantChecks(),
		revocationChecks(),
	)
}

// since returns the revisions from one on.
func since(first check.Revision) []check.Revision {
	all := check.Revisions()
	return all[slices.Index(all, first):]
}
