package broken_test

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

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/checks"
	"mcpentra/conformance/servers/internal/bench"
	"mcpentra/conformance/servers/internal/broken"
)

// takesSeconds are the checks that wait for a clock. They are tried with the broken servers that
// are there for them only.
func takesSeconds(check bench.Check) bool {
	return check.Disruptive || check.ID == "server/stream/ends-with-token"
}

// full has each server tried with every check, as make broken does. Otherwise it is those that
// should find it.
func full() bool { return os.Getenv("BROKEN_MATRIX") == "full" }

// tryAll tries the checks, several at once, and returns the worst result of each.
func tryAll(t *testing.T, target bench.Target, tried []bench.Check) map[string]check.Result {
	t.Helper()
	var mu sync.Mutex
	worst := map[string]check.Result{}
	var group errgroup.Group
	group.SetLimit(8)
	for _, current := range tried {
		group.Go(func() error {
			for _, result := range bench.Run(t.Context(), current, target) {
				mu.Lock()
				if before, tried := worst[current.ID]; !tried || result.Verdict > before.Verdict {
					worst[current.ID] = result
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

func TestServerOfTheNewestRevisionOnlyKeepsItsRule(t *testing.T) {
	t.Parallel()
	server := broken.Start(broken.SpeaksNewestOnly)
	t.Cleanup(server.Close)
	i := slices.IndexFunc(checks.All(), func(current bench.Check) bool { return current.ID == newestOnly })
	require.GreaterOrEqual(t, i, 0)
	assert.Equal(t, check.Pass, bench.Run(t.Context(), checks.All()[i], server.Target())[0].Verdict)
}

func TestServerWithoutFaultsKeepsEveryRule(t *testing.T) {
	t.Parallel()
	server := broken.Start()
	t.Cleanup(server.Close)
	tried := slices.DeleteFunc(checks.All(), func(current bench.Check) bool { return current.ID == newestOnly })
	for id, result := range tryAll(t, server.Target(), tried) {
		assert.Equal(t, check.Pass, result.Verdict, "%s: %v", id, result.Err)
	}
}

// inParallel tries many broken servers at once: most of what takes time is waiting.
func inParallel(t *testing.T, faults map[broken.Fault][]string, try func(broken.Fault, []string)) {
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
	inParallel(t, caughtBy(), func(fault broken.Fault, red []string) {
		t.Run(string(fault), func(t *testing.T) {
			server := broken.Start(fault)
			t.Cleanup(server.Close)
			tried := slices.DeleteFunc(checks.All(), func(c bench.Check) bool {
				return (takesSeconds(c) || apart(fault, c) || !full()) && !slices.Contains(red, c.ID)
			})
			worst := tryAll(t, server.Target(), tried)
			for _, current := range tried {
				result := worst[current.ID]
				switch {
				case slices.Contains(cannotJudge[fault], current.ID):
					assert.Equal(t, check.Error, result.Verdict, "%s: %v", current.ID, result.Err)
				case slices.Contains(red, current.ID):
					assert.Contains(
						t,
						[]check.Verdict{check.Note, check.Warn, check.Fail},
						result.Verdict,
						"%s: %v",
						current.ID,
						result.Err,
					)
				case result.Verdict == check.Skip:
					if notSpoken := (*check.NotSpoken)(nil); errors.As(result.Err, &notSpoken) &&
						fault == broken.StreamsInNewestOnly {
						continue
					}
					var notApplicable *check.NotApplicable // what the check looks at went with the fault
					assert.ErrorAs(t, result.Err, &notApplicable, current.ID)
				default:
					assert.Equal(t, check.Pass, result.Verdict, "%s: %v", current.ID, result.Err)
				}
			}
		})
	})
}

func TestAServerThatLacksAWholePartIsFound(t *testing.T) {
	t.Parallel()
	inParallel(t, caughtAtLeastBy, func(fault broken.Fault, red []string) {
		t.Run(string(fault), func(t *testing.T) {
			server := broken.Start(fault)
			t.Cleanup(server.Close)
			tried := slices.DeleteFunc(checks.All(), takesSeconds)
			worst := tryAll(t, server.Target(), tried)
			for _, current := range tried {
				result := worst[current.ID]
				switch {
				case slices.Contains(red, current.ID):
					assert.Contains(
						t,
						[]check.Verdict{check.Warn, check.Fail},
						result.Verdict,
						"%s: %v",
						current.ID,
						result.Err,
					)
				case fault == broken.RefusesEverybody && slices.Contains(current.Tokens, bench.Good):
					assert.Equal(
						t,
						check.Error,
						result.Verdict,
						"%s passes with a server that refuses everybody: %v",
						current.ID,
						result.Err,
					)
				case fault == broken.ServesEverybody && current.Severity != "":
					assert.NotEqual(t, check.Error, result.Verdict, "%s: %v", current.ID, result.Err)
				}
			}
		})
	})
}

func TestEveryCheckCatchesBrokenServer(t *testing.T) {
	t.Parallel()
	for _, check := range checks.All() {
		found := false
		for _, red := range caughtBy() {
			found = found || slices.Contains(red, check.ID)
		}
		for _, red := range caughtAtLeastBy {
			found = found || slices.Contains(red, check.ID)
		}
		assert.True(t, found, "%s catches no broken server", check.ID)
	}
}

func TestWhatAServerDoesNotSpeakIsPassedOver(t *testing.T) {
	t.Parallel()
	server := broken.Start(broken.SpeaksNoNewestRevision)
	t.Cleanup(server.Close)
	i := slices.IndexFunc(checks.All(), func(c bench.Check) bool { return c.ID == "server/token/accepted" })
	require.GreaterOrEqual(t, i, 0)
	current := checks.All()[i]
	target := server.Target()
	assert.Equal(t, check.Skip, bench.RunAt(t.Context(), current, target, check.R20260728).Verdict, "not claimed")
	target.Revisions = []check.Revision{check.R20260728}
	assert.Equal(
		t,
		check.Error,
		bench.RunAt(t.Context(), current, target, check.R20260728).Verdict,
		"claimed and not kept",
	)
}

func TestAServerOfTheNewestRevisionOnlyIsTriedWithIt(t *testing.T) {
	t.Parallel()
	server := broken.Start(broken.SpeaksNewestOnly)
	t.Cleanup(server.Close)
	for _, id := range []string{"server/token/garbage", "server/token/expired", "server/scope/enforced"} {
		i := slices.IndexFunc(checks.All(), func(c bench.Check) bool { return c.ID == id })
		require.GreaterOrEqual(t, i, 0)
		results := bench.Run(t.Context(), checks.All()[i], server.Target())
		assert.Len(t, results, 1, id)
		assert.Equal(t, check.Pass, results[0].Verdict, "%s: %v", id, results[0].Err)
		assert.Equal(t, check.R20260728, results[0].Revision, id)
	}
}

func TestADeadServerIsNotJudged(t *testing.T) {
	t.Parallel()
	server := broken.Start()
	target := server.Target()
	server.Close()
	target.URL = "http://127.0.0.1:1/mcp" // nobody's, while the server's port may be somebody else's by now
	for _, current := range checks.All() {
		for _, result := range bench.Run(t.Context(), current, target) {
			assert.Equal(t, check.Error, result.Verdict, "%s: %v", result.Name(), result.Err)
		}
	}
}

func TestAMintWithAnotherKeyJudgesNothing(t *testing.T) {
	t.Parallel()
	server := broken.Start()
	t.Cleanup(server.Close)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	target := server.Target()
	target.Mint = bench.Remint(key, target.Tokens[bench.Good])
	for _, current := range checks.All() {
		if slices.Contains(current.Needs, bench.IssuerKey) && strings.HasPrefix(current.ID, "server/token/") {
			result := bench.Run(t.Context(), current, target)[0]
			assert.Equal(t, check.Error, result.Verdict, "%s: %v", current.ID, result.Err)
		}
	}
}

func ExampleStart() {
	server := broken.Start(broken.AcceptsExpired)
	defer server.Close()
	for _, check := range checks.All() {
		if check.ID == "server/token/expired" {
			fmt.Println(bench.Run(context.Background(), check, server.Target())[0].Verdict)
		}
	}
	// Output: fail
}
