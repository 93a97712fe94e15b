package twins_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"mcpentra/conformance/checks"
	"mcpentra/conformance/engine"
	"mcpentra/conformance/twins"
)

// takesSeconds are the checks that wait for a clock. They are tried with the twins that are there for them only.
func takesSeconds(check engine.Check) bool {
	return check.Disruptive || check.ID == "server/stream/ends-with-token"
}

// full has each twin tried with every check, as make twins does. Otherwise it is those that should find it.
func full() bool { return os.Getenv("TWIN_MATRIX") == "full" }

// tryAll tries the checks, several at once, and returns the worst result of each.
func tryAll(t *testing.T, target engine.Target, tried []engine.Check) map[string]engine.Result {
	t.Helper()
	var mu sync.Mutex
	worst := map[string]engine.Result{}
	var group errgroup.Group
	group.SetLimit(8)
	for _, check := range tried {
		group.Go(func() error {
			for _, result := range engine.Run(t.Context(), check, target) {
				mu.Lock()
				if before, tried := worst[check.ID]; !tried || result.Verdict > before.Verdict {
					worst[check.ID] = result
				}
				mu.Unlock()
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	return worst
}

// newestOnly is the check of servers that speak the newest revision and no other.
const newestOnly = "server/modern/get-delete"

func TestATwinOfTheNewestRevisionOnlyKeepsItsRule(t *testing.T) {
	t.Parallel()
	twin := twins.Start(twins.SpeaksNewestOnly)
	t.Cleanup(twin.Close)
	i := slices.IndexFunc(checks.All(), func(check engine.Check) bool { return check.ID == newestOnly })
	require.GreaterOrEqual(t, i, 0)
	assert.Equal(t, engine.Pass, engine.Run(t.Context(), checks.All()[i], twin.Target())[0].Verdict)
}

func TestATwinWithoutFaultsKeepsEveryRule(t *testing.T) {
	t.Parallel()
	twin := twins.Start()
	t.Cleanup(twin.Close)
	tried := slices.DeleteFunc(checks.All(), func(check engine.Check) bool { return check.ID == newestOnly })
	for id, result := range tryAll(t, twin.Target(), tried) {
		assert.Equal(t, engine.Pass, result.Verdict, "%s: %v", id, result.Err)
	}
}

// inParallel tries many twins at once: most of what takes time is waiting.
func inParallel(t *testing.T, faults map[twins.Fault][]string, try func(twins.Fault, []string)) {
	t.Helper()
	var group errgroup.Group
	group.SetLimit(16)
	for fault, red := range faults {
		group.Go(func() error {
			try(fault, red)
			return nil
		})
	}
	require.NoError(t, group.Wait())
}

func TestEachFaultIsFoundByItsChecks(t *testing.T) {
	t.Parallel()
	inParallel(t, finds(), func(fault twins.Fault, red []string) {
		t.Run(string(fault), func(t *testing.T) {
			twin := twins.Start(fault)
			t.Cleanup(twin.Close)
			tried := slices.DeleteFunc(checks.All(), func(c engine.Check) bool {
				return (takesSeconds(c) || apart(fault, c) || !full()) && !slices.Contains(red, c.ID)
			})
			worst := tryAll(t, twin.Target(), tried)
			for _, check := range tried {
				result := worst[check.ID]
				switch {
				case slices.Contains(cannotJudge[fault], check.ID):
					assert.Equal(t, engine.Error, result.Verdict, "%s: %v", check.ID, result.Err)
				case slices.Contains(red, check.ID):
					assert.Contains(t, []engine.Verdict{engine.Note, engine.Warn, engine.Fail}, result.Verdict, "%s: %v", check.ID, result.Err)
				case result.Verdict == engine.Skip:
					if notSpoken := (*engine.NotSpoken)(nil); errors.As(result.Err, &notSpoken) && fault == twins.StreamsInNewestOnly {
						continue
					}
					var notApplicable *engine.NotApplicable // what the check looks at went with the fault
					assert.ErrorAs(t, result.Err, &notApplicable, check.ID)
				default:
					assert.Equal(t, engine.Pass, result.Verdict, "%s: %v", check.ID, result.Err)
				}
			}
		})
	})
}

func TestAServerThatLacksAWholePartIsFound(t *testing.T) {
	t.Parallel()
	inParallel(t, findsAtLeast, func(fault twins.Fault, red []string) {
		t.Run(string(fault), func(t *testing.T) {
			twin := twins.Start(fault)
			t.Cleanup(twin.Close)
			tried := slices.DeleteFunc(checks.All(), takesSeconds)
			worst := tryAll(t, twin.Target(), tried)
			for _, check := range tried {
				result := worst[check.ID]
				switch {
				case slices.Contains(red, check.ID):
					assert.Contains(t, []engine.Verdict{engine.Warn, engine.Fail}, result.Verdict, "%s: %v", check.ID, result.Err)
				case fault == twins.RefusesEverybody && slices.Contains(check.Needs, engine.Good):
					assert.Equal(t, engine.Error, result.Verdict, "%s passes with a server that refuses everybody: %v", check.ID, result.Err)
				case fault == twins.ServesEverybody && check.Severity != "":
					assert.NotEqual(t, engine.Error, result.Verdict, "%s: %v", check.ID, result.Err)
				}
			}
		})
	})
}

func TestEveryCheckHasATwinThatFailsIt(t *testing.T) {
	t.Parallel()
	for _, check := range checks.All() {
		found := false
		for _, red := range finds() {
			found = found || slices.Contains(red, check.ID)
		}
		for _, red := range findsAtLeast {
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

func TestAServerOfTheNewestRevisionOnlyIsTriedWithIt(t *testing.T) {
	t.Parallel()
	twin := twins.Start(twins.SpeaksNewestOnly)
	t.Cleanup(twin.Close)
	for _, id := range []string{"server/token/garbage", "server/token/expired", "server/scope/enforced"} {
		i := slices.IndexFunc(checks.All(), func(c engine.Check) bool { return c.ID == id })
		require.GreaterOrEqual(t, i, 0)
		results := engine.Run(t.Context(), checks.All()[i], twin.Target())
		assert.Len(t, results, 1, id)
		assert.Equal(t, engine.Pass, results[0].Verdict, "%s: %v", id, results[0].Err)
		assert.Equal(t, engine.R20260728, results[0].Revision, id)
	}
}

func TestADeadServerIsNotJudged(t *testing.T) {
	t.Parallel()
	twin := twins.Start()
	target := twin.Target()
	twin.Close()
	target.URL = "http://127.0.0.1:1/mcp" // nobody's, while the twin's port may be somebody else's by now
	for _, check := range checks.All() {
		for _, result := range engine.Run(t.Context(), check, target) {
			assert.Equal(t, engine.Error, result.Verdict, "%s: %v", result.Name(), result.Err)
		}
	}
}

func TestAMintWithAnotherKeyJudgesNothing(t *testing.T) {
	t.Parallel()
	twin := twins.Start()
	t.Cleanup(twin.Close)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	target := twin.Target()
	target.Mint = engine.Remint(key, target.Tokens[engine.Good])
	for _, check := range checks.All() {
		if check.NeedsMint && strings.HasPrefix(check.ID, "server/token/") {
			result := engine.Run(t.Context(), check, target)[0]
			assert.Equal(t, engine.Error, result.Verdict, "%s: %v", check.ID, result.Err)
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
