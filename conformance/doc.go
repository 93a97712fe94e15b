// Package conformance tells whether an MCP server keeps the rules of MCP authorization, and withstands those who do not.
//
// [Checks] are the rules. [Run] tries them against a server and returns a report; [Test] does the same inside go test, with a subtest for each check. Both are doors to one
// engine, package engine, where a check and its verdicts are defined.
//
//	conformance.Test(t, engine.Target{URL: "http://localhost:8000/mcp", Tokens: …})
package conformance
