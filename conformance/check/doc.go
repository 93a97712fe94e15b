// Package check has the vocabulary of the checks, and their runner. It knows nothing about servers
// or clients.
//
// A [Rule] states a requirement and its source. The packages servers and clients bind their checks
// to a target. The result is a [Bound]: a rule, and a func that tries it at one revision of MCP.
// The func returns nil if the target keeps the rule, and a [*Mismatch] if it breaks the rule. Any
// other error means that the check could not be completed. [Run] returns a [Report] with a [Result]
// for each check. Checks keep no state, so the same checks can judge many targets at once.
package check
