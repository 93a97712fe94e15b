// Package check is the vocabulary of the checks, and their only runner. It knows neither servers
// nor clients.
//
// A [Rule] says what is required, and where that stands. The packages servers and clients bind
// their checks to a target; what comes of that is a [Bound], a rule and a func that tries it at one
// revision of MCP. The func returns an error: nil is a pass, a [*Mismatch] is an answer that breaks
// the rule, and anything else means that the check could not be done. Results are new values, so
// the same checks can judge many targets at once.
package check
