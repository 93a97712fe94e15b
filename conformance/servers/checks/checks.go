package checks

import (
	"slices"

	"mcpentra/conformance/servers/internal/bench"
)

// All are the checks, in the order in which they read best.
func All() []bench.Check {
	return slices.Concat(
		challengeChecks(),
		metadataChecks(),
		issuerMetadataChecks(),
		issuerRegistrationChecks(),
		issuerRedirectChecks(),
		issuerClientChecks(),
		credentialsChecks(),
		callerChecks(),
		refusalChecks(),
		tokenChecks(),
		tokenAlgorithmChecks(),
		tokenHeaderChecks(),
		tokenFormChecks(),
		tokenIssuerChecks(),
		tokenClaimsChecks(),
		keysChecks(),
		keysDiscoveryChecks(),
		scopeChecks(),
		originChecks(),
		hostChecks(),
		messageChecks(),
		versionChecks(),
		modernChecks(),
		sessionChecks(),
		streamChecks(),
		answerChecks(),
		tokenCacheChecks(),
		stateChecks(),
		requestStateChecks(),
		elicitationChecks(),
		taskChecks(),
		listChecks(),
		passthroughChecks(),
		httpChecks(),
		limitsChecks(),
		http2Checks(),
	)
}
