// Package bench is the test bench for servers: what a check needs to try a target.
//
// A [Check] is a literal: a rule, what it needs, and a func that tries it. The func gets a fresh
// [Probe]. A check that wants something refused first shows that the same request with nothing
// wrong succeeds ([Probe.Trial], [Probe.Control]). A target that is dead, or that refuses
// everything, is "cannot judge" and never a pass.
//
// An attack is judged twice. A server is secure if the bad input had no effect: it was not answered
// with 2xx, and the target's [Canary] did not run. It conforms if it also refused in the manner
// that the rule wants. A status 500 is secure and does not conform; check.Mismatch says which of
// the two is broken.
//
// Checks send [Request] values, or bytes that no client would write ([Probe.Raw]). Tokens with a
// flaw come from the target: by kind ([TokenKind]), or made at will with the issuer's key ([Mint],
// [Remint]). A check that changes the issuer's keys does so on a [Fixture], a server that is
// started for it alone.
package bench
