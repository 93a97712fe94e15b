package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// A Role is who has to keep a rule.
type Role string

const (
	Server              Role = "server"
	AuthorizationServer Role = "authorization-server"
	Client              Role = "client"
)

// A Level is how strongly a rule is meant: the keyword of the specification (RFC 2119), or Policy for what no standard
// asks for and good servers do all the same. Who breaks a policy is told, in a note; no more.
type Level string

const (
	Must   Level = "MUST"
	Should Level = "SHOULD"
	Policy Level = "policy"
)

// broken is the verdict on an answer that breaks a rule of the level.
func (l Level) broken() Verdict {
	switch l {
	case Must:
		return Fail
	case Should:
		return Warn
	case Policy:
		return Note
	}
	return Error
}

// A Severity is how bad it is when an attack succeeds. A rule that is no defence has none.
type Severity string

const (
	Critical Severity = "critical"
	High     Severity = "high"
	Medium   Severity = "medium"
	Low      Severity = "low"
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
	WithoutScope    TokenKind = "without scope"     // good, but for a scope that every request needs
	BroaderScope    TokenKind = "broader scope's"   // good, with a scope in place of the one that every request needs, which contains it
	OtherUser       TokenKind = "another user's"    // good, of another principal than Good
	UnlistedClient  TokenKind = "unlisted client's" // good, but of a client that the server is configured to refuse
	PublicClient    TokenKind = "public client's"   // good, but of a client without credentials, which the server is configured to refuse
	Refreshed       TokenKind = "refreshed"         // good, of the principal of Good, and another token
)

// A Check is one rule and how to try it.
type Check struct {
	// ID names the check for ever, by what it is about: server/token/expired.
	ID   string
	Role Role
	// Level decides whether an answer that breaks the rule is a failure, a warning or a note.
	Level Level
	// Severity is set for attacks.
	Severity Severity
	// Revisions that the rule belongs to. Nil means all.
	Revisions []Revision
	// EachRevision tries the rule once for each revision that the target speaks, instead of once: at the newest revision with a
	// handshake, or, where the target does not speak that, at another.
	EachRevision bool
	// Reference is where the rule stands.
	Reference string
	// Sentence is the rule in our words.
	Sentence string
	// Covers are the entries of the catalogue that the check tries: requirements, and attacks such as RS-012.
	Covers []string
	// Needs are the tokens that a target has to supply for the check to be possible.
	Needs []TokenKind
	// These say that the target has to supply more: what a field of its name says.
	NeedsMint, NeedsCanary, NeedsHandles, NeedsRounds, NeedsTasks, NeedsWhoami, NeedsLocal, NeedsForwarded, NeedsRig bool
	// Disruptive checks load a server enough for others to notice. They are tried only where a Selection asks for them.
	Disruptive bool
	// Abilities are what a client has to have for the check to be possible.
	Abilities []Ability
	// Run tries the rule of a server.
	Run func(ctx context.Context, p *Probe) error
	// RunClient tries the rule of a client, instead of Run.
	RunClient func(ctx context.Context, p *ClientProbe) error
}

// appliesTo reports whether the rule belongs to a revision.
func (c *Check) appliesTo(r Revision) bool {
	return len(c.Revisions) == 0 || slices.Contains(c.Revisions, r)
}

// A Mismatch is an answer that breaks a rule.
type Mismatch struct {
	Want, Got string
	// Insecure says that bad input had an effect: it was served, or the tool ran. A bad request that was refused in
	// another way than the rule wants, with status 500 for instance, breaks the rule and is secure.
	Insecure bool
	// Level replaces that of the check, where one answer breaks a lesser rule. Empty means the check's.
	Level Level
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

func (e *NotSpoken) Error() string { return "it does not speak MCP " + string(e.Revision) }

// NotApplicable says that a rule is about something that the target does not have, and need not have.
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

// A Result is what came of one check, at one revision.
type Result struct {
	Check    Check
	Revision Revision
	Verdict  Verdict
	// Err says why, unless the verdict is Pass. A *Mismatch has the details of a failure or warning.
	Err error
}

// Insecure reports whether bad input had an effect.
func (r *Result) Insecure() bool {
	var mismatch *Mismatch
	return r.Verdict != Error && errors.As(r.Err, &mismatch) && mismatch.Insecure
}

// Name is the check's ID, with the revision where the check is tried at several.
func (r *Result) Name() string {
	if r.Check.EachRevision {
		return r.Check.ID + "@" + string(r.Revision)
	}
	return r.Check.ID
}
