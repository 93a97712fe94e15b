package broken_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/checks"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/broken"
)

// anyRedirect lists the checks of redirects from the MCP endpoint.
var anyRedirect = []string{
	"client/isolation/redirect", "client/isolation/path", "client/isolation/redirected-body",
	"client/isolation/subdomain",
}

// caughtBy has, for each fault, exactly the checks that fail. Where there are several, their rules
// overlap. A new fault belongs here, and each check must be in at least one list.
var caughtBy = map[broken.Fault][]string{
	broken.ReadsFirstScheme:      {"client/challenge/forms"},
	broken.FollowsBody:           {"client/challenge/body"},
	broken.AsksOwnOriginFirst:    {"client/metadata/followed"},
	broken.IgnoresAddress:        {"client/challenge/forms", "client/metadata/header-first"},
	broken.AsksRootFirst:         {"client/metadata/well-known"},
	broken.ComparesNoResource:    {"client/metadata/resource", "client/metadata/query"},
	broken.PrintsTokens:          {"client/output/no-tokens"},
	broken.RefusesUnknown:        {"client/metadata/unknown-members"},
	broken.TakesAnyDocument:      {"client/metadata/invalid"},
	broken.KeepsMetadata:         {"client/metadata/read-again", "client/isolation/registers-anew"},
	broken.TriesDefaultEndpoints: {"client/issuer/endpoints"},
	broken.KnowsNoOpenID: {
		"client/issuer/both-documents",
		"client/issuer/path",
		"client/issuer/path-order",
		"client/issuer/goes-on",
	},
	broken.AsksOpenIDFirst:       {"client/issuer/root-order"},
	broken.AppendsFirst:          {"client/issuer/path-order"},
	broken.KnowsNoAppending:      {"client/issuer/path"},
	broken.StopsAtClientErrors:   {"client/issuer/goes-on"},
	broken.ComparesNoIssuer:      {"client/issuer/foreign", "client/issuer/identical", "client/issuer/port"},
	broken.ComparesIssuerLoosely: {"client/issuer/identical", "client/issuer/port"},

	broken.RegistersUnasked:      {"client/legacy/metadata-first", "client/issuer/endpoints"},
	broken.KeepsPathInBase:       {"client/legacy/base-url"},
	broken.KnowsNoDefaults:       {"client/legacy/default-endpoints", "client/legacy/base-url"},
	broken.SendsNoRevisionToFind: {"client/legacy/revision-header"},

	broken.RegistersNoRedirect:      {"client/registration/dynamic", "client/registration/redirect-uri"},
	broken.MakesUpID:                {"client/registration/issued-id"},
	broken.SaysNoApplicationType:    {"client/registration/application-type"},
	broken.SaysWeb:                  {"client/registration/application-type-fits"},
	broken.ListsNoRefreshGrant:      {"client/registration/refresh-grant"},
	broken.GoesOnUnregistered:       {"client/registration/rejected"},
	broken.HidesRejection:           {"client/registration/rejection-told"},
	broken.TakesAnyID:               {"client/registration/answer"},
	broken.RegistersAnyway:          {"client/registration/pre-registered"},
	broken.PrefersRegistration:      {"client/registration/document"},
	broken.UsesDocumentDeclined:     {"client/registration/document-flag"},
	broken.NamesAnotherDocument:     {"client/document/fields", "client/document/hosted"},
	broken.LeavesOutRedirects:       {"client/document/fields"},
	broken.PublishesSecret:          {"client/document/no-secret"},
	broken.HasDocumentAtRoot:        {"client/registration/document-url"},
	broken.RegistersAnotherRedirect: {"client/registration/redirect-uri"},
	broken.UsesForeignRedirect:      {"client/registration/redirect-uri-safe"},

	broken.SendsNoPKCE: {
		"client/pkce/verifier",
		"client/pkce/s256",
		"client/pkce/never-plain",
		"client/pkce/fresh",
		"client/legacy/default-endpoints",
	},
	broken.UsesPlain:                {"client/pkce/s256", "client/pkce/never-plain", "client/legacy/default-endpoints"},
	broken.IgnoresAdvertisedPKCE:    {"client/pkce/gate"},
	broken.FallsBackToPlain:         {"client/pkce/never-plain"},
	broken.ReusesVerifier:           {"client/pkce/fresh"},
	broken.FallsBackToImplicit:      {"client/authorization/code-only"},
	broken.ReusesState:              {"client/state/sent", "client/state/verified"},
	broken.LeavesOutResourceAsking:  {"client/resource/authorization", "client/isolation/one-issuer"},
	broken.LeavesOutResourceToken:   {"client/resource/token", "client/resource/kept"},
	broken.LeavesOutResourceRefresh: {"client/resource/refresh"},
	broken.SendsOriginAsResource: {
		"client/resource/value",
		"client/resource/canonical",
		"client/isolation/one-issuer",
		"client/machine/resource",
		"client/enterprise/exchange",
		"client/device/resource",
	},
	broken.SendsForeignResource: {
		"client/resource/value",
		"client/resource/canonical",
		"client/isolation/one-issuer",
		"client/machine/resource",
		"client/enterprise/exchange",
		"client/device/resource",
	},
	broken.SendsResourceAsGiven: {"client/resource/canonical"},
	broken.DropsRefusedResource: {"client/resource/kept"},
	broken.IgnoresChallengedScope: {
		"client/scope/challenge",
		"client/scope/authoritative",
		"client/scope/least",
	},
	broken.DropsUnlistedScopes: {"client/scope/challenge", "client/scope/authoritative"},
	broken.IgnoresListedScopes: {"client/scope/metadata"},
	broken.AsksForSomeScope:    {"client/scope/omitted"},
	broken.AsksForAllScopes:    {"client/scope/least"},
	broken.AddsOfflineAccess:   {"client/scope/omitted", "client/scope/offline-access"},

	broken.ComparesNoState:         {"client/state/verified", "client/callback/undisturbed"},
	broken.EndsWithAnyRequest:      {"client/callback/undisturbed"},
	broken.AnswersAnyPath:          {"client/callback/stray"},
	broken.RedeemsEveryAnswer:      {"client/callback/once"},
	broken.ReflectsAnswer:          {"client/callback/escaped"},
	broken.RefusesUnannouncedIss:   {"client/iss/accepted"},
	broken.ComparesNoIss:           {"client/iss/foreign"},
	broken.TakesMissingIss:         {"client/iss/missing"},
	broken.ComparesAnnouncedIss:    {"client/iss/unannounced"},
	broken.ComparesIssLoosely:      {"client/iss/identical", "client/iss/port"},
	broken.ShowsAnyError:           {"client/iss/error"},
	broken.KeepsListening:          {"client/callback/closed"},
	broken.MixesSignInsUp:          {"client/flow/mixed-up"},
	broken.AlwaysPostsSecret:       {"client/token-endpoint/method", "client/sign-out/authenticated"},
	broken.SendsSecretTwice:        {"client/token-endpoint/one-method"},
	broken.SendsTokenInBody:        {"client/token/header"},
	broken.SendsTokenInQuery:       {"client/token/not-in-url"},
	broken.SendsTokenWhenAsked:     {"client/token/every-request"},
	broken.ExpectsShortTokens:      {"client/token/opaque"},
	broken.WantsOneTokenType:       {"client/token/type-case"},
	broken.RefusesUnknownInAnswers: {"client/token/unknown-members"},
	broken.TakesIDToken:            {"client/token/id-token"},
	broken.TakesAnyToken:           {"client/token/unusable"},
	broken.RefreshesForever:        {"client/token/lifetime"},
	broken.WritesTokenForAll:       {"client/storage/private", "client/storage/links"},
	broken.RefreshesWithNothing:    {"client/refresh/not-assumed"},
	broken.KeepsOldRefresh:         {"client/refresh/rotation"},
	broken.RefreshesAnywhere:       {"client/refresh/confidential", "client/isolation/issuer-change"},
	broken.ForgetsAtOutage:         {"client/refresh/outage"},
	broken.GivesUpAtStepUp:         {"client/step-up/attempted"},
	broken.ForgetsScopes:           {"client/step-up/union"},
	broken.DoesNotRepeat:           {"client/step-up/repeats"},
	broken.StepsUpForever:          {"client/step-up/limit", "client/step-up/tracked"},
	broken.TakesManyScopes:         {"client/step-up/flood"},
	broken.SignsInForever:          {"client/refusal/limit"},

	broken.KeepsClientID: {
		"client/isolation/issuer-change",
		"client/isolation/registers-anew",
		"client/isolation/two-servers",
	},
	broken.SendsConfiguredID: {"client/isolation/pre-registered"},
	broken.HasOneToken: {
		"client/isolation/two-servers",
		"client/isolation/one-issuer",
		"client/isolation/accounts",
	},
	broken.KeysTokensByIssuer: {
		"client/isolation/one-issuer",
		"client/isolation/accounts",
		"client/sign-out/forgotten",
	},
	broken.FollowsToPaths:       {"client/isolation/path"},
	broken.StopsAtMalformed:     {"client/challenge/malformed"},
	broken.IgnoresResourceQuery: {"client/metadata/query"},
	broken.TakesTokenWithError:  {"client/token/error"},
	broken.AsksDeclinedAgain:    {"client/step-up/declined"},
	broken.SignsInWhenSlow:      {"client/authorization/once"},
	broken.RegistersFirstScopes: {"client/step-up/registered"},
	broken.FollowsRedirects:     anyRedirect,
	broken.FollowsBareRedirects: {"client/isolation/redirected-body"},
	broken.FollowsTokenRedirect: {"client/isolation/token-redirect", "client/sign-out/confidential"},
	broken.SendsTokenEverywhere: {
		"client/isolation/elsewhere",
		"client/isolation/issuer-change",
		"client/isolation/pre-registered",
	},

	broken.OpensAnything:            {"client/open/scheme", "client/open/allowlist", "client/device/address"},
	broken.BlocksKnownSchemes:       {"client/open/scheme", "client/open/allowlist"},
	broken.OpensWithShell:           {"client/open/shell"},
	broken.OpensDocumentation:       {"client/open/nothing-else"},
	broken.AllowsPlainHTTP:          {"client/address/plain-http"},
	broken.FollowsMetadataRedirects: {"client/address/redirect"},
	broken.FollowsEveryRedirect:     {"client/limit/redirects"},
	broken.KeepsRefusedRefresh:      {"client/refresh/refused"},
	broken.SplitsAddresses:          {"client/address/injection"},
	broken.ProxiesLoopback:          {"client/proxy/loopback", "client/address/plain-http"},
	broken.ReadsWithoutEnd: {
		"client/limit/metadata",
		"client/limit/token",
		"client/limit/unpacked",
		"client/stream/endless",
	},
	broken.ReadsCallsWithoutEnd:  {"client/stream/endless"},
	broken.ListensWithoutEnd:     {"client/stream/endless"},
	broken.HangsOnLongChallenges: {"client/limit/challenge"},
	broken.FetchesReferences:     {"client/tools/reference"},
	broken.CallsAnyTool:          {"client/tools/header"},

	broken.TakesAnyResponse: {"client/stream/other-id", "client/stream/flood"},
	broken.ResumesForever:   {"client/stream/resumed"},
	broken.SplitsEventIDs:   {"client/stream/resumed"},

	broken.DropsSessionAtRetry:   {"client/session/repeated"},
	broken.StaysInDeadSession:    {"client/session/begun-anew"},
	broken.SendsSessionInQuery:   {"client/session/protected"},
	broken.SendsNoRevision:       {"client/revision/header"},
	broken.SendsNoStandard:       {"client/revision/standard-headers"},
	broken.FallsBackAlways:       {"client/revision/fallback"},
	broken.VerifiesNoCertificate: {"client/tls/verified"},

	broken.MachineHasNoSecret:     {"client/machine/authenticates"},
	broken.MachineRegisters:       {"client/machine/no-registration"},
	broken.MachineNamesNoResource: {"client/machine/resource"},
	broken.DeclaresNoExtension:    {"client/machine/declared", "client/enterprise/declared"},

	broken.AssertsWithoutEnd:   {"client/machine/assertion"},
	broken.AssertsForResource:  {"client/machine/assertion"},
	broken.AssertsOtherSubject: {"client/machine/assertion"},

	broken.ExchangesForProvider:  {"client/enterprise/exchange"},
	broken.RedeemsWithoutSecret:  {"client/enterprise/redeemed"},
	broken.SendsIDTokenAlong:     {"client/enterprise/confidential"},
	broken.ShowsPageOfEnterprise: {"client/enterprise/no-page"},

	broken.ComparesResourceLoosely: {"client/metadata/resource"},
	broken.TakesRepeatedAnswers:    {"client/answer/repeated"},
	broken.HangsOnNesting:          {"client/limit/nested"},
	broken.AllowsPrivate:           {"client/address/private"},
	broken.KnowsUsualRanges:        {"client/address/private"},
	broken.FollowsToSubdomains:     {"client/isolation/subdomain"},
	broken.ShowsCode:               {"client/callback/secret"},
	broken.ReadsFiles:              {"client/address/file"},
	broken.DropsHeadersAtStepUp:    {"client/revision/standard-headers"},
	broken.SpeaksOldTLS:            {"client/tls/version"},
	broken.ListensEverywhere:       {"client/callback/loopback"},
	broken.WaitsForAnyAnswer:       {"client/limit/slow"},
	broken.WritesThroughLinks:      {"client/storage/links"},
	broken.RefreshesAtOnce:         {"client/storage/two-at-once"},
	broken.ForgetsAttempts:         {"client/step-up/tracked"},
	broken.SharesAccounts:          {"client/isolation/accounts"},
	broken.CachesForAll:            {"client/cache/private"},
	broken.ServesNoDocument:        {"client/document/hosted"},
	broken.ServesPageForDocument:   {"client/document/hosted"},
	broken.MovesDocument:           {"client/document/hosted"},
	broken.OpensElicited:           {"client/elicitation/url"},
	broken.FetchesElicited:         {"client/elicitation/url"},

	broken.HidesDeviceCode:       {"client/device/shown"},
	broken.DeviceNamesNoResource: {"client/device/resource"},
	broken.AsksWithoutPause:      {"client/device/interval", "client/device/slow-down"},
	broken.IgnoresSlowDown:       {"client/device/slow-down"},
	broken.AsksAfterRefusal:      {"client/device/ended"},
	broken.ShowsAnyDeviceAddress: {"client/device/address"},
	broken.OpensDeviceAddress:    {"client/device/address"},

	broken.RevokesNothing:         {"client/sign-out/revokes"},
	broken.RevokesAccessOnly:      {"client/sign-out/revokes"},
	broken.RevokesUnauthenticated: {"client/sign-out/authenticated"},
	broken.RevokesInQuery:         {"client/sign-out/confidential"},
	broken.HidesFailedRevocation:  {"client/sign-out/outage"},
	broken.KeepsTokensAtSignOut:   {"client/sign-out/forgotten"},

	broken.RegistersEverywhere:  {"client/metadata/several-servers"},
	broken.AnswersAnyHost:       {"client/callback/host"},
	broken.KeepsExpiredSecret:   {"client/registration/expired-secret"},
	broken.HangsOnManyResponses: {"client/stream/flood"},
	broken.SignsInUnasked:       {"client/metadata/header-first"},
}

// stepUps lists the checks that need a client that steps up.
var stepUps = []string{
	"client/step-up/union", "client/step-up/repeats", "client/step-up/registered", "client/step-up/declined",
}

// doesNotApply has, for some faults, the checks that do not apply to the broken client.
var doesNotApply = map[broken.Fault][]string{
	broken.GivesUpAtStepUp: stepUps,
	broken.ComparesNoIss: {
		"client/iss/missing", "client/iss/unannounced", "client/iss/identical", "client/iss/error", "client/iss/port",
	},
	broken.IgnoresChallengedScope: {"client/step-up/union"},
	broken.SignsInUnasked: {
		"client/challenge/forms", "client/challenge/malformed", "client/scope/challenge", "client/scope/authoritative",
		"client/scope/least", "client/address/file", "client/step-up/union",
	},
	broken.PrefersRegistration: {"client/document/fields", "client/document/no-secret", "client/document/hosted"},
	broken.UsesForeignRedirect: {
		"client/callback/loopback", "client/callback/secret", "client/callback/undisturbed", "client/callback/stray",
		"client/callback/once", "client/callback/escaped", "client/callback/host",
	},
	broken.HasOneToken:        {"client/cache/private"},
	broken.SharesAccounts:     {"client/cache/private"},
	broken.KeysTokensByIssuer: {"client/cache/private"},
	broken.ProxiesLoopback:    {"client/address/redirect"},
	broken.RevokesNothing: {
		"client/sign-out/authenticated",
		"client/sign-out/confidential",
		"client/sign-out/outage",
	},
}

func TestClientWithoutFaultsKeepsEveryRule(t *testing.T) {
	t.Parallel()
	for _, current := range checks.All() {
		t.Run(current.ID, func(t *testing.T) {
			t.Parallel()
			for _, result := range bench.Run(t.Context(), current, broken.Client()) {
				assert.Equal(t, check.Pass, result.Verdict, "%s: %v", result.Name(), result.Err)
			}
		})
	}
}

// TestChecksCatchBrokenClients tries each broken client with the checks that must catch it, at the
// two newest revisions that have their rules. With BROKEN_MATRIX=full in the environment, as in
// make broken, it tries all checks at all revisions. The others must pass.
func TestChecksCatchBrokenClients(t *testing.T) {
	t.Parallel()
	for fault, red := range caughtBy {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			for _, current := range checks.All() {
				if !full() && !slices.Contains(red, current.ID) {
					continue
				}
				want := wantVerdict(fault, current)
				target := broken.Client(fault)
				target.Revisions = tried(current)
				patience := time.Minute
				if slices.Contains(hanging, fault) && slices.Contains(red, current.ID) {
					patience = target.Timeout
					target.Timeout = 2 * time.Second
				}
				alone.RLock()
				worst, err := runOnce(t, target, current)
				alone.RUnlock()
				if worst != want { // on a busy machine, or at older revisions
					target.Timeout = patience
					target.Revisions = check.Revisions()
					alone.Lock()
					worst, err = runOnce(t, target, current)
					alone.Unlock()
				}
				assert.Equal(t, want, worst, "%s: %v", current.ID, err)
			}
		})
	}
}

// tried returns the revisions to try a check at first.
func tried(current bench.Check) []check.Revision {
	all := check.Revisions()
	if full() {
		return all
	}
	applying := slices.DeleteFunc(all, func(revision check.Revision) bool {
		return len(current.Revisions) > 0 && !slices.Contains(current.Revisions, revision)
	})
	return applying[max(0, len(applying)-2):]
}

// hanging lists the faults whose checks wait until each run is over.
var hanging = []broken.Fault{broken.HangsOnLongChallenges, broken.HangsOnNesting, broken.HangsOnManyResponses}

// alone lets a check run while no other broken client is tried.
var alone sync.RWMutex

// runOnce returns the worst verdict of a check at all revisions, and all its errors.
func runOnce(t *testing.T, target bench.Target, current bench.Check) (check.Verdict, error) {
	t.Helper()
	worst := check.Skip
	var errs []error
	for _, result := range bench.Run(t.Context(), current, target) {
		worst = max(worst, result.Verdict)
		errs = append(errs, result.Err)
	}
	return worst, errors.Join(errs...)
}

// breaksShould has, for faults in caughtBy, the checks of a MUST that only warn.
var breaksShould = map[broken.Fault][]string{
	broken.SendsOriginAsResource: {"client/resource/value", "client/machine/resource", "client/device/resource"},
}

// wantVerdict returns the verdict of a check on a client with a fault.
func wantVerdict(fault broken.Fault, current bench.Check) check.Verdict {
	switch {
	case slices.Contains(doesNotApply[fault], current.ID):
		return check.Skip
	case slices.Contains(breaksShould[fault], current.ID):
		return check.Warn
	case !slices.Contains(caughtBy[fault], current.ID):
		return check.Pass
	case current.Level == check.Must:
		return check.Fail
	case current.Level == check.Should:
		return check.Warn
	}
	return check.Note
}

func TestEveryCheckCatchesBrokenClient(t *testing.T) {
	t.Parallel()
	for _, check := range checks.All() {
		if check.ID == "client/flow/completes" {
			continue // A client that fails it also fails the control of every other check.
		}
		found := false
		for _, red := range caughtBy {
			found = found || slices.Contains(red, check.ID)
		}
		assert.True(t, found, "%s catches no broken client", check.ID)
	}
}

// TestUselessClientIsReportedOnce tries clients that never sign in. One check reports it, and the
// others are skipped.
func TestUselessClientIsReportedOnce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		target bench.Target
	}{
		{"ends at once", bench.Target{
			Run:       func(context.Context, bench.Task) error { return nil },
			Abilities: bench.Abilities(),
		}},
		{"fails at once", bench.Target{
			Run:       func(context.Context, bench.Task) error { return errors.New("no") },
			Abilities: bench.Abilities(),
			Revisions: check.Revisions(),
		}},
		{"gives up at a 401", broken.Client(broken.GivesUpAtRefusal)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var bound []check.Bound
			for _, current := range test.target.Bind(checks.All()...) {
				isBelow := func(topic string) bool { return strings.HasPrefix(current.ID, topic) }
				if !slices.ContainsFunc(ownSignIns, isBelow) {
					bound = append(bound, current)
				}
			}
			report, err := check.Run(t.Context(), bound, check.Selection{Parallel: 4})
			require.NoError(t, err)
			for i, result := range report.Results {
				want := check.Skip
				if i == 0 {
					want = check.Error
				}
				assert.Equal(t, want, result.Verdict, "%s: %v", result.Name(), result.Err)
			}
		})
	}
}

// ownSignIns are the topics of checks whose clients sign in without a browser. They are judged
// alone.
var ownSignIns = []string{"client/device/", "client/machine/", "client/enterprise/"}

func ExampleClient() {
	for _, check := range checks.All() {
		if check.ID == "client/pkce/s256" {
			fmt.Println(bench.Run(context.Background(), check, broken.Client(broken.UsesPlain))[0].Verdict)
		}
	}
	// Output: fail
}

// full reports whether each broken client is tried with every check.
func full() bool { return os.Getenv("BROKEN_MATRIX") == "full" }
