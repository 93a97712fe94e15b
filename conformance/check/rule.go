package check

import (
	"slices"
	"strings"
)

// A Level is the strength of a rule. It is the keyword of the specification (RFC 2119), or Policy
// for a rule that no standard has but good implementations keep. A broken policy is a note.
type Level string

const (
	Must   Level = "MUST"
	Should Level = "SHOULD"
	Policy Level = "policy"
)

// broken returns the verdict for a broken rule of this level.
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

// A Severity is the damage if an attack succeeds. Rules that defend against no attack have none.
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

// Revisions returns all published revisions, the oldest first.
func Revisions() []Revision { return []Revision{R20250326, R20250618, R20251125, R20260728} }

// A Rule is a requirement that a check tries.
type Rule struct {
	// ID names the check, for example server/token/expired. It never changes. The first segment is
	// the role that must keep the rule. The second names the file of the check.
	ID string
	// Level decides whether a broken rule is a failure, a warning or a note.
	Level Level
	// Severity is set for attacks.
	Severity Severity
	// Revisions to which the rule applies. Nil means all.
	Revisions []Revision
	// EachRevision tries the rule at each revision that the target speaks. Otherwise the rule is
	// tried once: at the newest revision with a handshake, or at another one that the target
	// speaks.
	EachRevision bool
	// Disruptive checks load a server so much that other users notice. Only a Selection with
	// Disruptive includes them.
	Disruptive bool
	// Reference is the source of the rule.
	Reference string
	// Sentence is the rule in our words.
	Sentence string
	// Covers are the IDs of the catalogue entries that the check tries: requirements, and attacks
	// such as RS-012.
	Covers []string
}

// role returns the role that must keep the rule: server, authorization-server or client.
func (r *Rule) role() string {
	// With 2025-03-26 the MCP server publishes this document, although it describes the
	// authorization server.
	if r.ID == "authorization-server/metadata/root" {
		return "server"
	}
	role, _, _ := strings.Cut(r.ID, "/")
	return role
}

// topic returns the first two segments of the ID.
func (r *Rule) topic() string {
	segments := strings.SplitN(r.ID, "/", 3)
	return strings.Join(segments[:min(len(segments), 2)], "/")
}

// rule makes Rule, and structs that embed it, ruled.
func (r *Rule) rule() *Rule { return r }

// appliesTo reports whether the rule applies to a revision.
func (r *Rule) appliesTo(revision Revision) bool {
	return len(r.Revisions) == 0 || slices.Contains(r.Revisions, revision)
}
