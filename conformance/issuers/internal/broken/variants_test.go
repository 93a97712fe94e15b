package broken_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/checks"
	"mcpentra/conformance/issuers/internal/bench"
	"mcpentra/conformance/issuers/internal/broken"
)

// conforming names the checks that went red for a conforming variant once, or could not judge it.
var conforming = map[broken.Fault][]string{
	broken.NamesTransactionsInPaths: {
		"authorization-server/consent/forged",
		"authorization-server/consent/origin",
		"authorization-server/consent/parallel",
	},
	broken.ClosesLongRequests:      {"authorization-server/authorize/long"},
	broken.LooksAtCodesFirst:       {"authorization-server/client/challenge"},
	broken.OffersNoRefusal:         {"authorization-server/authorize/declined"},
	broken.RefusesBrokenJSONInHTML: {"authorization-server/registration/errors"},
	broken.TakesSecretsInBodyOnly: {
		"authorization-server/pkce/required-confidential",
		"authorization-server/pkce/downgrade",
		"authorization-server/client/authenticated",
		"authorization-server/client/two-methods",
		"authorization-server/client/secret-in-body",
		"authorization-server/refresh/secret",
		"authorization-server/introspection/other-client",
	},
	broken.RenewsSessions: {"authorization-server/consent/asked"},
	broken.ServesTLS:      {"authorization-server/cookies/attributes"},
	broken.WantsTypedUserCodes: {
		"authorization-server/device/response",
		"authorization-server/device/single-use",
		"authorization-server/device/expires",
		"authorization-server/device/kept",
	},
}

func TestConformingVariantsPass(t *testing.T) {
	t.Parallel()
	var group errgroup.Group
	group.SetLimit(8)
	for variant, ids := range conforming {
		selected := slices.DeleteFunc(checks.All(), func(current bench.Check) bool {
			return !isFullMatrix() && !slices.Contains(ids, current.ID)
		})
		group.Go(func() error {
			t.Run(string(variant), func(t *testing.T) {
				for id, result := range runAll(t, selected, variant) {
					verdicts := []check.Verdict{check.Pass, check.Skip}
					assert.Contains(t, verdicts, result.Verdict, "%s: %v", id, result.Err)
				}
			})
			return nil
		})
	}
	require.NoError(t, group.Wait())
}

// A person whose session was renewed is still signed in at the next authorization.
func TestRenewedSessionsCount(t *testing.T) {
	t.Parallel()
	const id = "authorization-server/consent/asked"
	isOther := func(current bench.Check) bool { return current.ID != id }
	selected := slices.DeleteFunc(checks.All(), isOther)
	result := runAll(t, selected, broken.RenewsSessions, broken.RemembersPeople)[id]
	assert.Equal(t, check.Fail, result.Verdict, "%v", result.Err)
}

// The checks of devices also judge a server where the person types the user code.
func TestTypedUserCodesCount(t *testing.T) {
	t.Parallel()
	for _, fault := range []broken.Fault{
		broken.RedeemsDevicesTwice,
		broken.RedeemsDevicesForAnyClient,
		broken.NeverExpiresDevices,
		broken.EndsHastyDevices,
	} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			ids := caught("device")[fault]
			selected := slices.DeleteFunc(checks.All(), func(current bench.Check) bool {
				return !slices.Contains(ids, current.ID)
			})
			for id, result := range runAll(t, selected, broken.WantsTypedUserCodes, fault) {
				verdicts := []check.Verdict{check.Note, check.Warn, check.Fail}
				assert.Contains(t, verdicts, result.Verdict, "%s: %v", id, result.Err)
			}
		})
	}
}
