// Package bench is the test bench for authorization servers: the tools with which a check tries a
// target.
//
// A [Check] is a literal: a rule, its needs, and a func that tries it. The func gets a new [Probe].
// The probe reads the metadata, registers clients, and sends people through the authorization in a
// [Browser]. A check that wants something refused first shows that the same request without a flaw
// succeeds. A target that is unreachable, or that refuses everything, is "cannot judge" and never a
// pass.
//
// A [Browser] records each exchange with the authorization server. It answers requests to redirect
// URIs itself, so that checks can register any redirect URI and no other machine is asked.
package bench
