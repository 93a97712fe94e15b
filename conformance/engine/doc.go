// Package engine runs checks against a target.
//
// A [Check] is a literal: an ID that never changes, the rule in our words, where the rule stands, what it needs, and a func that tries it. The func gets a fresh [Probe] and
// returns an error: nil is a pass, a [*Mismatch] is an answer that breaks the rule, and anything else means that the check could not be done. Results are new values; nothing
// is kept in a check, so the same checks can judge many targets at once.
//
// A check that wants something refused first shows that the same request with nothing wrong succeeds ([Probe.Trial], [Probe.Control]). A target that is dead, or that refuses
// everything, is "cannot judge" and never a pass.
//
// An attack is judged twice. A server is secure if the bad input had no effect: it was not answered with 2xx, and the target's [Canary] did not sing. It conforms if it also
// refused in the manner that the rule wants. A status 500 is secure and does not conform; [Mismatch] says which of the two is broken.
//
// Checks send [Request] values, or bytes that no client would write ([Probe.Raw]). Tokens with a flaw come from the target: by kind ([TokenKind]), or made at will with the
// issuer's key ([Mint], [Remint]). What a check does to the issuer's keys themselves it does on a [Rig], a server that is started for it alone. A check whose needs a target does not supply is skipped, with the reason.
package engine
