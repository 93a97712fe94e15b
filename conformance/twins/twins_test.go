package twins_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/checks"
	"mcpentra/conformance/engine"
	"mcpentra/conformance/twins"
)

// finds says which checks go red, and no other, for a server that is broken in one way. Where it is more than one, the rules overlap.
var finds = map[twins.Fault][]string{
	twins.ServesEverybody: {
		"server/challenge/without-token", "server/challenge/bearer", "server/challenge/resource-metadata", "server/challenge/no-error-without-credentials",
		"server/challenge/invalid-token", "server/challenge/scope", "server/challenge/no-offline-access", "server/metadata/own-name", "server/token/garbage",
		"server/token/tampered-signature", "server/token/no-algorithm", "server/token/expired", "server/token/not-yet-valid", "server/token/foreign-audience",
		"server/token/foreign-issuer", "server/token/in-query",
	},
	twins.SendsNoChallenge: {
		"server/challenge/bearer", "server/challenge/resource-metadata", "server/challenge/no-error-without-credentials", "server/challenge/invalid-token",
		"server/challenge/scope", "server/challenge/no-offline-access", "server/metadata/own-name",
	},
	twins.SendsBrokenChallenge: {
		"server/challenge/bearer", "server/challenge/resource-metadata", "server/challenge/no-error-without-credentials", "server/challenge/invalid-token",
		"server/challenge/scope", "server/challenge/no-offline-access", "server/metadata/own-name",
	},
	twins.LeavesOutMetadataURL:  {"server/challenge/resource-metadata"},
	twins.SaysErrorToStrangers:  {"server/challenge/no-error-without-credentials"},
	twins.SaysNoError:           {"server/challenge/invalid-token"},
	twins.LeavesOutScope:        {"server/challenge/scope"},
	twins.AsksForOfflineAccess:  {"server/challenge/no-offline-access"},
	twins.HasMetadataElsewhere:  {"server/metadata/path-form"},
	twins.ServesMetadataAsText:  {"server/metadata/media-type"},
	twins.DescribesAnother:      {"server/metadata/resource"},
	twins.TakesTokensInQuery:    {"server/metadata/bearer-methods"},
	twins.HasEmptyArrays:        {"server/metadata/no-empty-arrays"},
	twins.BelievesForwardedHost: {"server/metadata/own-name"},
	twins.HasSlashInIssuer:      {"authorization-server/metadata/issuer", "authorization-server/metadata/root"},
	twins.HasNoTokenEndpoint:    {"authorization-server/metadata/members"},
	twins.AdvertisesNoPKCE:      {"authorization-server/metadata/pkce"},
	twins.HasEmptyIssuerArrays:  {"authorization-server/metadata/no-empty-arrays"},
	twins.HasOpenIDMetadataOnly: {"authorization-server/metadata/root"},
	twins.WantsBearerInOneCase:  {"server/token/scheme-case"},
	twins.AcceptsGarbage:        {"server/token/garbage", "server/challenge/invalid-token"},
	twins.ChecksNoSignature:     {"server/token/tampered-signature"},
	twins.AcceptsNoAlgorithm:    {"server/token/no-algorithm"},
	twins.AcceptsExpired:        {"server/token/expired"},
	twins.AcceptsNotYetValid:    {"server/token/not-yet-valid"},
	twins.ChecksNoAudience:      {"server/token/foreign-audience"},
	twins.ChecksNoIssuer:        {"server/token/foreign-issuer"},
	twins.AcceptsQueryToken:     {"server/token/in-query"},
	twins.ChecksNoOrigin:        {"server/origin/foreign"},
	twins.HasNoMetadata: {
		"server/challenge/resource-metadata", "server/metadata/found", "server/metadata/path-form", "server/metadata/media-type", "server/metadata/resource",
		"server/metadata/authorization-servers", "server/metadata/bearer-methods", "server/metadata/no-empty-arrays", "server/metadata/own-name",
	},
	twins.NamesNoIssuer: {"server/metadata/authorization-servers"},
	twins.HasNoIssuerMetadata: {
		"authorization-server/metadata/found", "authorization-server/metadata/issuer", "authorization-server/metadata/members", "authorization-server/metadata/pkce",
		"authorization-server/metadata/no-empty-arrays", "authorization-server/metadata/root",
	},
	twins.RefusesEverybody:       {"server/token/accepted"},
	twins.SpeaksNoNewestRevision: nil,
}

// cannotJudge says which checks cannot be done with a twin: their control fails, or what they look at is not there.
var cannotJudge = map[twins.Fault][]string{
	twins.HasNoMetadata: {
		"authorization-server/metadata/found", "authorization-server/metadata/issuer", "authorization-server/metadata/members", "authorization-server/metadata/pkce",
		"authorization-server/metadata/no-empty-arrays",
	},
	twins.NamesNoIssuer: {
		"authorization-server/metadata/found", "authorization-server/metadata/issuer", "authorization-server/metadata/members", "authorization-server/metadata/pkce",
		"authorization-server/metadata/no-empty-arrays",
	},
	twins.RefusesEverybody: {
		"server/challenge/invalid-token", "server/token/scheme-case", "server/token/garbage", "server/token/tampered-signature", "server/token/no-algorithm",
		"server/token/expired", "server/token/not-yet-valid", "server/token/foreign-audience", "server/token/foreign-issuer", "server/token/in-query",
		"server/origin/foreign",
	},
}

func TestATwinWithoutFaultsKeepsEveryRule(t *testing.T) {
	t.Parallel()
	twin := twins.Start()
	t.Cleanup(twin.Close)
	for _, check := range checks.All() {
		for _, result := range engine.Run(t.Context(), check, twin.Target()) {
			assert.Equal(t, engine.Pass, result.Verdict, "%s: %v", result.Name(), result.Err)
		}
	}
}

func TestEachFaultIsFoundByItsChecks(t *testing.T) {
	t.Parallel()
	for fault, red := range finds {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			twin := twins.Start(fault)
			t.Cleanup(twin.Close)
			for _, check := range checks.All() {
				var worst engine.Verdict
				var errs []error
				for _, result := range engine.Run(t.Context(), check, twin.Target()) {
					worst, errs = max(worst, result.Verdict), append(errs, result.Err)
				}
				want := engine.Pass
				switch {
				case slices.Contains(cannotJudge[fault], check.ID):
					want = engine.Error
				case slices.Contains(red, check.ID) && check.Level == engine.Must:
					want = engine.Fail
				case slices.Contains(red, check.ID):
					want = engine.Warn
				}
				assert.Equal(t, want, worst, "%s: %v", check.ID, errs)
			}
		})
	}
}

func TestEveryCheckHasATwinThatFailsIt(t *testing.T) {
	t.Parallel()
	for _, check := range checks.All() {
		found := false
		for _, red := range finds {
			found = found || slices.Contains(red, check.ID)
		}
		assert.True(t, found, "%s is failed by no twin", check.ID)
	}
}

func TestWhatAServerDoesNotSpeakIsPassedOver(t *testing.T) {
	t.Parallel()
	twin := twins.Start(twins.SpeaksNoNewestRevision)
	t.Cleanup(twin.Close)
	i := slices.IndexFunc(checks.All(), func(c engine.Check) bool { return c.ID == "server/token/accepted" })
	require.GreaterOrEqual(t, i, 0)
	check, target := checks.All()[i], twin.Target()
	assert.Equal(t, engine.Skip, engine.RunAt(t.Context(), check, target, engine.R20260728).Verdict, "not claimed")
	target.Revisions = []engine.Revision{engine.R20260728}
	assert.Equal(t, engine.Error, engine.RunAt(t.Context(), check, target, engine.R20260728).Verdict, "claimed and not kept")
}

func TestADeadServerIsNotJudged(t *testing.T) {
	t.Parallel()
	twin := twins.Start()
	target := twin.Target()
	twin.Close()
	for _, check := range checks.All() {
		for _, result := range engine.Run(t.Context(), check, target) {
			assert.Equal(t, engine.Error, result.Verdict, "%s: %v", result.Name(), result.Err)
		}
	}
}

func ExampleStart() {
	twin := twins.Start(twins.AcceptsExpired)
	defer twin.Close()
	for _, check := range checks.All() {
		if check.ID == "server/token/expired" {
			fmt.Println(engine.Run(context.Background(), check, twin.Target())[0].Verdict)
		}
	}
	// Output: fail
}
