package twins_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/conformance/checks/clients"
	"mcpentra/conformance/engine"
	"mcpentra/conformance/twins"
)

// anyRedirect is the checks of redirects from the MCP endpoint.
var anyRedirect = []string{
	"client/isolation/redirect", "client/isolation/path", "client/isolation/redirected-body",
	"client/isolation/subdomain",
}

// clientFinds says which checks go red, and no other, for a client that is broken in one way. Where it is more than one, the rules overlap.
var clientFinds = map[twins.ClientFault][]string{
	twins.ReadsFirstScheme:      {"client/challenge/forms"},
	twins.FollowsBody:           {"client/challenge/body"},
	twins.AsksOwnOriginFirst:    {"client/metadata/followed"},
	twins.IgnoresAddress:        {"client/challenge/forms", "client/metadata/header-first"},
	twins.AsksRootFirst:         {"client/metadata/well-known"},
	twins.ComparesNoResource:    {"client/metadata/resource", "client/metadata/query"},
	twins.RefusesUnknown:        {"client/metadata/unknown-members"},
	twins.TakesAnyDocument:      {"client/metadata/invalid"},
	twins.KeepsMetadata:         {"client/metadata/read-again", "client/isolation/registers-anew"},
	twins.TriesDefaultEndpoints: {"client/issuer/endpoints"},
	twins.KnowsNoOpenID:         {"client/issuer/both-documents", "client/issuer/path", "client/issuer/path-order", "client/issuer/goes-on"},
	twins.AsksOpenIDFirst:       {"client/issuer/root-order"},
	twins.AppendsFirst:          {"client/issuer/path-order"},
	twins.KnowsNoAppending:      {"client/issuer/path"},
	twins.StopsAtClientErrors:   {"client/issuer/goes-on"},
	twins.ComparesNoIssuer:      {"client/issuer/foreign", "client/issuer/identical", "client/issuer/port"},
	twins.ComparesIssuerLoosely: {"client/issuer/identical", "client/issuer/port"},

	twins.RegistersUnasked:      {"client/legacy/metadata-first", "client/issuer/endpoints"},
	twins.KeepsPathInBase:       {"client/legacy/base-url"},
	twins.KnowsNoDefaults:       {"client/legacy/default-endpoints", "client/legacy/base-url"},
	twins.SendsNoRevisionToFind: {"client/legacy/revision-header"},

	twins.RegistersNoRedirect:      {"client/registration/dynamic", "client/registration/redirect-uri"},
	twins.MakesUpID:                {"client/registration/issued-id"},
	twins.SaysNoApplicationType:    {"client/registration/application-type"},
	twins.SaysWeb:                  {"client/registration/application-type-fits"},
	twins.ListsNoRefreshGrant:      {"client/registration/refresh-grant"},
	twins.GoesOnUnregistered:       {"client/registration/rejected"},
	twins.HidesRejection:           {"client/registration/rejection-told"},
	twins.TakesAnyID:               {"client/registration/answer"},
	twins.RegistersAnyway:          {"client/registration/pre-registered"},
	twins.PrefersRegistration:      {"client/registration/document"},
	twins.UsesDocumentDeclined:     {"client/registration/document-flag"},
	twins.NamesAnotherDocument:     {"client/document/fields", "client/document/hosted"},
	twins.LeavesOutRedirects:       {"client/document/fields"},
	twins.PublishesSecret:          {"client/document/no-secret"},
	twins.HasDocumentAtRoot:        {"client/registration/document-url"},
	twins.RegistersAnotherRedirect: {"client/registration/redirect-uri"},
	twins.UsesForeignRedirect:      {"client/registration/redirect-uri-safe"},

	twins.SendsNoPKCE:              {"client/pkce/verifier", "client/pkce/s256", "client/pkce/never-plain", "client/pkce/fresh", "client/legacy/default-endpoints"},
	twins.UsesPlain:                {"client/pkce/s256", "client/pkce/never-plain", "client/legacy/default-endpoints"},
	twins.IgnoresAdvertisedPKCE:    {"client/pkce/gate"},
	twins.FallsBackToPlain:         {"client/pkce/never-plain"},
	twins.ReusesVerifier:           {"client/pkce/fresh"},
	twins.FallsBackToImplicit:      {"client/authorization/code-only"},
	twins.ReusesState:              {"client/state/sent", "client/state/verified"},
	twins.LeavesOutResourceAsking:  {"client/resource/authorization", "client/isolation/one-issuer"},
	twins.LeavesOutResourceToken:   {"client/resource/token", "client/resource/kept"},
	twins.LeavesOutResourceRefresh: {"client/resource/refresh"},
	twins.SendsOriginAsResource:    {"client/resource/value", "client/resource/canonical", "client/isolation/one-issuer", "client/machine/resource", "client/enterprise/exchange", "client/device/resource"},
	twins.SendsResourceAsGiven:     {"client/resource/canonical"},
	twins.DropsRefusedResource:     {"client/resource/kept"},
	twins.IgnoresChallengedScope:   {"client/scope/challenge", "client/scope/authoritative", "client/scope/least", "client/step-up/union"},
	twins.DropsUnlistedScopes:      {"client/scope/challenge", "client/scope/authoritative"},
	twins.IgnoresListedScopes:      {"client/scope/metadata"},
	twins.AsksForSomeScope:         {"client/scope/omitted"},
	twins.AsksForAllScopes:         {"client/scope/least"},
	twins.AddsOfflineAccess:        {"client/scope/omitted", "client/scope/offline-access"},

	twins.ComparesNoState:         {"client/state/verified", "client/callback/undisturbed"},
	twins.EndsWithAnyRequest:      {"client/callback/undisturbed"},
	twins.AnswersAnyPath:          {"client/callback/stray"},
	twins.RedeemsEveryAnswer:      {"client/callback/once"},
	twins.ReflectsAnswer:          {"client/callback/escaped"},
	twins.RefusesUnannouncedIss:   {"client/iss/accepted"},
	twins.ComparesNoIss:           {"client/iss/foreign", "client/iss/missing", "client/iss/unannounced", "client/iss/identical", "client/iss/error", "client/iss/port"},
	twins.TakesMissingIss:         {"client/iss/missing"},
	twins.ComparesAnnouncedIss:    {"client/iss/unannounced"},
	twins.ComparesIssLoosely:      {"client/iss/identical", "client/iss/port"},
	twins.ShowsAnyError:           {"client/iss/error"},
	twins.KeepsListening:          {"client/callback/closed"},
	twins.MixesSignInsUp:          {"client/flow/mixed-up"},
	twins.AlwaysPostsSecret:       {"client/token-endpoint/method", "client/sign-out/authenticated"},
	twins.SendsSecretTwice:        {"client/token-endpoint/one-method"},
	twins.SendsTokenInBody:        {"client/token/header"},
	twins.SendsTokenInQuery:       {"client/token/not-in-url"},
	twins.SendsTokenWhenAsked:     {"client/token/every-request"},
	twins.ExpectsShortTokens:      {"client/token/opaque"},
	twins.WantsOneTokenType:       {"client/token/type-case"},
	twins.RefusesUnknownInAnswers: {"client/token/unknown-members"},
	twins.TakesIDToken:            {"client/token/id-token"},
	twins.TakesAnyToken:           {"client/token/unusable"},
	twins.RefreshesForever:        {"client/token/lifetime"},
	twins.WritesTokenForAll:       {"client/storage/private", "client/storage/links"},
	twins.RefreshesWithNothing:    {"client/refresh/not-assumed"},
	twins.KeepsOldRefresh:         {"client/refresh/rotation"},
	twins.RefreshesAnywhere:       {"client/refresh/confidential", "client/isolation/issuer-change"},
	twins.ForgetsAtOutage:         {"client/refresh/outage"},
	twins.GivesUpAtStepUp:         {"client/step-up/attempted"},
	twins.ForgetsScopes:           {"client/step-up/union"},
	twins.DoesNotRepeat:           {"client/step-up/repeats"},
	twins.StepsUpForever:          {"client/step-up/limit", "client/step-up/tracked"},
	twins.TakesManyScopes:         {"client/step-up/flood"},
	twins.SignsInForever:          {"client/refusal/limit"},

	twins.KeepsClientID:        {"client/isolation/issuer-change", "client/isolation/registers-anew", "client/isolation/two-servers"},
	twins.SendsConfiguredID:    {"client/isolation/pre-registered"},
	twins.HasOneToken:          {"client/isolation/two-servers", "client/isolation/one-issuer", "client/isolation/accounts"},
	twins.KeysTokensByIssuer:   {"client/isolation/one-issuer", "client/isolation/accounts", "client/sign-out/forgotten"},
	twins.FollowsToPaths:       {"client/isolation/path"},
	twins.StopsAtMalformed:     {"client/challenge/malformed"},
	twins.IgnoresResourceQuery: {"client/metadata/query"},
	twins.TakesTokenWithError:  {"client/token/error"},
	twins.AsksDeclinedAgain:    {"client/step-up/declined"},
	twins.SignsInWhenSlow:      {"client/authorization/once"},
	twins.RegistersFirstScopes: {"client/step-up/registered"},
	twins.FollowsRedirects:     anyRedirect,
	twins.FollowsBareRedirects: {"client/isolation/redirected-body"},
	twins.FollowsTokenRedirect: {"client/isolation/token-redirect", "client/sign-out/confidential"},
	twins.SendsTokenEverywhere: {"client/isolation/elsewhere", "client/isolation/issuer-change", "client/isolation/pre-registered"},

	twins.OpensAnything:            {"client/open/scheme", "client/open/allowlist", "client/device/address"},
	twins.BlocksKnownSchemes:       {"client/open/scheme", "client/open/allowlist"},
	twins.OpensWithShell:           {"client/open/shell"},
	twins.OpensDocumentation:       {"client/open/nothing-else"},
	twins.AllowsPlainHTTP:          {"client/address/plain-http"},
	twins.FollowsMetadataRedirects: {"client/address/redirect"},
	twins.SplitsAddresses:          {"client/address/injection"},
	twins.ProxiesLoopback:          {"client/proxy/loopback", "client/address/plain-http"},
	twins.ReadsWithoutEnd:          {"client/limit/metadata", "client/limit/token", "client/limit/unpacked", "client/stream/endless"},
	twins.HangsOnLongChallenges:    {"client/limit/challenge"},
	twins.FetchesReferences:        {"client/tools/reference"},
	twins.CallsAnyTool:             {"client/tools/header"},

	twins.TakesAnyResponse: {"client/stream/other-id"},
	twins.ResumesForever:   {"client/stream/resumed"},
	twins.SplitsEventIDs:   {"client/stream/resumed"},

	twins.DropsSessionAtRetry:   {"client/session/repeated"},
	twins.StaysInDeadSession:    {"client/session/begun-anew"},
	twins.SendsSessionInQuery:   {"client/session/protected"},
	twins.SendsNoRevision:       {"client/revision/header"},
	twins.SendsNoStandard:       {"client/revision/standard-headers"},
	twins.FallsBackAlways:       {"client/revision/fallback"},
	twins.VerifiesNoCertificate: {"client/tls/verified"},

	twins.MachineHasNoSecret:     {"client/machine/authenticates"},
	twins.MachineRegisters:       {"client/machine/no-registration"},
	twins.MachineNamesNoResource: {"client/machine/resource"},
	twins.DeclaresNoExtension:    {"client/machine/declared", "client/enterprise/declared"},

	twins.AssertsForEver:      {"client/machine/assertion"},
	twins.AssertsForResource:  {"client/machine/assertion"},
	twins.AssertsOtherSubject: {"client/machine/assertion"},

	twins.ExchangesForProvider:  {"client/enterprise/exchange"},
	twins.RedeemsWithoutSecret:  {"client/enterprise/redeemed"},
	twins.SendsIDTokenAlong:     {"client/enterprise/confidential"},
	twins.ShowsPageOfEnterprise: {"client/enterprise/no-page"},

	twins.ComparesResourceLoosely: {"client/metadata/resource"},
	twins.TakesRepeatedAnswers:    {"client/answer/repeated"},
	twins.HangsOnNesting:          {"client/limit/nested"},
	twins.AllowsPrivate:           {"client/address/private"},
	twins.KnowsUsualRanges:        {"client/address/private"},
	twins.FollowsToSubdomains:     {"client/isolation/subdomain"},
	twins.ShowsCode:               {"client/callback/secret"},
	twins.ReadsFiles:              {"client/address/file"},
	twins.DropsHeadersAtStepUp:    {"client/revision/standard-headers"},
	twins.SpeaksOldTLS:            {"client/tls/version"},
	twins.ListensEverywhere:       {"client/callback/loopback"},
	twins.WaitsForAnyAnswer:       {"client/limit/slow"},
	twins.WritesThroughLinks:      {"client/storage/links"},
	twins.RefreshesAtOnce:         {"client/storage/two-at-once"},
	twins.ForgetsAttempts:         {"client/step-up/tracked"},
	twins.SharesAccounts:          {"client/isolation/accounts"},
	twins.CachesForAll:            {"client/cache/private"},
	twins.ServesNoDocument:        {"client/document/hosted"},
	twins.ServesPageForDocument:   {"client/document/hosted"},
	twins.MovesDocument:           {"client/document/hosted"},
	twins.OpensElicited:           {"client/elicitation/url"},
	twins.FetchesElicited:         {"client/elicitation/url"},

	twins.HidesDeviceCode:       {"client/device/shown"},
	twins.DeviceNamesNoResource: {"client/device/resource"},
	twins.AsksWithoutPause:      {"client/device/interval", "client/device/slow-down"},
	twins.IgnoresSlowDown:       {"client/device/slow-down"},
	twins.AsksAfterRefusal:      {"client/device/ended"},
	twins.ShowsAnyDeviceAddress: {"client/device/address"},
	twins.OpensDeviceAddress:    {"client/device/address"},

	twins.RevokesNothing:         {"client/sign-out/revokes"},
	twins.RevokesAccessOnly:      {"client/sign-out/revokes"},
	twins.RevokesUnauthenticated: {"client/sign-out/authenticated"},
	twins.RevokesInQuery:         {"client/sign-out/confidential"},
	twins.HidesFailedRevocation:  {"client/sign-out/outage"},
	twins.KeepsTokensAtSignOut:   {"client/sign-out/forgotten"},
}

// stepUps is the checks that look at a step up which was begun.
var stepUps = []string{
	"client/step-up/union", "client/step-up/repeats", "client/step-up/registered", "client/step-up/declined",
}

// doesNotApply says which checks have nothing to look at in a client that is broken in one way.
var doesNotApply = map[twins.ClientFault][]string{
	twins.GivesUpAtStepUp:     stepUps,
	twins.PrefersRegistration: {"client/document/fields", "client/document/no-secret", "client/document/hosted"},
	twins.UsesForeignRedirect: {"client/callback/loopback", "client/callback/secret", "client/callback/undisturbed"},
	twins.HasOneToken:         {"client/cache/private"},
	twins.SharesAccounts:      {"client/cache/private"},
	twins.KeysTokensByIssuer:  {"client/cache/private"},
	twins.ProxiesLoopback:     {"client/address/redirect"},
	twins.RevokesNothing:      {"client/sign-out/authenticated", "client/sign-out/confidential", "client/sign-out/outage"},
}

func TestAClientWithoutFaultsKeepsEveryRule(t *testing.T) {
	t.Parallel()
	for _, check := range clients.All() {
		t.Run(check.ID, func(t *testing.T) {
			t.Parallel()
			for _, result := range engine.RunClient(t.Context(), check, twins.Client()) {
				assert.Equal(t, engine.Pass, result.Verdict, "%s: %v", result.Name(), result.Err)
			}
		})
	}
}

// TestEachFaultOfAClientIsFoundByItsChecks tries a broken client with the checks that should find it. With TWIN_MATRIX=full in the environment, as make twins has
// it, it is all checks, of which the others have to pass.
func TestEachFaultOfAClientIsFoundByItsChecks(t *testing.T) {
	t.Parallel()
	for fault, red := range clientFinds {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			for _, check := range clients.All() {
				if !full() && !slices.Contains(red, check.ID) {
					continue
				}
				worst := engine.Skip
				var errs []error
				for _, result := range engine.RunClient(t.Context(), check, twins.Client(fault)) {
					worst, errs = max(worst, result.Verdict), append(errs, result.Err)
				}
				want := engine.Pass
				switch {
				case slices.Contains(doesNotApply[fault], check.ID):
					want = engine.Skip
				case !slices.Contains(red, check.ID):
				case check.Level == engine.Must:
					want = engine.Fail
				case check.Level == engine.Should:
					want = engine.Warn
				default:
					want = engine.Note
				}
				assert.Equal(t, want, worst, "%s: %v", check.ID, errors.Join(errs...))
			}
		})
	}
}

func TestEveryCheckOfClientsHasATwinThatFailsIt(t *testing.T) {
	t.Parallel()
	for _, check := range clients.All() {
		if check.ID == "client/flow/completes" {
			continue // A client that fails it fails the control of every other check: nothing is judged.
		}
		found := false
		for _, red := range clientFinds {
			found = found || slices.Contains(red, check.ID)
		}
		assert.True(t, found, "%s is failed by no twin", check.ID)
	}
}

func TestAClientThatDoesNothingIsNotJudged(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]engine.ClientTarget{
		"ends at once":          {Run: func(context.Context, engine.Task) error { return nil }, Abilities: engine.Abilities()},
		"fails at once":         {Run: func(context.Context, engine.Task) error { return errors.New("no") }, Abilities: engine.Abilities(), Revisions: engine.Revisions()},
		"gives up at a refusal": func() engine.ClientTarget { return twins.Client(twins.GivesUpAtRefusal) }(),
	} {
		for _, check := range clients.All() {
			for _, result := range engine.RunClient(t.Context(), check, target) {
				if target.Revisions == nil && result.Verdict == engine.Skip {
					continue // It may not speak the revision.
				}
				assert.Equal(t, engine.Error, result.Verdict, "%s: %s: %v", name, result.Name(), result.Err)
			}
		}
	}
}

func ExampleClient() {
	for _, check := range clients.All() {
		if check.ID == "client/pkce/s256" {
			fmt.Println(engine.RunClient(context.Background(), check, twins.Client(twins.UsesPlain))[0].Verdict)
		}
	}
	// Output: fail
}
