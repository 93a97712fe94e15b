// Package engine runs checks against a target.
//
// A [Check] is a literal: an ID that never changes, the rule in our words, where the rule stands, what it needs, and a func that tries it. The func gets a fresh [Probe] and
// returns an error: nil is a pass, a [*Mismatch] is an answer that breaks the rule, and anything else means that the check could not be done. Results are new values; nothing
// is kept in a check, so the same checks can judge many targets at once.
//
// A check that wants something refused first shows that the same request with nothing wrong succeeds. A target that is dead, or that refuses everything, is
// "cannot judge" and never a pass.
package engine
