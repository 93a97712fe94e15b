package broken_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/checks"
	"mcpentra/conformance/servers/internal/bench"
	"mcpentra/conformance/servers/internal/broken"
)

// newestOnly are the checks for servers that speak only the newest revision.
var newestOnly = []string{"server/modern/get-delete", "server/modern/no-sessions"}

// notHere are checks for servers without authorization, and for servers that list tools by scope.
var notHere = []string{"server/task/listed-for-anyone", "server/list/hidden-from-scope"}

func TestServerWithoutFaultsPasses(t *testing.T) {
	t.Parallel()
	selected := slices.DeleteFunc(checks.All(), func(current bench.Check) bool {
		return slices.Contains(newestOnly, current.ID) || slices.Contains(notHere, current.ID)
	})
	target := start(t).Target()
	for id, result := range runAll(t, target, selected) {
		if result.Verdict != check.Pass { // on a busy machine
			alone.Lock()
			result = runAtOnce(t, target, []bench.Check{checkOf(t, id)})[id]
			alone.Unlock()
		}
		assert.Equal(t, check.Pass, result.Verdict, "%s: %v", id, result.Err)
	}
}

func TestServerOfNewestRevisionPasses(t *testing.T) {
	t.Parallel()
	server := start(t, broken.SpeaksNewestOnly)
	for _, id := range newestOnly {
		result := bench.Run(t.Context(), checkOf(t, id), server.Target())[0]
		assert.Equal(t, check.Pass, result.Verdict, "%s: %v", id, result.Err)
	}
}

func TestChecksCatchFaults(t *testing.T) {
	t.Parallel()
	forEach(t, caughtBy(), func(t *testing.T, fault broken.Fault, red []string) {
		server := start(t, fault)
		selected := slices.DeleteFunc(checks.All(), func(current bench.Check) bool {
			isOptional := isSlow(current) || areUnrelated(fault, current) || !isFullMatrix()
			return isOptional && !slices.Contains(red, current.ID)
		})
		worst := runAll(t, server.Target(), selected, red...)
		for _, current := range selected {
			result := worst[current.ID]
			switch {
			case slices.Contains(red, current.ID):
				verdicts := []check.Verdict{check.Note, check.Warn, check.Fail}
				assert.Contains(t, verdicts, result.Verdict, "%s: %v", current.ID, result.Err)
			case result.Verdict == check.Skip:
				assertSkippedByFault(t, fault, current, red, result)
			default:
				assert.Equal(t, check.Pass, result.Verdict, "%s: %v", current.ID, result.Err)
			}
		}
	})
}

// assertSkippedByFault wants a check skipped because the fault removed the object of its rule, or
// because another check finds the fault.
func assertSkippedByFault(
	t *testing.T, fault broken.Fault, current bench.Check, red []string, result check.Result,
) {
	t.Helper()
	switch fault {
	case broken.StreamsInNewestOnly, broken.StartsModernSessions, broken.AsksForKey:
		return // the server speaks fewer revisions, or supplies nothing
	}
	var skipped *check.Skipped
	if errors.As(result.Err, &skipped) {
		if skipped.Of != "" { // else a busy machine makes too few samples
			assert.Contains(t, red, skipped.Of, "%s: %v", current.ID, result.Err)
		}
		return
	}
	var notApplicable *check.NotApplicable
	assert.ErrorAs(t, result.Err, &notApplicable, current.ID)
}

func TestChecksCatchMissingParts(t *testing.T) {
	t.Parallel()
	forEach(t, caughtAtLeastBy(), func(t *testing.T, fault broken.Fault, red []string) {
		selected := slices.DeleteFunc(sample(red), isSlow)
		isRight := func(current bench.Check, result check.Result) bool {
			switch {
			case slices.Contains(red, current.ID):
				return result.Verdict == check.Warn || result.Verdict == check.Fail
			case fault == broken.RefusesAllTokens && slices.Contains(current.Tokens, bench.Good):
				return result.Verdict == check.Skip
			case fault == broken.IgnoresTokens && current.Severity != "":
				return result.Verdict != check.Error
			}
			return true
		}
		worst := runUntil(t, start(t, fault).Target(), selected, isRight)
		for _, current := range selected {
			result := worst[current.ID]
			assert.True(t, isRight(current, result), "%s: %s: %v", current.ID, result.Verdict, result.Err)
		}
	})
}

// sample returns the checks with the given IDs, and every third of the others. With
// BROKEN_MATRIX=full it returns all checks.
func sample(ids []string) []bench.Check {
	var sampled []bench.Check
	for i, current := range checks.All() {
		if isFullMatrix() || i%3 == 0 || slices.Contains(ids, current.ID) {
			sampled = append(sampled, current)
		}
	}
	return sampled
}

func TestEveryCheckCatchesFaults(t *testing.T) {
	t.Parallel()
	catching := map[string]bool{}
	for _, faults := range []map[broken.Fault][]string{caughtBy(), caughtAtLeastBy()} {
		for red := range maps.Values(faults) {
			for _, id := range red {
				catching[id] = true
			}
		}
	}
	for _, current := range checks.All() {
		assert.True(t, catching[current.ID], "%s catches no broken server", current.ID)
	}
}

func TestUnspokenRevisionSkips(t *testing.T) {
	t.Parallel()
	target := start(t, broken.SpeaksNoNewestRevision).Target()
	accepted := checkOf(t, "server/token/accepted")
	result := bench.RunAt(t.Context(), accepted, target, check.R20260728)
	assert.Equal(t, check.Skip, result.Verdict, "not claimed")
	target.Revisions = []check.Revision{check.R20260728}
	result = bench.RunAt(t.Context(), accepted, target, check.R20260728)
	assert.Equal(t, check.Error, result.Verdict, "claimed and not spoken")
}

func TestServerOfNewestRevisionIsTriedAtIt(t *testing.T) {
	t.Parallel()
	target := start(t, broken.SpeaksNewestOnly).Target()
	for _, id := range []string{"server/token/garbage", "server/token/expired", "server/scope/enforced"} {
		results := bench.Run(t.Context(), checkOf(t, id), target)
		assert.Len(t, results, 1, id)
		assert.Equal(t, check.Pass, results[0].Verdict, "%s: %v", id, results[0].Err)
		assert.Equal(t, check.R20260728, results[0].Revision, id)
	}
}

// TestDeadServerIsFoundOnce wants one look at a server that is not there, and no try.
func TestDeadServerIsFoundOnce(t *testing.T) {
	t.Parallel()
	server := broken.Start()
	target := server.Target()
	server.Close()
	target.URL = "http://127.0.0.1:1/mcp" // another test could get the server's port
	_, err := target.Survey(t.Context())
	var unusable *bench.Unusable
	require.ErrorAs(t, err, &unusable)
	for _, result := range runAtOnce(t, target, checks.All()) {
		assert.Equal(t, check.Error, result.Verdict, "%s: %v", result.Name(), result.Err)
		assert.Equal(t, err, result.Err)
	}
}

// TestMintWithWrongKeyIsTrouble wants a key that is not the issuer's found once.
func TestMintWithWrongKeyIsTrouble(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	target := start(t).Target()
	target.Mint = bench.Remint(key, target.Tokens[bench.Good])
	survey, err := target.Survey(t.Context())
	require.NoError(t, err)
	require.Len(t, survey.Troubles, 1)
	assert.Contains(t, survey.Troubles[0].String(), "the issuer's key does not work")
	selected := slices.DeleteFunc(checks.All(), func(current bench.Check) bool {
		return !slices.Contains(current.Needs, bench.IssuerKey) || !strings.HasPrefix(current.ID, "server/token/")
	})
	isSkipped := func(_ bench.Check, result check.Result) bool { return result.Verdict == check.Skip }
	for id, result := range runUntil(t, target, selected, isSkipped) {
		assert.Equal(t, check.Skip, result.Verdict, "%s: %v", id, result.Err)
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
