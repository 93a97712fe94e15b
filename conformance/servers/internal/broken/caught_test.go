package broken_test

import (
	"maps"

	"mcpentra/conformance/servers/internal/broken"
)

// caughtBy names the checks that go red for a server with a fault; all others stay green. Several
// checks go red where their rules overlap.
//
// To add a fault, name it and simulate it in this package, and add it to the map of its topic below
// or in caught_token_test.go. TestChecksCatchFaults then tries it, and make broken tries it with
// every check.
func caughtBy() map[broken.Fault][]string {
	all := map[broken.Fault][]string{}
	for _, topic := range []map[broken.Fault][]string{
		challengeCaught,
		metadataCaught,
		registrationCaught,
		credentialCaught,
		placeCaught,
		bypassCaught,
		refusalCaught,
		scopeCaught,
		requestCaught,
		sessionCaught,
		answerCaught,
		httpCaught,
		tokenCaught,
		jwsCaught,
		claimCaught,
		tokenUseCaught,
		sessionMessagesCaught,
		echoCaught,
		furtherCaught,
		keyCaught,
	} {
		maps.Copy(all, topic)
	}
	return all
}

var challengeCaught = map[broken.Fault][]string{
	broken.AsksForNothing:         {"server/challenge/without-token", "server/task/listed-for-anyone"},
	broken.AsksForKey:             {"server/authorization/required"},
	broken.OmitsMetadataURL:       {"server/challenge/resource-metadata"},
	broken.SendsErrorWithoutToken: {"server/challenge/no-error-without-credentials"},
	broken.OmitsInvalidToken:      {"server/challenge/invalid-token", "server/challenge/every-refusal"},
	broken.OmitsScope:             {"server/challenge/scope", "server/scope/named"},
	broken.AsksForOfflineAccess:   {"server/challenge/no-offline-access"},
	broken.AcceptsNotifications:   {"server/challenge/notifications"},
	broken.AcceptsResponses:       {"server/challenge/notifications"},
	broken.GuardsListedMethods:    {"server/challenge/every-method"},
	broken.ChallengesPostsOnly:    {"server/challenge/every-refusal"},
	broken.QuotesInDescriptions:   {"server/challenge/every-refusal"},
	broken.OmitsMetadataAtTokens:  {"server/challenge/every-refusal"},
	broken.OmitsErrorOfExpiry:     {"server/challenge/every-refusal", "server/refusal/uniform"},
}

var metadataCaught = map[broken.Fault][]string{
	broken.HasMetadataElsewhere:  {"server/metadata/path-form"},
	broken.AnnouncesNowhere:      {"server/metadata/announced", "server/challenge/resource-metadata"},
	broken.NamesNoScopes:         {"server/metadata/scopes", "server/challenge/scope"},
	broken.ServesMetadataAsText:  {"server/metadata/media-type"},
	broken.DescribesAnother:      {"server/metadata/resource", "server/metadata/signed"},
	broken.AdvertisesQueryTokens: {"server/metadata/bearer-methods"},
	broken.ListsOfflineAccess:    {"server/metadata/no-offline-access"},
	broken.DescribesAnything:     {"server/metadata/unknown-path"},
	broken.HasEmptyArrays:        {"server/metadata/no-empty-arrays"},
	broken.TrustsForwardedHost:   {"server/metadata/own-name"},
	broken.HidesAbsenceFromPages: {"server/metadata/pages"},
	broken.NamesNoIssuer:         {"server/metadata/authorization-servers"},
	broken.HasSlashInIssuer:      {"authorization-server/metadata/issuer", "authorization-server/metadata/root"},
	broken.HasNoTokenEndpoint:    {"authorization-server/metadata/members"},
	broken.AdvertisesNoPKCE:      {"authorization-server/metadata/pkce"},
	broken.HasEmptyIssuerArrays:  {"authorization-server/metadata/no-empty-arrays"},
	broken.RegistersText:         {"authorization-server/registration/media-type"},
	broken.AcceptsTwoSecrets:     {"authorization-server/client/two-secrets"},
	broken.LocksClientsOut:       {"authorization-server/client/lockout"},
	broken.HasOpenIDMetadataOnly: {"authorization-server/metadata/root"},
	broken.HasMetadataBelowPath:  {"authorization-server/metadata/root", "server/legacy/location"},
	broken.OffersNoRegistration:  {"server/legacy/registration"},
	broken.RevokesInTheClear:     {"server/legacy/https"},
	broken.RegistersPlainHTTP:    {"server/legacy/redirects"},
	broken.RedirectsAnywhere:     {"server/legacy/redirects"},
	broken.HasNoIssuerMetadata:   {"authorization-server/metadata/found", "authorization-server/metadata/root"},
}

var registrationCaught = map[broken.Fault][]string{
	broken.RegistersOwnOrigin:      {"authorization-server/registration/own-origin"},
	broken.RegistersAllOrNothing:   {"authorization-server/registration/some-usable"},
	broken.ShowsHostsDecoded:       {"authorization-server/registration/host-shown"},
	broken.RedirectsErrorsAnywhere: {"authorization-server/redirect/untrusted"},
}

var credentialCaught = map[broken.Fault][]string{
	broken.WantsBearerInOneCase:     {"server/token/scheme-case"},
	broken.AcceptsQueryToken:        {"server/token/in-query"},
	broken.AcceptsCookieToken:       {"server/credentials/other-places"},
	broken.PrefersQueryToken:        {"server/credentials/two-places"},
	broken.AcceptsFirstOfTwoHeaders: {"server/credentials/two-headers", "server/http2/two-headers"},
	broken.AcceptsFirstOfTwoFields:  {"server/http2/two-headers"},
	broken.SplitsLists:              {"server/credentials/lists"},
	broken.AcceptsTabs:              {"server/credentials/blanks"},
	broken.IgnoresScheme:            {"server/credentials/other-schemes"},
	broken.StripsIllegalBytes:       {"server/credentials/illegal-bytes"},
	broken.TrustsIdentityHeaders:    {"server/credentials/identity-headers"},
	broken.GuardsOnePathOnly:        {"server/credentials/path-variants"},
	broken.TrustsProbes:             {"server/credentials/health-probes"},
	broken.ObeysMethodOverride:      {"server/credentials/method-override"},
	broken.RemembersConnections:     {"server/credentials/keep-alive"},
	broken.RunsBeforeTokenCheck:     {"server/refusal/before-processing", "server/session/not-authentication"},
}

var refusalCaught = map[broken.Fault][]string{
	broken.RepeatsKeyID:             {"server/challenge/injection", "server/refusal/uniform"},
	broken.ExplainsRefusals:         {"server/refusal/uniform"},
	broken.ListsToolsInRefusals:     {"server/refusal/no-data", "server/scope/no-data"},
	broken.ListsToolsInForbidden:    {"server/scope/no-data"},
	broken.StartsSessionsInRefusals: {"server/refusal/no-data", "server/scope/no-data"},
	broken.ReadsBodiesFirst:         {"server/refusal/unread-body"},
}

var scopeCaught = map[broken.Fault][]string{
	broken.EnforcesNoScope:        {"server/scope/enforced"},
	broken.OpensResources:         {"server/scope/listed-data"},
	broken.KnowsNoBroaderScope:    {"server/scope/hierarchy"},
	broken.RefusesScopeWith401:    {"server/scope/status"},
	broken.OmitsInsufficientScope: {"server/scope/error-code"},
	broken.OmitsNeededScope:       {"server/scope/named"},
	broken.OmitsMetadataIn403:     {"server/scope/resource-metadata"},
	broken.ChangesScopes:          {"server/scope/stable"},

	broken.AsksForOfflineAccessLater: {"server/scope/no-offline-access"},
	broken.AsksForTooFewScopes:       {"server/scope/challenged-scopes-suffice"},
}

var requestCaught = map[broken.Fault][]string{
	broken.ChecksNoOrigin:         {"server/origin/foreign"},
	broken.ChecksOriginsSince2025: {"server/origin/checked"},
	broken.ChecksNoHost:           {"server/host/foreign"},
	broken.ComparesHostsByCase:    {"server/host/case"},
	broken.ChecksNoContentType:    {"server/message/content-type"},
	broken.EndsNamesAtNUL:         {"server/message/ambiguous"},
	broken.EndsWhenCallersLeave:   {"server/message/survived"},
	broken.ReadsMessagesLeniently: {"server/message/ambiguous"},
	broken.TrustsMirrorHeaders:    {"server/modern/header-mismatch"},
	broken.ChecksNoVersion:        {"server/version/unsupported"},
	broken.RequiresVersion:        {"server/version/absent"},
	broken.AnswersUnknownWith200:  {"server/modern/unknown-method"},
	broken.StartsModernSessions:   {"server/modern/no-sessions"},
}

var sessionCaught = map[broken.Fault][]string{
	broken.SessionsOutliveTokens:    {"server/session/not-authentication", "server/stream/reopened"},
	broken.SharesSessions:           {"server/session/other-user"},
	broken.BindsSessionsToTokens:    {"server/session/refreshed-token"},
	broken.AdoptsSessions:           {"server/session/own-ids"},
	broken.CountsSessions:           {"server/session/unpredictable"},
	broken.SessionsAreNotASCII:      {"server/session/visible-ascii"},
	broken.MissingSessionIs404:      {"server/session/missing"},
	broken.KeepsEndedSessions:       {"server/session/ended"},
	broken.EndsSessionsWithoutToken: {"server/session/ending-needs-token"},
	broken.NeverExpiresSessions:     {"server/session/bounded"},
	broken.SessionsPushOutOthers:    {"server/session/others-kept"},
	broken.StreamsWithoutToken:      {"server/stream/needs-token"},
	broken.ReopensEndedStreams:      {"server/stream/reopened"},
	broken.StreamsAfterExpiry:       {"server/stream/ends-with-token"},
	broken.StreamsEverything:        {"server/stream/own-events"},
	broken.ReplaysEverything:        {"server/stream/resumed-by-another"},
	broken.SendsTokensInEvents:      {"server/answer/log-messages"},
	broken.SendsTokensInLogs:        {"server/answer/request-log-messages"},
}

var answerCaught = map[broken.Fault][]string{
	broken.MarksAnswersPublic: {"server/answer/not-cacheable"},
	broken.ReflectsOrigins:    {"server/answer/foreign-origin"},
	broken.LogsTokens:         {"server/answer/keeps-tokens-to-itself"},
	broken.MixesAnswers:       {"server/answer/own-result"},

	broken.SharesState:            {"server/state/other-user"},
	broken.DeletesStateForOthers:  {"server/state/other-user"},
	broken.CountsHandles:          {"server/state/unpredictable"},
	broken.AcceptsHandlesAsTokens: {"server/state/not-authentication"},

	broken.SharesRequestState:    {"server/request-state/other-user"},
	broken.AcceptsAlteredState:   {"server/request-state/altered"},
	broken.AcceptsOtherArguments: {"server/request-state/one-request"},
	broken.KeepsRequestState:     {"server/request-state/one-request"},
	broken.AcceptsStateTwice:     {"server/request-state/once"},
	broken.AsksForPasswords:      {"server/elicitation/form"},
	broken.SendsPeopleInClear:    {"server/elicitation/url"},
	broken.SendsTokensInAddress:  {"server/elicitation/url"},
	broken.SharesTasks:           {"server/task/other-user"},
	broken.ListsTasksOfAll:       {"server/task/other-user"},
	broken.CancelsTasksOfAnyone:  {"server/task/other-user"},
	broken.CountsTasks:           {"server/task/unpredictable"},

	broken.ListsByConnection:   {"server/list/by-connection"},
	broken.SharesOwnLists:      {"server/list/cache-scope"},
	broken.HidesToolsOnly:      {"server/list/hidden-tools"},
	broken.HidesToolsByScope:   {"server/list/hidden-from-scope", "server/scope/every-method"},
	broken.TrustsArguments:     {"server/caller/from-token"},
	broken.TrustsMeta:          {"server/caller/from-token"},
	broken.TrustsUserHeaders:   {"server/caller/from-token"},
	broken.ListensOnNetwork:    {"server/caller/from-this-machine"},
	broken.GatesToolsOnly:      {"server/scope/every-method"},
	broken.StreamsInNewestOnly: {"server/modern/get-delete"},
	broken.NamesNoSigner:       {"server/metadata/signed"},
	broken.OffersEverything:    {"server/metadata/scopes-minimal"},

	broken.CopiesTokenIDs:         {"server/passthrough/inbound-token"},
	broken.PassesTokensOn:         {"server/passthrough/inbound-token", "server/passthrough/own-token"},
	broken.PassesTokensInBodies:   {"server/passthrough/inbound-token"},
	broken.SendsOwnTokensUpstream: {"server/passthrough/own-token"},
}

var httpCaught = map[broken.Fault][]string{
	broken.RunsAgainWithTrailers:      {"server/http/trailers"},
	broken.AcceptsTokensInTrailers:    {"server/http/trailers", "server/refusal/unread-body"},
	broken.ReadsLengthBeforeChunks:    {"server/http/framing"},
	broken.AcceptsTwoLengths:          {"server/http/framing"},
	broken.AcceptsSpaceBeforeColon:    {"server/http/framing"},
	broken.IgnoresRequestLineHost:     {"server/host/foreign"},
	broken.EndsLinesAtBareLF:          {"server/http/framing"},
	broken.GluesLinesAtBareLF:         {"server/http/framing"},
	broken.ParsesInQuadraticTime:      {"server/limits/linear"},
	broken.WaitsForReaders:            {"server/limits/slow-reading"},
	broken.DecompressesBombs:          {"server/limits/body", "server/http2/body"},
	broken.BreaksOnLongBodiesInFrames: {"server/http2/body"},
	broken.RefusesAllUnderFlood:       {"server/limits/bad-signatures"},
	broken.BreaksOnLongHeaders:        {"server/limits/head"},
	broken.BreaksOnLongBodies:         {"server/limits/body", "server/http2/body"},
	broken.WaitsForSlowRequests:       {"server/limits/slow"},
	broken.RefusesManyConnections:     {"server/limits/idle"},
}

// caughtAtLeastBy names some of the checks that go red for a server that lacks a whole part.
var caughtAtLeastBy = map[broken.Fault][]string{
	broken.IgnoresTokens: {
		"server/challenge/without-token",
		"server/token/garbage",
		"server/token/expired",
		"server/token/foreign-audience",
	},
	broken.SendsNoChallenge:     {"server/challenge/bearer"},
	broken.SendsBrokenChallenge: {"server/challenge/bearer"},
	broken.HasNoMetadata:        {"server/metadata/found"},
	broken.RefusesAllTokens:     {"server/token/accepted"},
	broken.KnowsNoDefaults:      {"server/legacy/default-endpoints", "server/metadata/found"},
}
