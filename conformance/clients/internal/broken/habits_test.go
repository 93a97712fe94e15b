package broken_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/checks"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/broken"
	"mcpentra/conformance/internal/exchange"
)

// habits has, for each habit, the least number of results that are a pass rather than a skip.
var habits = map[broken.Fault]int{
	broken.ReadsRedirect:    190,
	broken.ShowsText:        195,
	broken.CallsUnlisted:    190,
	broken.CallsNoTool:      155,
	broken.ListsNoTools:     185,
	broken.OnlySignsIn:      100,
	broken.ProbesFirst:      195,
	broken.ConnectsTwice:    195,
	broken.TriesTwice:       190,
	broken.OpensStream:      195,
	broken.OpensStreamEarly: 190,
	broken.SpeaksOne:        100,
	broken.HangsAtFailure:   0,
	broken.InitializesFirst: 195,
	broken.PrintsNothing:    190,
	broken.RevokesAtEnd:     150,
	broken.OnlyConfigured:   150,
	broken.OnlyDocumented:   150,
	broken.ReadsSlowly:      195,
}

// revisionsOf has the revisions of clients with some habits. Before MCP 2025-11-25, a client SHOULD
// register itself.
var revisionsOf = map[broken.Fault][]check.Revision{
	broken.OnlyConfigured: {check.R20251125, check.R20260728},
	broken.OnlyDocumented: {check.R20251125, check.R20260728},
}

// TestChecksAcceptHabits tries checks with clients that keep every rule, each in its own way. No
// check fails, and no check is without a verdict. A habit meets a third of the checks near it. With
// BROKEN_MATRIX=full it meets all checks at all revisions.
func TestChecksAcceptHabits(t *testing.T) {
	t.Parallel()
	for habit, least := range habits {
		t.Run(string(habit), func(t *testing.T) {
			t.Parallel()
			target := broken.Client(habit)
			target.Revisions = revisionsOf[habit]
			if !full() && habit != broken.SpeaksOne {
				target.Revisions = []check.Revision{check.R20251125, check.R20260728}
			}
			all := checks.All()
			if !full() || habit == broken.HangsAtFailure {
				all = slices.DeleteFunc(all, isFarFrom(habit))
			}
			if !full() && habit != broken.HangsAtFailure {
				all = third(all, len(habit))
			}
			target.Timeout = 20 * time.Second
			if habit == broken.HangsAtFailure {
				target.Timeout = time.Second
			}
			target.Abilities = slices.DeleteFunc(target.Abilities, isLacking(habit))
			report, err := check.Run(t.Context(), target.Bind(all...), check.Selection{Parallel: 4})
			require.NoError(t, err)
			passed := 0
			for _, result := range report.Results {
				assert.LessOrEqual(t, result.Verdict, check.Pass, "%s: %v", result.Name(), result.Err)
				if result.Verdict == check.Pass {
					passed++
				}
			}
			if full() && habit != broken.HangsAtFailure {
				assert.GreaterOrEqual(t, passed, least)
			}
		})
	}
}

// TestSlowReadingGivesNoVerdict ends the time of a client while it still reads an endless response.
// Another client stops to read, and then waits until its time is up. It passes.
func TestSlowReadingGivesNoVerdict(t *testing.T) {
	t.Parallel()
	all := checks.All()
	isToken := func(current bench.Check) bool { return current.ID == "client/limit/token" }
	limit := all[slices.IndexFunc(all, isToken)]
	reading := broken.Client(broken.ReadsWithoutEnd, broken.ReadsSlowly)
	for _, result := range bench.Run(t.Context(), limit, reading) {
		assert.Equal(t, check.Error, result.Verdict)
		assert.ErrorContains(t, result.Err, "the client was still reading the token response after")
	}
	waiting := broken.Client(broken.HangsAtFailure)
	waiting.Timeout = 4 * time.Second
	for _, result := range bench.Run(t.Context(), limit, waiting) {
		assert.Equal(t, check.Pass, result.Verdict, "%s: %v", result.Name(), result.Err)
	}
}

// TestSlowStartIsNoSlowAnswer delays the start of a client. Its start and one wait for an answer
// together take longer than a client may wait for one answer. If the start takes nearly all of the
// run, the check gives no verdict.
func TestSlowStartIsNoSlowAnswer(t *testing.T) {
	t.Parallel()
	const controls = 2 // runs that show what the client does without a slow answer
	for _, test := range []struct {
		name    string
		faults  []broken.Fault
		seconds int
		want    check.Verdict
		says    string // a pattern. A client on a busy machine may not even reach the answer.
	}{
		{"slow", nil, 40, check.Pass, "^<nil>$"},
		{"too slow", []broken.Fault{broken.WaitsForAnyAnswer}, 235, check.Error, "before a minute|did not reach"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			all := checks.All()
			isSlow := func(current bench.Check) bool { return current.ID == "client/limit/slow" }
			limit := all[slices.IndexFunc(all, isSlow)]
			starting := broken.Client(test.faults...)
			starting.Revisions = []check.Revision{check.R20251125}
			run := starting.Run
			var runs atomic.Int64
			starting.Run = func(ctx context.Context, task bench.Task) error {
				if runs.Add(1) > controls {
					start, cancel := exchange.Within(ctx, starting.Seconds(test.seconds))
					defer cancel()
					<-start.Done() // by the kind of clock that bounds the run
				}
				return run(ctx, task)
			}
			for _, result := range bench.Run(t.Context(), limit, starting) {
				assert.Equal(t, test.want, result.Verdict, "%s: %v", result.Name(), result.Err)
				assert.Regexp(t, test.says, fmt.Sprint(result.Err))
			}
		})
	}
}

// third returns every third check. Where it begins depends on the offset.
func third(all []bench.Check, offset int) []bench.Check {
	var taken []bench.Check
	for i, current := range all {
		if (i+offset)%3 == 0 {
			taken = append(taken, current)
		}
	}
	return taken
}

// isLacking reports that a client with a habit does not have an ability.
func isLacking(habit broken.Fault) func(bench.Ability) bool {
	lacking := map[broken.Fault]bench.Ability{
		broken.OnlySignsIn:    bench.SignsOut,
		broken.OnlyConfigured: bench.ClientDocument,
		broken.OnlyDocumented: bench.Preregistered,
	}
	return func(ability bench.Ability) bool { return ability == lacking[habit] }
}

// isFarFrom reports that a check has nothing to do with a habit.
func isFarFrom(habit broken.Fault) func(bench.Check) bool {
	topics := []string{
		"client/flow/", "client/callback/", "client/tools/", "client/stream/", "client/revision/", "client/session/",
		"client/token/", "client/step-up/", "client/pkce/", "client/isolation/elsewhere",
	}
	if habit == broken.HangsAtFailure { // Each failed run takes all of its time.
		topics = []string{"client/limit/challenge", "client/limit/slow", "client/registration/rejection-told"}
	}
	return func(c bench.Check) bool {
		return !slices.ContainsFunc(topics, func(topic string) bool { return strings.HasPrefix(c.ID, topic) })
	}
}
