package check

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
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
	// Severity replaces the severity of the rule, if this input does less damage. Empty means the
	// rule's own severity.
	Severity Severity
	// Exchange is the request and the head of its response, without credentials.
	Exchange string
	// Others are further inputs of the same check that break the rule.
	Others []*Mismatch
}

func (m *Mismatch) Error() string { return fmt.Sprintf("want %s, got %s", m.Want, m.Got) }

// all returns the mismatch and its others.
func (m *Mismatch) all() []*Mismatch {
	first := *m
	first.Others = nil
	return append([]*Mismatch{&first}, m.Others...)
}

// weight orders the mismatches of a rule. A greater weight is worse. The level decides first, then
// an effect, and then the severity.
func (r *Rule) weight(m *Mismatch) int {
	severities := []Severity{Low, Medium, High, Critical}
	weight := 10 * int(cmp.Or(m.Level, r.Level).broken())
	if m.Insecure {
		weight += 5
	}
	return weight + 1 + slices.Index(severities, cmp.Or(m.Severity, r.Severity))
}

// sorted puts the worst mismatch of an error first.
func (r *Rule) sorted(err error) error {
	mismatch, ok := err.(*Mismatch)
	if !ok || len(mismatch.Others) == 0 {
		return err
	}
	all := mismatch.all()
	slices.SortStableFunc(all, func(a, b *Mismatch) int { return cmp.Compare(r.weight(b), r.weight(a)) })
	worst := *all[0]
	worst.Others = all[1:]
	return &worst
}

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

// Skipped means that a check that applies was not completed, for a reason that says nothing about
// its rule. For example, the time for samples was over.
type Skipped struct {
	// Of is the ID of a check that has found the reason. Empty means that no check has.
	Of     string
	Reason string
}

func (e *Skipped) Error() string {
	if e.Of == "" {
		return e.Reason
	}
	return "follows from " + e.Of + ": " + e.Reason
}

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
	switch {
	case err == nil:
		return Pass
	case errors.As(err, &cannot): // first, because it can wrap any of the others
		return Error
	case errors.As(err, &mismatch) && mismatch.Level != "":
		return mismatch.Level.broken()
	case errors.As(err, &mismatch):
		return r.Level.broken()
	case isSkip(err), errors.As(err, &notSpoken) && !claimed:
		return Skip
	}
	return Error
}

// isSkip reports whether an error says that there is nothing to judge.
func isSkip(err error) bool {
	var notApplicable *NotApplicable
	var skipped *Skipped
	return errors.As(err, &notApplicable) || errors.As(err, &skipped)
}

// A Result is the outcome of one check at one revision.
type Result struct {
	Rule     Rule
	Revision Revision
	Verdict  Verdict
	// Err is the reason of a verdict other than Pass. For Fail, Warn and Note it is a *Mismatch.
	Err error
	// Exchanges are the first and the last exchanges of the check, without credentials and bodies.
	// The checks of a client have one text with a line for each request of the client.
	Exchanges []string
	// Recorded is the number of all exchanges.
	Recorded int
	// Duration is how long the check took. It is zero if the check was not tried.
	Duration time.Duration
}

// Mismatches returns the inputs that break the rule, the worst first.
func (r *Result) Mismatches() []*Mismatch {
	var mismatch *Mismatch
	if r.Verdict == Error || !errors.As(r.Err, &mismatch) {
		return nil
	}
	return mismatch.all()
}

// Severity returns the damage of the worst input that had an effect, or "" if no input had one. A
// rule that defends against no attack has no severity. Its effects are medium for a MUST, and low
// otherwise.
func (r *Result) Severity() Severity {
	worst := Severity("")
	severities := []Severity{"", Low, Medium, High, Critical}
	for _, m := range r.Mismatches() {
		if !m.Insecure {
			continue
		}
		severity := cmp.Or(m.Severity, r.Rule.Severity)
		switch {
		case severity == "" && cmp.Or(m.Level, r.Rule.Level) == Must:
			severity = Medium
		case severity == "":
			severity = Low
		}
		if slices.Index(severities, severity) > slices.Index(severities, worst) {
			worst = severity
		}
	}
	return worst
}

// Name returns the ID of the check, with the revision if the rule was tried at each.
func (r *Result) Name() string {
	if r.Rule.EachRevision && r.Revision != "" {
		return r.Rule.ID + "@" + string(r.Revision)
	}
	return r.Rule.ID
}

// A Report holds the results of a run.
type Report struct {
	Target  string // URL or name
	Results []Result
}
