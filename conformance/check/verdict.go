package check

import (
	"errors"
	"fmt"
)

// A Mismatch means that the target breaks a rule.
type Mismatch struct {
	Want string
	Got  string
	// Insecure means that the bad input had an effect: it was served, or the tool ran. A refusal in
	// another way than the rule wants, for example with status 500, breaks the rule but is secure.
	Insecure bool
	// Level replaces the level of the rule, if the target breaks only a weaker rule. Empty means
	// the rule's own level.
	Level Level
	// Exchange is the request and the head of its response, without credentials.
	Exchange string
}

func (m *Mismatch) Error() string { return fmt.Sprintf("want %s, got %s", m.Want, m.Got) }

// CannotJudge means that a check could not be completed. One reason is a failed control: the
// correct request did not succeed either.
type CannotJudge struct {
	Reason string
	Err    error
}

func (e *CannotJudge) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("cannot judge: %s: %v", e.Reason, e.Err)
	}
	return "cannot judge: " + e.Reason
}

func (e *CannotJudge) Unwrap() error { return e.Err }

// NotSpoken means that the target does not speak a revision.
type NotSpoken struct{ Revision Revision }

func (e *NotSpoken) Error() string { return "the target does not speak MCP " + string(e.Revision) }

// NotApplicable means that the rule concerns something optional that the target does not have.
type NotApplicable struct{ Reason string }

func (e *NotApplicable) Error() string { return "does not apply: " + e.Reason }

// A Verdict is the outcome of a check. A greater verdict is worse.
type Verdict int

const (
	Skip  Verdict = iota // the target lacks something, or the rule does not apply to it
	Pass                 // the rule is kept
	Note                 // a policy is broken
	Warn                 // a SHOULD is broken
	Fail                 // a MUST is broken
	Error                // the check could not be completed
)

func (v Verdict) String() string {
	return []string{"skip", "pass", "note", "warn", "fail", "error"}[v]
}

// verdict returns the verdict for the error of a check. A target must speak the revisions that it
// claims.
func (r *Rule) verdict(err error, claimed bool) Verdict {
	var cannot *CannotJudge
	var mismatch *Mismatch
	var notSpoken *NotSpoken
	var notApplicable *NotApplicable
	switch {
	case err == nil:
		return Pass
	case errors.As(err, &cannot): // first, because it can wrap any of the others
		return Error
	case errors.As(err, &mismatch) && mismatch.Level != "":
		return mismatch.Level.broken()
	case errors.As(err, &mismatch):
		return r.Level.broken()
	case errors.As(err, &notApplicable), errors.As(err, &notSpoken) && !claimed:
		return Skip
	}
	return Error
}

// A Result is the outcome of one check at one revision.
type Result struct {
	Rule     Rule
	Revision Revision
	Verdict  Verdict
	// Err is the reason of a verdict other than Pass. For Fail, Warn and Note it is a *Mismatch.
	Err error
}

// Insecure reports whether the bad input had an effect.
func (r *Result) Insecure() bool {
	var mismatch *Mismatch
	return r.Verdict != Error && errors.As(r.Err, &mismatch) && mismatch.Insecure
}

// Name returns the ID of the check, with the revision if the rule has EachRevision.
func (r *Result) Name() string {
	if r.Rule.EachRevision {
		return r.Rule.ID + "@" + string(r.Revision)
	}
	return r.Rule.ID
}

// A Report holds the results of a run.
type Report struct {
	Target  string // URL or name
	Results []Result
}

// Count returns the number of results with the verdict.
func (r *Report) Count(verdict Verdict) int {
	n := 0
	for _, result := range r.Results {
		if result.Verdict == verdict {
			n++
		}
	}
	return n
}

// Worst returns the worst verdict.
func (r *Report) Worst() Verdict {
	worst := Skip
	for _, result := range r.Results {
		worst = max(worst, result.Verdict)
	}
	return worst
}
