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

	"mcpentra/conformance/catalogue"
	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/checks"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/broken"
)

// caughtBy has, for each fault, exactly the checks that fail. Several do where their rules overlap.
// To add a fault, name it and simulate it in this package, and add it to faults.tsv of package
// catalogue. Each check must catch at least one.
func caughtBy() map[broken.Fault][]string {
	found := map[broken.Fault][]string{}
	for _, fault := range catalogue.Faults(catalogue.Client) {
		found[broken.Fault(fault.Sentence)] = fault.Checks
	}
	return found
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
	for fault, red := range caughtBy() {
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

// breaksShould has, for some faults, the checks of a MUST that only warn.
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
	case !slices.Contains(caughtBy()[fault], current.ID):
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
		for _, red := range caughtBy() {
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
