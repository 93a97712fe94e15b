package check

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"mcpentra/conformance/internal/evidence"
)

// A Bound is a rule, with a func that tries it against one target.
type Bound struct {
	Rule
	// Lacking names something that the check needs and the target lacks. If it is not empty, the
	// check is skipped.
	Lacking string
	// Claimed are the revisions that the target claims to speak. With nil, each revision is tried,
	// and skipped if the target turns out not to speak it.
	Claimed []Revision
	// Plan looks at the target before the first try, and returns the revisions to try. It replaces
	// Claimed. An error is the result of the check, for example a *Skipped. Nil plans nothing. It
	// must be safe for concurrent use.
	Plan func(ctx context.Context) ([]Revision, error)
	// Alone checks change the target for others, for example its clock. No other check runs
	// meanwhile.
	Alone bool
	// Slow checks wait, or send many requests one after the other. They begin before others.
	Slow bool
	// Timeout bounds one try.
	Timeout time.Duration
	// Try tries the rule at one revision.
	Try func(ctx context.Context, revision Revision) error
}

// Run tries checks, as many at once as the selection says, and then the disruptive ones, one after
// the other. Progress gets the results in the order of the report, which keeps topics together.
// Run returns an error if the context ended before the last check. The report then holds the
// results of the checks that were completed.
func Run(ctx context.Context, checks []Bound, selection Selection) (*Report, error) {
	report := &Report{}
	for results := range tried(ctx, quietFirst(byTopic(checks)), selection) {
		for _, result := range results {
			if ended := ctx.Err(); ended != nil && result.Verdict == Error && errors.Is(result.Err, ended) {
				continue
			}
			report.Results = append(report.Results, result)
			if selection.Progress != nil {
				selection.Progress(result)
			}
		}
	}
	return report, ctx.Err()
}

// Run tries the check at one revision that the target speaks, or at each if the rule has
// EachRevision. A check that cannot be tried has one result without a revision.
func (b *Bound) Run(ctx context.Context) []Result {
	if b.Lacking != "" {
		return b.untried(&Skipped{Reason: "needs " + b.Lacking}, Skip)
	}
	possible, err := b.plan(ctx)
	if ended := ctx.Err(); ended != nil {
		err = &CannotJudge{Reason: "the run was cancelled", Err: ended}
	}
	if err != nil {
		return b.untried(err, b.verdict(err, false))
	}
	revisions := b.order(possible)
	if len(revisions) == 0 {
		target := "server"
		if b.role() == "client" {
			target = "client"
		}
		reason := fmt.Sprintf("the %s claims no revision to which the rule applies", target)
		return b.untried(&Skipped{Reason: reason}, Skip)
	}
	var results []Result
	for _, revision := range revisions {
		result := b.runAt(ctx, revision)
		if b.EachRevision {
			results = append(results, result)
			continue
		}
		results = []Result{result}
		if notSpoken := (*NotSpoken)(nil); result.Verdict != Skip || !errors.As(result.Err, &notSpoken) {
			break
		}
	}
	return results
}

// plan returns the revisions that are possible. Without a look at the target, these are the claimed
// revisions, or all.
func (b *Bound) plan(ctx context.Context) ([]Revision, error) {
	switch {
	case b.Plan != nil:
		return b.Plan(ctx)
	case len(b.Claimed) == 0:
		return Revisions(), nil
	}
	return b.Claimed, nil
}

// untried returns the result of a check that is not tried at any revision.
func (b *Bound) untried(err error, verdict Verdict) []Result {
	return []Result{{Rule: b.Rule, Verdict: verdict, Err: err}}
}

// order returns the possible revisions to which the rule applies, in the order to try them.
// Without EachRevision, the first is the newest with a handshake, because more servers speak
// that than the newest of all. The others follow for servers that do not speak it.
func (b *Bound) order(possible []Revision) []Revision {
	var all []Revision
	for _, revision := range possible {
		if b.appliesTo(revision) {
			all = append(all, revision)
		}
	}
	if b.EachRevision {
		return all
	}
	slices.Reverse(all)
	if i := slices.IndexFunc(all, func(revision Revision) bool { return revision != R20260728 }); i > 0 {
		first := all[i]
		all = slices.Insert(slices.Delete(all, i, i+1), 0, first)
	}
	return all
}

// runAt tries the check at one revision.
func (b *Bound) runAt(parent context.Context, revision Revision) Result {
	result := Result{Rule: b.Rule, Revision: revision}
	ctx, cancel := context.WithTimeout(parent, b.Timeout)
	defer cancel()
	ctx, kept := evidence.Collect(ctx)
	begun := time.Now()
	err := withRecovery(func() error { return b.Try(ctx, revision) })
	result.Duration = time.Since(begun)
	result.Exchanges, result.Recorded = kept.Exchanges()
	// A check that ran out of time says nothing about the target, whatever it returned.
	if ended := parent.Err(); ended != nil {
		err = &CannotJudge{Reason: "the run was cancelled", Err: ended}
	} else if ctx.Err() != nil {
		err = &CannotJudge{Reason: fmt.Sprintf("the check took longer than %v", b.Timeout)}
	}
	result.Err = b.sorted(err)
	result.Verdict = b.verdict(result.Err, len(b.Claimed) > 0)
	return result
}

// withRecovery runs a check. It turns a panic, which is a bug of the check, into an error.
func withRecovery(run func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			stack := errors.New(string(debug.Stack()))
			err = &CannotJudge{Reason: fmt.Sprintf("the check panicked: %v", v), Err: stack}
		}
	}()
	return run()
}
