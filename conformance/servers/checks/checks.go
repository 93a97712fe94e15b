package checks

import (
	"slices"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// All returns the checks, in the order in which they read best. To add one, put it into the file of
// its topic; .github/CONTRIBUTING.md has the steps.
func All() []bench.Check {
	return slices.Concat(
		authorizationChecks(),
		challengeChecks(),
		challengeEveryChecks(),
		challengeFurtherChecks(),
		metadataChecks(),
		metadataMembersChecks(),
		metadataAnnouncedChecks(),
		metadataHostChecks(),
		issuerMetadataChecks(),
		issuerRegistrationChecks(),
		issuerRedirectChecks(),
		issuerClientChecks(),
		legacyChecks(),
		credentialsChecks(),
		credentialsSyntaxChecks(),
		credentialsBypassChecks(),
		credentialsNamesChecks(),
		credentialsWebSocketChecks(),
		bypassChecks(),
		bypassPathChecks(),
		bypassMessageChecks(),
		bypassHTTPChecks(),
		callerChecks(),
		refusalChecks(),
		tokenChecks(),
		tokenTimeChecks(),
		tokenLeewayChecks(),
		tokenAudienceChecks(),
		tokenIssuerChecks(),
		tokenAlgorithmChecks(),
		tokenSignatureChecks(),
		tokenFlawsChecks(),
		tokenKeyChecks(),
		tokenKeyAddressChecks(),
		tokenHeaderChecks(),
		tokenFormChecks(),
		tokenKindChecks(),
		tokenIssuedChecks(),
		tokenClaimsChecks(),
		tokenOdditiesChecks(),
		tokenScopeChecks(),
		tokenCacheChecks(),
		tokenCachedExpiryChecks(),
		keysChecks(),
		keysUseChecks(),
		keysLoadChecks(),
		keysOutageChecks(),
		keysSilenceChecks(),
		keysDiscoveryChecks(),
		scopeChecks(),
		scopeChallengeChecks(),
		scopeListedChecks(),
		originChecks(),
		originLookalikeChecks(),
		hostChecks(),
		messageChecks(),
		messageSurvivedChecks(),
		versionChecks(),
		modernChecks(),
		sessionChecks(),
		sessionMessagesChecks(),
		sessionIdChecks(),
		sessionLimitChecks(),
		streamChecks(),
		streamResumedChecks(),
		answerChecks(),
		answerLogChecks(),
		answerEchoChecks(),
		answerOriginChecks(),
		stateChecks(),
		requestStateChecks(),
		elicitationChecks(),
		taskChecks(),
		listChecks(),
		passthroughChecks(),
		httpChecks(),
		limitsChecks(),
		limitsIdleChecks(),
		http2Checks(),
	)
}

// since returns the revisions from one on.
func since(first check.Revision) []check.Revision {
	all := check.Revisions()
	return all[slices.Index(all, first):]
}

// before returns the revisions before one.
func before(end check.Revision) []check.Revision {
	all := check.Revisions()
	return all[:slices.Index(all, end)]
}
