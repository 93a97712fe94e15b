package broken_test

import (
	"maps"

	"mcpentra/conformance/servers/internal/broken"
)

// caughtBy says which checks go red, and no other, for a server that is broken in one way. Where it
// is more than one, the rules overlap.
func caughtBy() map[broken.Fault][]string {
	all := map[broken.Fault][]string{}
	for _, topic := range []map[broken.Fault][]string{
		challengeCaught,
		metadataCaught,
		registrationCaught,
		credentialCaught,
		refusalCaught,
		scopeCaught,
		requestCaught,
		sessionCaught,
		answerCaught,
		httpCaught,
		tokenCaught,
		jwsCaught,
		claimCaught,
		keyCaught,
	} {
		maps.Copy(all, topic)
	}
	return all
}

var challengeCaught = map[broken.Fault][]string{
	broken.LeavesOutMetadataURL: {"server/challenge/resource-metadata"},
	broken.SaysErrorToStrangers: {"server/challenge/no-error-without-credentials"},
	broken.SaysNoError:          {"server/challenge/invalid-token"},
	broken.LeavesOutScope:       {"server/challenge/scope", "server/scope/named"},
	broken.AsksForOfflineAccess: {"server/challenge/no-offline-access"},
}

var metadataCaught = map[broken.Fault][]string{
	broken.HasMetadataElsewhere:  {"server/metadata/path-form"},
	broken.ServesMetadataAsText:  {"server/metadata/media-type"},
	broken.DescribesAnother:      {"server/metadata/resource", "server/metadata/signed"},
	broken.TakesTokensInQuery:    {"server/metadata/bearer-methods"},
	broken.ListsOfflineAccess:    {"server/metadata/no-offline-access"},
	broken.DescribesAnything:     {"server/metadata/unknown-path"},
	broken.HasEmptyArrays:        {"server/metadata/no-empty-arrays"},
	broken.BelievesForwardedHost: {"server/metadata/own-name"},
	broken.HidesAbsenceFromPages: {"server/metadata/pages"},
	broken.NamesNoIssuer:         {"server/metadata/authorization-servers"},
	broken.HasSlashInIssuer:      {"authorization-server/metadata/issuer", "authorization-server/metadata/root"},
	broken.HasNoTokenEndpoint:    {"authorization-server/metadata/members"},
	broken.AdvertisesNoPKCE:      {"authorization-server/metadata/pkce"},
	broken.HasEmptyIssuerArrays:  {"authorization-server/metadata/no-empty-arrays"},
	broken.RegistersText:         {"authorization-server/registration/media-type"},
	broken.TakesTwoSecrets:       {"authorization-server/client/two-secrets"},
	broken.LocksClientsOut:       {"authorization-server/client/lockout"},
	broken.HasOpenIDMetadataOnly: {"authorization-server/metadata/root"},
	broken.HasNoIssuerMetadata: {
		"authorization-server/metadata/found",
		"authorization-server/metadata/issuer",
		"authorization-server/metadata/members",
		"authorization-server/metadata/pkce",
		"authorization-server/metadata/no-empty-arrays",
		"authorization-server/metadata/root",
	},
}

var registrationCaught = map[broken.Fault][]string{
	broken.RegistersOwnOrigin:      {"authorization-server/registration/own-origin"},
	broken.RegistersAllOrNothing:   {"authorization-server/registration/some-usable"},
	broken.ShowsHostsDecoded:       {"authorization-server/registration/host-shown"},
	broken.RedirectsErrorsAnywhere: {"authorization-server/redirect/untrusted"},
}

var credentialCaught = map[broken.Fault][]string{
	broken.WantsBearerInOneCase:    {"server/token/scheme-case"},
	broken.AcceptsQueryToken:       {"server/token/in-query"},
	broken.AcceptsCookieToken:      {"server/credentials/other-places"},
	broken.PrefersQueryToken:       {"server/credentials/two-places"},
	broken.TakesFirstOfTwoHeaders:  {"server/credentials/two-headers", "server/http2/two-headers"},
	broken.TakesFirstOfTwoFields:   {"server/http2/two-headers"},
	broken.SplitsLists:             {"server/credentials/lists"},
	broken.TakesTabs:               {"server/credentials/blanks"},
	broken.IgnoresScheme:           {"server/credentials/other-schemes"},
	broken.StripsIllegalBytes:      {"server/credentials/illegal-bytes"},
	broken.BelievesIdentityHeaders: {"server/credentials/identity-headers"},
	broken.GuardsOnePathOnly:       {"server/credentials/path-variants"},
	broken.LetsProbesIn:            {"server/credentials/health-probes"},
	broken.ObeysMethodOverride:     {"server/credentials/method-override"},
	broken.RemembersConnections:    {"server/credentials/keep-alive"},
	broken.RunsBeforeItAsks:        {"server/refusal/before-processing", "server/session/not-authentication"},
}

var refusalCaught = map[broken.Fault][]string{
	broken.RepeatsKeyID:        {"server/challenge/injection", "server/refusal/uniform"},
	broken.ExplainsRefusals:    {"server/refusal/uniform"},
	broken.ListsToolsToAnybody: {"server/refusal/no-data"},
	broken.MintsSessionsEarly:  {"server/refusal/no-data"},
	broken.ReadsBodiesFirst:    {"server/refusal/unread-body"},
}

var scopeCaught = map[broken.Fault][]string{
	broken.EnforcesNoScope:        {"server/scope/enforced", "server/scope/status", "server/scope/every-method"},
	broken.ComparesScopesOnly:     {"server/scope/hierarchy"},
	broken.RefusesScopeWith401:    {"server/scope/status"},
	broken.SaysNoInsufficient:     {"server/scope/error-code"},
	broken.LeavesOutNeededScope:   {"server/scope/named"},
	broken.LeavesOutMetadataIn403: {"server/scope/resource-metadata"},
	broken.ChangesScopes:          {"server/scope/stable"},
	broken.AsksForTooLittle:       {"server/scope/challenged-scopes-suffice"},
}

var requestCaught = map[broken.Fault][]string{
	broken.ChecksNoOrigin:         {"server/origin/foreign", "server/origin/checked"},
	broken.ChecksNoHost:           {"server/host/foreign"},
	broken.ComparesHostsByCase:    {"server/host/case"},
	broken.ChecksNoContentType:    {"server/message/content-type"},
	broken.ReadsMessagesLeniently: {"server/message/ambiguous"},
	broken.BelievesHeaders:        {"server/modern/header-mismatch"},
	broken.ChecksNoVersion:        {"server/version/unsupported"},
	broken.WantsVersion:           {"server/version/absent"},
	broken.AnswersUnknownWith200:  {"server/modern/unknown-method"},
	broken.MintsModernSessions:    {"server/modern/no-sessions"},
}

var sessionCaught = map[broken.Fault][]string{
	broken.SessionsOutliveTokens: {"server/session/not-authentication", "server/stream/reopened"},
	broken.SharesSessions:        {"server/session/other-user"},
	broken.BindsSessionsToTokens: {"server/session/refreshed-token"},
	broken.AdoptsSessions:        {"server/session/own-ids"},
	broken.CountsSessions:        {"server/session/unpredictable"},
	broken.SessionsAreNotASCII:   {"server/session/visible-ascii"},
	broken.MissingSessionIs404:   {"server/session/missing"},
	broken.KeepsEndedSessions:    {"server/session/ended"},
	broken.EndsSessionsOfAnybody: {"server/session/ending-needs-token"},
	broken.KeepsSessionsForEver:  {"server/session/bounded"},
	broken.SessionsPushOutOthers: {"server/session/others-kept"},
	broken.StreamsToAnybody:      {"server/stream/needs-token"},
	broken.ReopensEndedStreams:   {"server/stream/reopened"},
	broken.StreamsForEver:        {"server/stream/ends-with-token"},
	broken.StreamsEverything:     {"server/stream/own-events"},
}

var answerCaught = map[broken.Fault][]string{
	broken.IsCacheable:     {"server/answer/not-cacheable"},
	broken.LogsTokens:      {"server/answer/keeps-tokens-to-itself"},
	broken.CachesByPayload: {"server/token/no-mixed-up-cache"},
	broken.MixesAnswers:    {"server/answer/own-result"},

	broken.SharesState:           {"server/state/other-user"},
	broken.EndsStateForStrangers: {"server/state/other-user"},
	broken.CountsHandles:         {"server/state/unpredictable"},
	broken.TakesHandlesForTokens: {"server/state/not-authentication"},

	broken.SharesRequestState:   {"server/request-state/other-user"},
	broken.TakesAlteredState:    {"server/request-state/altered"},
	broken.FitsAnyRequest:       {"server/request-state/one-request"},
	broken.KeepsRequestState:    {"server/request-state/one-request"},
	broken.TakesRequestTwice:    {"server/request-state/once"},
	broken.AsksForPasswords:     {"server/elicitation/form"},
	broken.SendsPeopleInClear:   {"server/elicitation/url"},
	broken.SendsTokensInAddress: {"server/elicitation/url"},
	broken.SharesTasks:          {"server/task/other-user"},
	broken.ListsTasksOfAll:      {"server/task/other-user"},
	broken.CancelsTasksOfAnyone: {"server/task/other-user"},
	broken.CountsTasks:          {"server/task/unpredictable"},

	broken.ListsByConnection:   {"server/list/by-connection"},
	broken.SharesOwnLists:      {"server/list/cache-scope"},
	broken.HidesToolsOnly:      {"server/list/hidden-tools"},
	broken.BelievesArguments:   {"server/caller/from-token"},
	broken.BelievesMeta:        {"server/caller/from-token"},
	broken.BelievesUserHeaders: {"server/caller/from-token"},
	broken.ListensBeside:       {"server/caller/from-this-machine"},
	broken.GatesToolsOnly:      {"server/scope/every-method"},
	broken.StreamsInNewestOnly: {"server/modern/get-delete"},
	broken.NamesNoSigner:       {"server/metadata/signed"},
	broken.OffersEverything:    {"server/metadata/scopes-minimal"},

	broken.PassesTokensOn:        {"server/passthrough/inbound-token", "server/passthrough/own-token"},
	broken.PassesTokensInBodies:  {"server/passthrough/inbound-token"},
	broken.TrustsTokensItSendsOn: {"server/passthrough/own-token"},
}

var httpCaught = map[broken.Fault][]string{
	broken.RunsAgainWithTrailers:   {"server/http/trailers"},
	broken.TakesTokensInTrailers:   {"server/http/trailers", "server/refusal/unread-body"},
	broken.ReadsLengthBeforeChunks: {"server/http/framing"},
	broken.TakesTwoLengths:         {"server/http/framing"},
	broken.TakesSpaceBeforeColon:   {"server/http/framing"},
	broken.OverlooksRequestURI:     {"server/host/foreign"},
	broken.EndsLinesAtBareLF:       {"server/http/framing"},
	broken.RefusesChunkExtensions:  {"server/http/framing"},
	broken.GluesLinesAtBareLF:      {"server/http/framing"},
	broken.GoesThroughTextsAgain:   {"server/limits/linear"},
	broken.WaitsForReaders:         {"server/limits/slow-reading"},
	broken.SwallowsBombs:           {"server/limits/body", "server/http2/body"},
	broken.TakesAnyBodyInFrames:    {"server/http2/body"},
	broken.RefusesAllUnderFlood:    {"server/limits/bad-signatures"},
	broken.TakesAnyHeader:          {"server/limits/head"},
	broken.TakesAnyBody:            {"server/limits/body", "server/http2/body"},
	broken.WaitsForEver:            {"server/limits/slow"},
}

// cannotJudge says which checks cannot be done with a server: what they look at is not there.
var cannotJudge = map[broken.Fault][]string{
	broken.EnforcesNoScope: {"server/scope/hierarchy"},
	broken.NamesNoIssuer: {
		"authorization-server/metadata/found",
		"authorization-server/metadata/issuer",
		"authorization-server/metadata/members",
		"authorization-server/metadata/pkce",
		"authorization-server/metadata/no-empty-arrays",
		"authorization-server/registration/own-origin",
		"authorization-server/registration/some-usable",
		"authorization-server/registration/host-shown",
		"authorization-server/registration/media-type",
		"authorization-server/redirect/untrusted",
	},
	broken.HasNoIssuerMetadata: {"authorization-server/registration/media-type"},
}

// caughtAtLeastBy says which checks go red, besides others that look at the same thing, for a
// server in which nothing is left of a whole part.
var caughtAtLeastBy = map[broken.Fault][]string{
	broken.ServesEverybody: {
		"server/challenge/without-token",
		"server/challenge/bearer",
		"server/token/garbage",
		"server/token/expired",
		"server/token/foreign-audience",
	},
	broken.SendsNoChallenge:     {"server/challenge/bearer"},
	broken.SendsBrokenChallenge: {"server/challenge/bearer"},
	broken.HasNoMetadata: {
		"server/metadata/found",
		"server/metadata/path-form",
		"server/challenge/resource-metadata",
	},
	broken.RefusesEverybody: {"server/token/accepted"},
}
