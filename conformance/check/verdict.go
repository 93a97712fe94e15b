package check

import (
	"errors"
	"fmt"
)

// A Mismatch is an answer that breaks a rule.
type Mismatch struct {
	Want string
	Got  string
	// Insecure says that bad input had an effect: it was served, or the tool ran. A bad request
	// that was refused in another way than the rule wants, with status 500 for instance, breaks the
	// rule and is secure.
	Insecure bool
	// Level replaces that of the check, where one answer breaks a lesser rule. Empty means the
	// check's.
	Level Level
	// Exchange is the request and the head of its answer, without credentials.
	Exchange string
}

func (m *Mismatch) Error() string { return fmt.Sprintf("want %s, got %s", m.Want, m.Got) }

// CannotJudge says that a check could not be done. One reason is a failed control: the request with
// nothing wrong did not succeed either.
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

// NotSpoken says that a target does not speak a revision.
type NotSpoken struct{ Revision Revision }

func (e *NotSpoken) Error() string { return "it does not speak MCP " + string(e.Revision) }

// NotApplicable says that a rule is about something that the target does not have, and need not
// have.
type NotApplicable struct{ Reason string }

func (e *NotApplicable) Error() string { return "does not apply: " + e.Reason }

// A Verdict is what came of a check. Verdicts are ordered: a greater one is worse.
type Verdict int

const (
	Skip  Verdict = iota // the target lacks what the check needs, or the rule does not apply to it
	Pass                 // the rule is kept
	Note                 // a policy is not followed
	Warn                 // a SHOULD is broken
	Fail                 // a MUST is broken
	Error                // the check could not be done: dead target, failed control, or our own mistake
)

func (v Verdict) String() string {
	return []string{"skip", "pass", "note", "warn", "fail", "error"}[v]
}

// verdict is what the error of a check means. Where the target claims the revision, it has to speak
// it.
func (r *Rule) verdict(err error, claimed bool) Verdict {
	var cannot *CannotJudge
	var mismatch *Mismatch
	var notSpoken *NotSpoken
	var notApplicable *NotApplicable
	switch {
	case err == nil:
		return Pass
	case errors.As(err, &cannot): // whatever it wraps
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

// A Result is what came of one check, at one revision.
type Result struct {
	Rule     Rule
	Revision Revision
	Verdict  Verdict
	// Err says why, unless the verdict is Pass. A *Mismatch has the details of a failure or
	// warning.
	Err error
}

// Insecure reports whether bad input had an effect.
func (r *Result) Insecure() bool {
	var mismatch *Mismatch
	return r.Verdict != Error && errors.As(r.Err, &mismatch) && mismatch.Insecure
}

// Name is the check's ID, with the revision where the check is tried at several.
func (r *Result) Name() string {
	if r.Rule.EachRevision {
		return r.Rule.ID + "@" + string(r.Revision)
	}
	return r.Rule.ID
}

// A Report is what came of a run.
type Report struct {
	Target  string // its URL or name
	Results []Result
}

// Count is how many results have the verdict.
func (r *Report) Count(verdict Verdict) int {
	n := 0
	for _, result := range r.Results {
		if result.Verdict == verdict {
			n++
		}
	}
	return n
}

// Worst is the worst verdict of the report.
func (r *Report) Worst() Verdict {
	worst := Skip
	for _, result := range r.Results {
		worst = max(worst, result.Verdict)
	}
	return worst
}
