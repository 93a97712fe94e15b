// Package servers tells whether an MCP server keeps the rules of MCP authorization, and withstands
// attacks on them.
//
// [Test] tries every check against a server inside go test, with a subtest for each check:
//
//	servers.Test(t, servers.Target{URL: "http://localhost:8000/mcp", Tokens: …})
//
// [Run] does the same elsewhere and returns a report. The more a [Target] supplies, the more can be
// tried: tokens by kind, the issuer's key, tools that show what happened.
package servers
