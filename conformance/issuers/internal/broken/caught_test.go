package broken_test

import (
	"maps"

	"mcpentra/conformance/issuers/internal/broken"
)

// caughtBy names the checks that go red for a server with a fault; all others stay green. Several
// checks go red where their rules overlap.
//
// To add a fault, name it and simulate it in this package, and add it to the map of its topic.
// TestChecksCatchFaults then tries it, and make broken tries it with every check.
func caughtBy() map[broken.Fault][]string {
	all := map[broken.Fault][]string{}
	for _, topic := range []map[broken.Fault][]string{
		metadataCaught,
		registrationCaught,
		authorizeCaught,
		redirectCaught,
		pkceCaught,
		responseCaught,
		pageCaught,
		documentCaught,
		thirdPartyCaught,
		introspectionCaught,
		deviceCaught,
		codeCaught,
		tokenCaught,
		assertionCaught,
		refreshCaught,
	} {
		maps.Copy(all, topic)
	}
	return all
}

// breaksFlow are the faults with which no client gets tokens, or revokes them. The control of many
// checks fails.
var breaksFlow = []broken.Fault{
	broken.NamesPlainHTTP,
	broken.HasNoTokenEndpoint,
	broken.BreaksOnCodes,
	broken.RefusesResources,
	broken.RefusesTokensWith500,
	broken.RefusesSecretsInBody,
	broken.RedirectsWith307,
}

// skipped are the checks that do not apply to the server without faults.
var skipped = map[string]bool{
	// Its people sign in at the server itself. TestIssuerWithThirdPartyPasses tries another.
	"authorization-server/third-party/browser":     true,
	"authorization-server/third-party/state":       true,
	"authorization-server/third-party/interleaved": true,
	"authorization-server/third-party/replay":      true,
	"authorization-server/third-party/code":        true,
	"authorization-server/third-party/request":     true,
	"authorization-server/third-party/parameters":  true,
	"authorization-server/third-party/error":       true,
	"authorization-server/third-party/failure":     true,
	"authorization-server/third-party/session":     true,

	"authorization-server/third-party/id-token":       true,
	"authorization-server/third-party/signature":      true,
	"authorization-server/third-party/issuer":         true,
	"authorization-server/third-party/token-response": true,
	"authorization-server/third-party/own-tokens":     true,
	"authorization-server/third-party/hang":           true,
	"authorization-server/third-party/bounded":        true,
	"authorization-server/third-party/metadata":       true,
	"authorization-server/third-party/ended":          true,
}

var metadataCaught = map[broken.Fault][]string{
	broken.HasNoMetadata:            {"authorization-server/metadata/published"},
	broken.HasOpenIDMetadataOnly:    {"authorization-server/metadata/rfc8414"},
	broken.ServesMetadataAsText:     {"authorization-server/metadata/media-type"},
	broken.HasNoTokenEndpoint:       {"authorization-server/metadata/required-members"},
	broken.HasEmptyArrays:           {"authorization-server/metadata/omits-empty"},
	broken.LacksKeys:                {"authorization-server/metadata/openid-members"},
	broken.AdvertisesNoPKCE:         {"authorization-server/metadata/s256"},
	broken.NamesPlainHTTP:           {"authorization-server/metadata/https"},
	broken.ListsNoSigningAlgorithms: {"authorization-server/metadata/signing-algorithms"},
	broken.AdvertisesPasswords:      {"authorization-server/metadata/no-obsolete-grants"},
	broken.NamesAnotherIssuer: {
		"authorization-server/metadata/identical-issuer",
		"authorization-server/response/iss-value",
	},
	broken.HasQueryInIssuer: {
		"authorization-server/metadata/issuer-form",
		"authorization-server/metadata/identical-issuer",
		"authorization-server/response/iss-value",
	},
}

var registrationCaught = map[broken.Fault][]string{
	broken.AnswersRegistrationsWith202: {"authorization-server/registration/response"},
	broken.OmitsSecretExpiry:           {"authorization-server/registration/response"},
	broken.GivesEveryClientSecret:      {"authorization-server/registration/public-secret"},
	broken.RefusesRegistrationsOddly:   {"authorization-server/registration/errors"},
	broken.RefusesUnknownMembers: {
		"authorization-server/registration/unknown-members",
		"authorization-server/document/supported",
	},
	broken.RegistersScripts:      {"authorization-server/registration/scripts"},
	broken.RegistersSplitScripts: {"authorization-server/registration/scripts"},
	broken.RegistersFragments:    {"authorization-server/registration/fragment"},
	broken.RegistersPlainHTTP:    {"authorization-server/registration/plain-http"},
	broken.AdoptsClientIDs:       {"authorization-server/registration/chosen-id"},
	broken.ShowsLogos:            {"authorization-server/registration/links"},
	broken.CachesSecrets:         {"authorization-server/registration/no-store"},
	broken.BreaksOnRegistrations: {
		"authorization-server/registration/errors",
		"authorization-server/registration/malformed",
	},
	broken.HasNoRegistration: {"authorization-server/registration/offered"},
}

var authorizeCaught = map[broken.Fault][]string{
	broken.BreaksOnCodes:            {"authorization-server/authorize/code-grant"},
	broken.RefusesUnknownParameters: {"authorization-server/authorize/unknown-parameters"},
	broken.IgnoresRepetition:        {"authorization-server/authorize/repeated"},
	broken.AllowsPagesToAuthorize:   {"authorization-server/authorize/no-cors"},
	broken.AnswersFragmentTokens:    {"authorization-server/authorize/response-types"},
	broken.BreaksOnLongRequests:     {"authorization-server/authorize/long"},
	broken.ShowsErrorsOnPages:       {"authorization-server/authorize/errors"},
	broken.AnswersDenialsOddly:      {"authorization-server/authorize/declined"},
	broken.BreaksWithoutScope:       {"authorization-server/scope/omitted"},
	broken.GrantsEveryScope:         {"authorization-server/scope/unknown"},
	broken.RefusesResources:         {"authorization-server/resource/tolerated"},
	broken.RefusesResourcesOddly:    {"authorization-server/resource/invalid-target"},
	broken.RefusesTwoResourcesOddly: {"authorization-server/resource/several"},
	broken.ComparesResourcesByCase:  {"authorization-server/resource/case"},
	broken.IssuesImplicitTokens: {
		"authorization-server/authorize/response-types",
		"authorization-server/authorize/errors",
	},
}

var redirectCaught = map[broken.Fault][]string{
	broken.MatchesBeginnings: {
		"authorization-server/document/redirect",
		"authorization-server/redirect/exact",
		"authorization-server/redirect/loopback",
	},
	broken.MatchesHosts: {
		"authorization-server/document/redirect",
		"authorization-server/redirect/exact",
		"authorization-server/redirect/loopback",
	},
	broken.MatchesAnyCase:  {"authorization-server/redirect/exact"},
	broken.MatchesAnyPort:  {"authorization-server/redirect/exact"},
	broken.MatchesUserinfo: {"authorization-server/redirect/exact"},
	broken.RedirectsAnywhere: {
		"authorization-server/document/redirect",
		"authorization-server/redirect/exact",
		"authorization-server/redirect/loopback",
		"authorization-server/redirect/silent",
	},
	broken.MatchesOtherSpellings:       {"authorization-server/redirect/exact"},
	broken.WantsLoopbackPort:           {"authorization-server/redirect/loopback-port"},
	broken.RedirectsUnknownClients:     {"authorization-server/redirect/unknown-client"},
	broken.UsesFirstRedirect:           {"authorization-server/redirect/missing"},
	broken.AnswersSilentRequests:       {"authorization-server/redirect/silent"},
	broken.DropsRedirectQueries:        {"authorization-server/redirect/query-kept"},
	broken.RegistersResponseParameters: {"authorization-server/redirect/own-parameters"},
	broken.RedirectsErrorsAnywhere:     {"authorization-server/redirect/open"},
}

var pkceCaught = map[broken.Fault][]string{
	broken.WantsNoPKCE: {
		"authorization-server/pkce/required-public",
		"authorization-server/pkce/required-confidential",
	},
	broken.WantsPKCEOfPublicClientsOnly: {"authorization-server/pkce/required-confidential"},
	broken.IgnoresNeedlessVerifiers: {
		"authorization-server/pkce/required-confidential",
		"authorization-server/pkce/downgrade",
	},
	broken.AcceptsAnyMethod:     {"authorization-server/pkce/unknown-method", "authorization-server/pkce/plain"},
	broken.ChecksNoVerifier:     {"authorization-server/pkce/verifier", "authorization-server/code/failed-replay"},
	broken.ChecksVerifierIfSent: {"authorization-server/pkce/verifier"},
}

var responseCaught = map[broken.Fault][]string{
	broken.ForgetsState: {
		"authorization-server/response/state",
		"authorization-server/authorize/long",
	},
	broken.CleansState:   {"authorization-server/response/state"},
	broken.ExplainsBadly: {"authorization-server/response/error-characters"},
	broken.OmitsIss: {
		"authorization-server/response/iss",
		"authorization-server/response/iss-advertised",
	},
	broken.OmitsIssFromErrors: {
		"authorization-server/response/iss",
		"authorization-server/response/iss-advertised",
	},
	broken.SendsAnotherIss: {"authorization-server/response/iss-value"},
	broken.AdvertisesNoIss: {"authorization-server/response/iss-advertised"},
	broken.RepeatsResponseParameters: {
		"authorization-server/response/once",
		"authorization-server/response/iss-value",
	},
}

var codeCaught = map[broken.Fault][]string{
	broken.RedeemsCodesTwice:      {"authorization-server/code/single-use", "authorization-server/code/race"},
	broken.RedeemsAtTheSameTime:   {"authorization-server/code/race"},
	broken.IgnoresReplays:         {"authorization-server/code/replay-ends-grant"},
	broken.EndsGrantsOnAnyReplay:  {"authorization-server/code/failed-replay"},
	broken.RedeemsForAnyClient:    {"authorization-server/code/client"},
	broken.IgnoresRedirectAtToken: {"authorization-server/code/redirect"},
	broken.NeverExpiresCodes:      {"authorization-server/code/expires"},
	broken.RedeemsYoungForeignCodes: {
		"authorization-server/code/client",
		"authorization-server/code/expires",
	},
	broken.CountsCodes: {"authorization-server/code/unguessable"},
}

var tokenCaught = map[broken.Fault][]string{
	broken.LetsCachesStoreTokens:   {"authorization-server/token/no-store"},
	broken.OmitsTokenType:          {"authorization-server/token/members"},
	broken.TakesPasswords:          {"authorization-server/token/other-grants"},
	broken.TakesTokenRequestsByGET: {"authorization-server/token/forms"},
	broken.IssuesLongTokens:        {"authorization-server/token/lifetime"},
	broken.OmitsGrantedScope:       {"authorization-server/scope/named"},
	broken.BreaksOnOtherForms:      {"authorization-server/token/forms"},
	broken.ExchangesAnyToken:       {"authorization-server/token/other-grants"},
	broken.OmitsBasicChallenge:     {"authorization-server/client/challenge"},
	broken.AcceptsTwoMethods:       {"authorization-server/client/two-methods"},
	broken.IgnoresTokenResource:    {"authorization-server/resource/token-request"},
	broken.ExchangesResources:      {"authorization-server/resource/other-code"},
	broken.ChecksNoSecretOfApps:    {"authorization-server/client/app-authenticated"},
	broken.ChecksNoSecret: {
		"authorization-server/refresh/secret",
		"authorization-server/client/authenticated",
		"authorization-server/client/challenge",
		"authorization-server/client/app-authenticated",
	},
	broken.RefusesSecretsInBody: {
		"authorization-server/client/secret-in-body",
		"authorization-server/client/methods-work",
	},
	broken.RefusesTokensWith500: {
		"authorization-server/introspection/authenticated",
		"authorization-server/token/errors",
		"authorization-server/refresh/client",
		"authorization-server/refresh/secret",
		"authorization-server/token/other-grants",
		"authorization-server/token/forms",
		"authorization-server/client/challenge",
		"authorization-server/resource/token-request",
	},
}

var refreshCaught = map[broken.Fault][]string{
	broken.RefreshesForAnyClient: {"authorization-server/refresh/client"},
	broken.NeverRotates:          {"authorization-server/refresh/rotated"},
	broken.IgnoresStolenRefreshTokens: {
		"authorization-server/refresh/replay",
		"authorization-server/refresh/grace",
	},
	broken.WidensScopes:    {"authorization-server/refresh/no-wider-scope"},
	broken.WidensResources: {"authorization-server/refresh/resource"},
	broken.NarrowsGrants:   {"authorization-server/refresh/scope-kept"},
	broken.RevokesNothing: {
		"authorization-server/revocation/effective",
		"authorization-server/introspection/revoked",
	},
	broken.RefreshesEndedGrants: {
		"authorization-server/code/replay-ends-grant",
		"authorization-server/refresh/replay",
		"authorization-server/refresh/grace",
		"authorization-server/revocation/effective",
	},
	broken.TrustsRevocationHints:     {"authorization-server/revocation/effective"},
	broken.RevokesForAnyClient:       {"authorization-server/revocation/client"},
	broken.RefusesUnknownRevocations: {"authorization-server/revocation/unknown-token"},
	broken.AcceptsUsedRefreshTokens: {
		"authorization-server/refresh/grace",
		"authorization-server/refresh/concurrent",
	},
}

var pageCaught = map[broken.Fault][]string{
	broken.RemembersPeople: {
		"authorization-server/consent/asked",
		"authorization-server/consent/repeated",
		"authorization-server/consent/other-redirect",
		"authorization-server/consent/other-resource",
		"authorization-server/consent/more-scopes",
		"authorization-server/consent/cross-site",
	},
	broken.RemembersClients: {
		"authorization-server/consent/repeated",
		"authorization-server/consent/other-redirect",
		"authorization-server/consent/other-resource",
		"authorization-server/consent/more-scopes",
		"authorization-server/consent/cross-site",
	},
	broken.RemembersForResources: {
		"authorization-server/consent/repeated",
		"authorization-server/consent/other-resource",
		"authorization-server/consent/cross-site",
	},
	broken.RemembersExactly:  {"authorization-server/consent/repeated", "authorization-server/consent/cross-site"},
	broken.ChecksNoOrigin:    {"authorization-server/consent/origin"},
	broken.MixesTransactions: {"authorization-server/consent/parallel"},
	broken.ChecksNoCSRF: {
		"authorization-server/consent/forged",
		"authorization-server/consent/origin",
		"authorization-server/cookies/attributes",
		"authorization-server/consent/parallel",
	},
	broken.AllowsFrames:        {"authorization-server/page/frames", "authorization-server/page/scripts"},
	broken.AllowsInlineScripts: {"authorization-server/page/scripts"},
	broken.RunsClientNames:     {"authorization-server/page/markup", "authorization-server/page/client-name"},
	broken.RunsParameters:      {"authorization-server/page/markup"},
	broken.ShowsControls:       {"authorization-server/page/client-name"},
	broken.HidesRedirectHost: {
		"authorization-server/page/redirect-host",
		"authorization-server/document/redirect-host",
	},
	broken.RedirectsWith307:      {"authorization-server/page/no-307"},
	broken.ShowsCookiesToScripts: {"authorization-server/cookies/attributes"},
	broken.FillsBrowsers:         {"authorization-server/cookies/bounded"},
	broken.SendsCookiesInClear:   {"authorization-server/cookies/attributes"},
}

var documentCaught = map[broken.Fault][]string{
	broken.HasNoDocuments:        {"authorization-server/document/supported"},
	broken.AdvertisesNoDocuments: {"authorization-server/document/advertised"},
	broken.FetchesNoDocuments: {
		"authorization-server/document/fetched",
		"authorization-server/document/client-id",
		"authorization-server/document/valid",
		"authorization-server/document/private-key",
		"authorization-server/document/unavailable",
		"authorization-server/document/bounded",
		"authorization-server/document/caching",
	},
	broken.AcceptsAnyDocumentURL:    {"authorization-server/document/url"},
	broken.AcceptsOtherDocuments:    {"authorization-server/document/client-id"},
	broken.AcceptsInvalidDocuments:  {"authorization-server/document/valid", "authorization-server/document/bounded"},
	broken.AcceptsErrorDocuments:    {"authorization-server/document/unavailable"},
	broken.TrustsDocumentSecrets:    {"authorization-server/document/no-secret"},
	broken.ForgetsPrivateKeys:       {"authorization-server/document/private-key"},
	broken.CachesDocumentErrors:     {"authorization-server/document/errors-not-cached"},
	broken.CachesAllDocuments:       {"authorization-server/document/caching"},
	broken.FetchesFromAnywhere:      {"authorization-server/document/private-network"},
	broken.KnowsUsualRanges:         {"authorization-server/document/private-network"},
	broken.FollowsDocumentRedirects: {"authorization-server/document/private-network"},
	broken.ReadsEndlessDocuments:    {"authorization-server/document/bounded"},
	broken.HidesClientHost:          {"authorization-server/document/client-host"},
	broken.WarnsOfNoProgram:         {"authorization-server/document/loopback-warning"},
}

var introspectionCaught = map[broken.Fault][]string{
	broken.IntrospectsForAnybody: {
		"authorization-server/introspection/authenticated",
		"authorization-server/introspection/other-client",
	},
	broken.IntrospectsForAllClients: {"authorization-server/introspection/other-client"},
	broken.IntrospectsEndedTokens:   {"authorization-server/introspection/revoked"},
	broken.IssuesOneAudience:        {"authorization-server/resource/audience"},
	broken.IssuesForItself:          {"authorization-server/resource/audience"},
	broken.TellsUserToAnyToken:      {"authorization-server/userinfo/other-resource"},
}

var thirdPartyCaught = map[broken.Fault][]string{
	broken.BindsNoBrowser:     {"authorization-server/third-party/browser"},
	broken.ChecksNoState:      {"authorization-server/third-party/state"},
	broken.KeepsOneSignIn:     {"authorization-server/third-party/interleaved"},
	broken.RepeatsSignIns:     {"authorization-server/third-party/replay"},
	broken.PassesStateOn:      {"authorization-server/third-party/request"},
	broken.PassesParametersOn: {"authorization-server/third-party/parameters"},
	broken.RedeemsForeignCodes: {
		"authorization-server/third-party/code",
		"authorization-server/third-party/token-response",
	},
	broken.ShowsThirdPartyError: {
		"authorization-server/third-party/error",
		"authorization-server/third-party/failure",
	},
	broken.IgnoresNonce:            {"authorization-server/third-party/id-token"},
	broken.IgnoresIDTokenAudience:  {"authorization-server/third-party/id-token"},
	broken.IgnoresIDTokenIssuer:    {"authorization-server/third-party/id-token"},
	broken.IgnoresIDTokenExpiry:    {"authorization-server/third-party/id-token"},
	broken.IgnoresIDTokenSignature: {"authorization-server/third-party/signature"},
	broken.IgnoresThirdPartyIss:    {"authorization-server/third-party/issuer"},
	broken.IgnoresTokenErrors: {
		"authorization-server/third-party/code",
		"authorization-server/third-party/token-response",
	},
	broken.ShowsThirdPartyFailures: {"authorization-server/third-party/failure"},
	broken.PassesTokensOn:          {"authorization-server/third-party/own-tokens"},
	broken.WaitsForThirdParty:      {"authorization-server/third-party/hang"},
	broken.ReadsEndlessTokens:      {"authorization-server/third-party/bounded"},
	broken.UsesAnyMetadata:         {"authorization-server/third-party/metadata"},
	broken.KeepsSignInsForever:     {"authorization-server/third-party/session"},
	broken.IgnoresEndedGrants:      {"authorization-server/third-party/ended"},
}

var deviceCaught = map[broken.Fault][]string{
	broken.OmitsUserCode: {"authorization-server/device/response"},
	broken.IssuesBeforeApproval: {
		"authorization-server/device/pending",
		"authorization-server/device/confirmed",
	},
	broken.ApprovesDevicesByLink:      {"authorization-server/device/confirmed"},
	broken.RedeemsDevicesTwice:        {"authorization-server/device/single-use"},
	broken.RedeemsDevicesForAnyClient: {"authorization-server/device/single-use"},
	broken.NeverExpiresDevices:        {"authorization-server/device/expires"},
	broken.NeverSlowsDown:             {"authorization-server/device/slow-down"},
	broken.EndsHastyDevices:           {"authorization-server/device/kept"},
}
