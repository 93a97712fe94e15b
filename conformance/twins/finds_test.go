package twins_test

import (
	"maps"

	"mcpentra/conformance/twins"
)

// finds says which checks go red, and no other, for a server that is broken in one way. Where it is more than one, the
// rules overlap.
func finds() map[twins.Fault][]string {
	all := map[twins.Fault][]string{}
	for _, topic := range []map[twins.Fault][]string{
		challengeFinds, metadataFinds, registrationFinds, credentialFinds, refusalFinds, scopeFinds, requestFinds,
		sessionFinds, answerFinds, httpFinds,
		tokenFinds, jwsFinds, claimFinds, keyFinds,
	} {
		maps.Copy(all, topic)
	}
	return all
}

var challengeFinds = map[twins.Fault][]string{
	twins.LeavesOutMetadataURL: {"server/challenge/resource-metadata"},
	twins.SaysErrorToStrangers: {"server/challenge/no-error-without-credentials"},
	twins.SaysNoError:          {"server/challenge/invalid-token"},
	twins.LeavesOutScope:       {"server/challenge/scope", "server/scope/named"},
	twins.AsksForOfflineAccess: {"server/challenge/no-offline-access"},
}

var metadataFinds = map[twins.Fault][]string{
	twins.HasMetadataElsewhere:  {"server/metadata/path-form"},
	twins.ServesMetadataAsText:  {"server/metadata/media-type"},
	twins.DescribesAnother:      {"server/metadata/resource", "server/metadata/signed"},
	twins.TakesTokensInQuery:    {"server/metadata/bearer-methods"},
	twins.ListsOfflineAccess:    {"server/metadata/no-offline-access"},
	twins.DescribesAnything:     {"server/metadata/unknown-path"},
	twins.HasEmptyArrays:        {"server/metadata/no-empty-arrays"},
	twins.BelievesForwardedHost: {"server/metadata/own-name"},
	twins.HidesAbsenceFromPages: {"server/metadata/pages"},
	twins.NamesNoIssuer:         {"server/metadata/authorization-servers"},
	twins.HasSlashInIssuer:      {"authorization-server/metadata/issuer", "authorization-server/metadata/root"},
	twins.HasNoTokenEndpoint:    {"authorization-server/metadata/members"},
	twins.AdvertisesNoPKCE:      {"authorization-server/metadata/pkce"},
	twins.HasEmptyIssuerArrays:  {"authorization-server/metadata/no-empty-arrays"},
	twins.RegistersText:         {"authorization-server/registration/media-type"},
	twins.TakesTwoSecrets:       {"authorization-server/client/two-secrets"},
	twins.LocksClientsOut:       {"authorization-server/client/lockout"},
	twins.HasOpenIDMetadataOnly: {"authorization-server/metadata/root"},
	twins.HasNoIssuerMetadata: {
		"authorization-server/metadata/found", "authorization-server/metadata/issuer", "authorization-server/metadata/members", "authorization-server/metadata/pkce",
		"authorization-server/metadata/no-empty-arrays", "authorization-server/metadata/root",
	},
}

var registrationFinds = map[twins.Fault][]string{
	twins.RegistersOwnOrigin:      {"authorization-server/registration/own-origin"},
	twins.RegistersAllOrNothing:   {"authorization-server/registration/some-usable"},
	twins.ShowsHostsDecoded:       {"authorization-server/registration/host-shown"},
	twins.RedirectsErrorsAnywhere: {"authorization-server/redirect/untrusted"},
}

var credentialFinds = map[twins.Fault][]string{
	twins.WantsBearerInOneCase:    {"server/token/scheme-case"},
	twins.AcceptsQueryToken:       {"server/token/in-query"},
	twins.AcceptsCookieToken:      {"server/credentials/other-places"},
	twins.PrefersQueryToken:       {"server/credentials/two-places"},
	twins.TakesFirstOfTwoHeaders:  {"server/credentials/two-headers", "server/http2/two-headers"},
	twins.TakesFirstOfTwoFields:   {"server/http2/two-headers"},
	twins.SplitsLists:             {"server/credentials/lists"},
	twins.TakesTabs:               {"server/credentials/blanks"},
	twins.IgnoresScheme:           {"server/credentials/other-schemes"},
	twins.StripsIllegalBytes:      {"server/credentials/illegal-bytes"},
	twins.BelievesIdentityHeaders: {"server/credentials/identity-headers"},
	twins.GuardsOnePathOnly:       {"server/credentials/path-variants"},
	twins.LetsProbesIn:            {"server/credentials/health-probes"},
	twins.ObeysMethodOverride:     {"server/credentials/method-override"},
	twins.RemembersConnections:    {"server/credentials/keep-alive"},
	twins.RunsBeforeItAsks:        {"server/refusal/before-processing", "server/session/not-authentication"},
}

var refusalFinds = map[twins.Fault][]string{
	twins.RepeatsKeyID:        {"server/challenge/injection", "server/refusal/uniform"},
	twins.ExplainsRefusals:    {"server/refusal/uniform"},
	twins.ListsToolsToAnybody: {"server/refusal/no-data"},
	twins.MintsSessionsEarly:  {"server/refusal/no-data"},
	twins.ReadsBodiesFirst:    {"server/refusal/unread-body"},
}

var scopeFinds = map[twins.Fault][]string{
	twins.EnforcesNoScope:        {"server/scope/enforced", "server/scope/status", "server/scope/every-method"},
	twins.ComparesScopesOnly:     {"server/scope/hierarchy"},
	twins.RefusesScopeWith401:    {"server/scope/status"},
	twins.SaysNoInsufficient:     {"server/scope/error-code"},
	twins.LeavesOutNeededScope:   {"server/scope/named"},
	twins.LeavesOutMetadataIn403: {"server/scope/resource-metadata"},
	twins.ChangesScopes:          {"server/scope/stable"},
	twins.AsksForTooLittle:       {"server/scope/challenged-scopes-suffice"},
}

var requestFinds = map[twins.Fault][]string{
	twins.ChecksNoOrigin:         {"server/origin/foreign", "server/origin/checked"},
	twins.ChecksNoHost:           {"server/host/foreign"},
	twins.ComparesHostsByCase:    {"server/host/case"},
	twins.ChecksNoContentType:    {"server/message/content-type"},
	twins.ReadsMessagesLeniently: {"server/message/ambiguous"},
	twins.BelievesHeaders:        {"server/modern/header-mismatch"},
	twins.ChecksNoVersion:        {"server/version/unsupported"},
	twins.WantsVersion:           {"server/version/absent"},
	twins.AnswersUnknownWith200:  {"server/modern/unknown-method"},
	twins.MintsModernSessions:    {"server/modern/no-sessions"},
}

var sessionFinds = map[twins.Fault][]string{
	twins.SessionsOutliveTokens: {"server/session/not-authentication"},
	twins.SharesSessions:        {"server/session/other-user"},
	twins.BindsSessionsToTokens: {"server/session/refreshed-token"},
	twins.AdoptsSessions:        {"server/session/own-ids"},
	twins.CountsSessions:        {"server/session/unpredictable"},
	twins.SessionsAreNotASCII:   {"server/session/visible-ascii"},
	twins.MissingSessionIs404:   {"server/session/missing"},
	twins.KeepsEndedSessions:    {"server/session/ended"},
	twins.EndsSessionsOfAnybody: {"server/session/ending-needs-token"},
	twins.KeepsSessionsForEver:  {"server/session/bounded"},
	twins.SessionsPushOutOthers: {"server/session/others-kept"},
	twins.StreamsToAnybody:      {"server/stream/needs-token"},
	twins.ReopensEndedStreams:   {"server/stream/reopened"},
	twins.StreamsForEver:        {"server/stream/ends-with-token"},
	twins.StreamsEverything:     {"server/stream/own-events"},
}

var answerFinds = map[twins.Fault][]string{
	twins.IsCacheable:     {"server/answer/not-cacheable"},
	twins.LogsTokens:      {"server/answer/keeps-tokens-to-itself"},
	twins.CachesByPayload: {"server/token/no-mixed-up-cache"},
	twins.MixesAnswers:    {"server/answer/own-result"},

	twins.SharesState:           {"server/state/other-user"},
	twins.EndsStateForStrangers: {"server/state/other-user"},
	twins.CountsHandles:         {"server/state/unpredictable"},
	twins.TakesHandlesForTokens: {"server/state/not-authentication"},

	twins.SharesRequestState:   {"server/request-state/other-user"},
	twins.TakesAlteredState:    {"server/request-state/altered"},
	twins.FitsAnyRequest:       {"server/request-state/one-request"},
	twins.KeepsRequestState:    {"server/request-state/one-request"},
	twins.TakesRequestTwice:    {"server/request-state/once"},
	twins.AsksForPasswords:     {"server/elicitation/form"},
	twins.SendsPeopleInClear:   {"server/elicitation/url"},
	twins.SendsTokensInAddress: {"server/elicitation/url"},
	twins.SharesTasks:          {"server/task/other-user"},
	twins.ListsTasksOfAll:      {"server/task/other-user"},
	twins.CancelsTasksOfAnyone: {"server/task/other-user"},
	twins.CountsTasks:          {"server/task/unpredictable"},

	twins.ListsByConnection:   {"server/list/by-connection"},
	twins.SharesOwnLists:      {"server/list/cache-scope"},
	twins.HidesToolsOnly:      {"server/list/hidden-tools"},
	twins.BelievesArguments:   {"server/caller/from-token"},
	twins.BelievesMeta:        {"server/caller/from-token"},
	twins.BelievesUserHeaders: {"server/caller/from-token"},
	twins.ListensBeside:       {"server/caller/from-this-machine"},
	twins.GatesToolsOnly:      {"server/scope/every-method"},
	twins.StreamsInNewestOnly: {"server/modern/get-delete"},
	twins.NamesNoSigner:       {"server/metadata/signed"},
	twins.OffersEverything:    {"server/metadata/scopes-minimal"},

	twins.PassesTokensOn:        {"server/passthrough/inbound-token", "server/passthrough/own-token"},
	twins.PassesTokensInBodies:  {"server/passthrough/inbound-token"},
	twins.TrustsTokensItSendsOn: {"server/passthrough/own-token"},
}

var httpFinds = map[twins.Fault][]string{
	twins.RunsAgainWithTrailers:   {"server/http/trailers"},
	twins.TakesTokensInTrailers:   {"server/http/trailers"},
	twins.ReadsLengthBeforeChunks: {"server/http/framing"},
	twins.TakesTwoLengths:         {"server/http/framing"},
	twins.TakesSpaceBeforeColon:   {"server/http/framing"},
	twins.OverlooksRequestURI:     {"server/host/foreign"},
	twins.EndsLinesAtBareLF:       {"server/http/framing"},
	twins.RefusesChunkExtensions:  {"server/http/framing"},
	twins.GluesLinesAtBareLF:      {"server/http/framing"},
	twins.GoesThroughTextsAgain:   {"server/limits/linear"},
	twins.WaitsForReaders:         {"server/limits/slow-reading"},
	twins.SwallowsBombs:           {"server/limits/body", "server/http2/body"},
	twins.TakesAnyBodyInFrames:    {"server/http2/body"},
	twins.RefusesAllUnderFlood:    {"server/limits/bad-signatures"},
	twins.TakesAnyHeader:          {"server/limits/head"},
	twins.TakesAnyBody:            {"server/limits/body", "server/http2/body"},
	twins.WaitsForEver:            {"server/limits/slow"},
}

// cannotJudge says which checks cannot be done with a twin: what they look at is not there.
var cannotJudge = map[twins.Fault][]string{
	twins.EnforcesNoScope: {"server/scope/hierarchy"},
	twins.NamesNoIssuer: {
		"authorization-server/metadata/found", "authorization-server/metadata/issuer", "authorization-server/metadata/members", "authorization-server/metadata/pkce",
		"authorization-server/metadata/no-empty-arrays",
		"authorization-server/registration/own-origin", "authorization-server/registration/some-usable",
		"authorization-server/registration/host-shown", "authorization-server/redirect/untrusted",
	},
}

// findsAtLeast says which checks go red, besides others that look at the same thing, for a server in which nothing is left
// of a whole part.
var findsAtLeast = map[twins.Fault][]string{
	twins.ServesEverybody:      {"server/challenge/without-token", "server/challenge/bearer", "server/token/garbage", "server/token/expired", "server/token/foreign-audience"},
	twins.SendsNoChallenge:     {"server/challenge/bearer"},
	twins.SendsBrokenChallenge: {"server/challenge/bearer"},
	twins.HasNoMetadata:        {"server/metadata/found", "server/metadata/path-form", "server/challenge/resource-metadata"},
	twins.RefusesEverybody:     {"server/token/accepted"},
}
