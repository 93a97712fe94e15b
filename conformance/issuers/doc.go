// Package issuers checks whether an authorization server follows the rules of MCP authorization and
// of OAuth, and withstands attacks.
//
// [Test] tries every check against an authorization server inside go test, with a subtest for each
// check:
//
//	issuers.Test(t, issuers.Target{URL: "http://localhost:9000", Person: …})
//
// [Run] does the same in a program and returns a report. The more a [Target] supplies, the more
// checks can be tried. Most need a person who signs in: [ScriptedPerson] fills in forms, and
// Target.Open shows pages to a real person.
package issuers
