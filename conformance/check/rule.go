package check

import (
	"slices"
	"strings"
)

// A Level says how strongly a rule is meant. It is the keyword of the specification (RFC 2119), or
// Policy for a rule that no standard has and that good servers keep. A broken policy is a note.
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

// A Severity says how bad it is when an attack succeeds. A rule that is no defence has none.
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

// A Rule is what a check holds its target to.
type Rule struct {
	// ID names the check by its topic: server/token/expired. It never changes. Its first segment is
	// the role that has to keep the rule, and its second one names the file of the check.
	ID string
	// Level decides whether an answer that breaks the rule is a failure, a warning or a note.
	Level Level
	// Severity is set for attacks.
	Severity Severity
	// Revisions that the rule belongs to. Nil means all.
	Revisions []Revision
	// EachRevision tries the rule once for each revision that the target speaks. Otherwise it is
	// tried once: at the newest revision with a handshake, or, where the target does not speak
	// that, at another.
	EachRevision bool
	// Disruptive checks load a server enough for others to notice. They are tried only where a
	// Selection asks for them.
	Disruptive bool
	// Reference is where the rule stands.
	Reference string
	// Sentence is the rule in our words.
	Sentence string
	// Covers are the entries of the catalogue that the check tries: requirements, and attacks such
	// as RS-012.
	Covers []string
}

// role is the one that has to keep the rule: server, authorization-server or client.
func (r *Rule) role() string {
	// A server that speaks 2025-03-26 publishes this document itself, although it describes the
	// authorization server.
	if r.ID == "authorization-server/metadata/root" {
		return "server"
	}
	role, _, _ := strings.Cut(r.ID, "/")
	return role
}

func (r *Rule) rule() *Rule { return r }

// appliesTo reports whether the rule belongs to a revision.
func (r *Rule) appliesTo(revision Revision) bool {
	return len(r.Revisions) == 0 || slices.Contains(r.Revisions, revision)
}
