// Package servers checks whether an MCP server follows the rules of MCP authorization and
// withstands attacks on them.
//
// [Test] tries every check against a server inside go test, with a subtest for each check:
//
//	servers.Test(t, servers.Target{URL: "http://localhost:8000/mcp", Tokens: …})
//
// [Run] does the same in a program and returns a report. The more a [Target] supplies, the more
// checks can be tried: tokens by kind, the issuer's key, tools that show when they ran.
package servers
