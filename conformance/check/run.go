package check

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"
)

// A Bound is a rule with a func that tries it against one target.
type Bound struct {
	Rule
	// Lacking says what the check needs and the target does not have. The check is skipped unless
	// it is empty.
	Lacking string
	// Claimed are the revisions that the target claims to speak. Nil means that each is tried, and
	// passed over if the target says that it does not speak it.
	Claimed []Revision
	// Timeout bounds one try.
	Timeout time.Duration
	// Try tries the rule at one revision.
	Try func(ctx context.Context, revision Revision) error
}

// Run tries checks one after the other. Its error says that the context ended before the last
// check; what the checks found is in the report. Progress, unless it is nil, hears of each result
// as it comes.
func Run(ctx context.Context, checks []Bound, progress func(Result)) (*Report, error) {
	report := &Report{}
	for _, current := range checks {
		for _, result := range current.Run(ctx) {
			report.Results = append(report.Results, result)
			if progress != nil {
				progress(result)
			}
		}
		if err := ctx.Err(); err != nil {
			return report, err
		}
	}
	return report, nil
}

// Run tries the check once, or once for each revision where the rule says so. Where one revision
// will do, it goes on until the target speaks one.
func (b *Bound) Run(ctx context.Context) []Result {
	var results []Result
	for _, revision := range b.planned() {
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
	if results == nil {
		target := "server"
		if b.role() == "client" {
			target = "client"
		}
		err := fmt.Errorf("the rule is not one of a revision that the %s claims to speak", target)
		results = append(results, Result{Rule: b.Rule, Verdict: Skip, Err: err})
	}
	return results
}

// planned are the revisions to try a check at: all that apply. Where one will do, the newest with a
// handshake comes first, since more servers speak these than the newest of all. The others are for
// servers that do not speak it.
func (b *Bound) planned() []Revision {
	claimed := b.Claimed
	if len(claimed) == 0 {
		claimed = Revisions()
	}
	var all []Revision
	for _, revision := range claimed {
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
	if b.Lacking != "" {
		result.Verdict = Skip
		result.Err = errors.New("needs " + b.Lacking)
		return result
	}
	ctx, cancel := context.WithTimeout(parent, b.Timeout)
	defer cancel()
	err := guarded(func() error { return b.Try(ctx, revision) })
	// Whatever the check made of an answer that did not come in time, it says nothing of the
	// target.
	if ended := parent.Err(); ended != nil {
		err = &CannotJudge{Reason: "the run was ended", Err: ended}
	} else if ctx.Err() != nil {
		err = &CannotJudge{Reason: fmt.Sprintf("the check took longer than %v", b.Timeout)}
	}
	result.Verdict = b.verdict(err, len(b.Claimed) > 0)
	result.Err = err
	return result
}

// guarded runs a check and turns a panic, which is a mistake of ours, into an error.
func guarded(run func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			stack := errors.New(string(debug.Stack()))
			err = &CannotJudge{Reason: fmt.Sprintf("the check itself broke: %v", v), Err: stack}
		}
	}()
	return run()
}
