// Package bench is the test bench for servers: the tools with which a check tries a target.
//
// A [Check] is a literal: a rule, its needs, and a func that tries it. The func gets a new [Probe].
// A check that wants something refused first shows that the same request without a flaw succeeds
// ([Probe.Trial], [Probe.Control]). A target that is unreachable, or that refuses everything, is
// "cannot judge" and never a pass.
//
// An attack is judged twice. A server is secure if the bad input had no effect: the answer was not
// 2xx, and the target's [Canary] tool did not run. It conforms if it also refused as the rule
// requires. A status 500 is secure and does not conform; check.Mismatch says which of the two is
// broken.
//
// Checks send [Request] values, or bytes that no HTTP client would write ([Probe.Raw]). Tokens with
// a flaw come from the target: by kind ([TokenKind]), or from edits that the issuer's key signs
// ([Mint], [Remint]). A check that changes the issuer's keys does so on a [Fixture], a server that
// is started for it alone.
package bench
