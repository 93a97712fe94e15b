package engine

import (
	"context"
	"fmt"
	"slices"
)

// A Role is who has to keep a rule.
type Role string

const (
	Server              Role = "server"
	AuthorizationServer Role = "authorization-server"
)

// A Level is how strongly a rule is meant: the keyword of the specification (RFC 2119).
type Level string

const (
	Must   Level = "MUST"
	Should Level = "SHOULD"
)

// A Revision is a published revision of MCP.
type Revision string

// The published revisions.
const (
	R20250326 Revision = "2025-03-26"
	R20250618 Revision = "2025-06-18"
	R20251125 Revision = "2025-11-25"
	R20260728 Revision = "2026-07-28"
)

// Revisions are all of them, the oldest first.
func Revisions() []Revision { return []Revision{R20250326, R20250618, R20251125, R20260728} }

// A TokenKind is an access token that differs from a good one in one thing.
type TokenKind string

const (
	Good            TokenKind = "good"
	Expired         TokenKind = "expired"
	NotYetValid     TokenKind = "not yet valid"
	ForeignAudience TokenKind = "foreign audience"
	ForeignIssuer   TokenKind = "foreign issuer"
)

// A Check is one rule and how to try it.
type Check struct {
	// ID names the check for ever, by what it is about: server/token/expired.
	ID   string
	Role Role
	// Level decides whether an answer that breaks the rule is a failure or a warning.
	Level Level
	// Revisions that the rule belongs to. Nil means all.
	Revisions []Revision
	// EachRevision tries the rule once for each revision that the target speaks, instead of once.
	EachRevision bool
	// Reference is where the rule stands.
	Reference string
	// Sentence is the rule in our words.
	Sentence string
	// Needs are the tokens that a target has to supply for the check to be possible.
	Needs []TokenKind
	// Run tries the rule.
	Run func(ctx context.Context, p *Probe) error
}

// appliesTo reports whether the rule belongs to a revision.
func (c *Check) appliesTo(r Revision) bool {
	return len(c.Revisions) == 0 || slices.Contains(c.Revisions, r)
}

// A Mismatch is an answer that breaks a rule.
type Mismatch struct {
	Want, Got string
	// Exchange is the request and the head of its answer, without credentials.
	Exchange string
}

func (m *Mismatch) Error() string { return fmt.Sprintf("want %s, got %s", m.Want, m.Got) }

// CannotJudge says that a check could not be done, for instance because its control failed: the request with nothing wrong did not succeed either.
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

// NotSpoken says that a target does not speak the revision of the probe.
type NotSpoken struct{ Revision Revision }

func (e *NotSpoken) Error() string { return "the server does not speak MCP " + string(e.Revision) }

// NotApplicable says that a rule is about something that the target does not have, and need not have.
type NotApplicable struct{ Reason string }

func (e *NotApplicable) Error() string { return "does not apply: " + e.Reason }

// A Verdict is what came of a check. Verdicts are ordered: a greater one is worse.
type Verdict int

const (
	Skip  Verdict = iota // the target lacks what the check needs, or the rule does not apply to it
	Pass                 // the rule is kept
	Warn                 // a SHOULD is broken
	Fail                 // a MUST is broken
	Error                // the check could not be done: dead target, failed control, or our own mistake
)

func (v Verdict) String() string {
	return []string{"skip", "pass", "warn", "fail", "error"}[v]
}

// A Result is what came of one check, at one revision.
type Result struct {
	Check    Check
	Revision Revision
	Verdict  Verdict
	// Err says why, unless the verdict is Pass. A *Mismatch has the details of a failure or warning.
	Err error
}

// Name is the check's ID, with the revision where the check is tried at several.
func (r *Result) Name() string {
	if r.Check.EachRevision {
		return r.Check.ID + "@" + string(r.Revision)
	}
	return r.Check.ID
}
