// Package conformance has the checks for MCP servers, authorization servers and MCP clients, and
// the tests of this repository. It has no API of its own.
//
// Package servers tests an MCP server:
//
//	servers.Test(t, servers.Target{URL: "http://localhost:8000/mcp", Tokens: …})
//
// Package issuers tests an authorization server:
//
//	issuers.Test(t, issuers.Target{URL: "http://localhost:9000", Person: …})
//
// Package clients tests an MCP client:
//
//	clients.Test(t, clients.Target{Name: "my client", Run: …})
//
// All return the verdicts of package check. Package catalogue lists the requirements and attacks
// that the checks cover. The program mcp-auth-conformance runs the checks from the shell.
//
// To add a check, put it into servers/checks, issuers/checks or clients/checks, in the file named
// after the second segment of its ID. Then add an implementation that fails only this check to
// internal/broken beside it: a Fault, and a line in caughtBy in the tests there.
package conformance
