// Package conformance holds the checks for MCP servers and clients, and tests of this repository.
// It has no API.
//
// Package servers tries an MCP server:
//
//	servers.Test(t, servers.Target{URL: "http://localhost:8000/mcp", Tokens: …})
//
// Package clients tries an MCP client:
//
//	clients.Test(t, clients.Target{Name: "my client", Run: …})
//
// Both say what came of it in the words of package check. Package catalogue lists the requirements
// and attacks that the checks cover. The program mcp-auth-conformance does the same from the shell.
//
// To add a check, put it into the file of servers/checks or clients/checks that has the name of the
// second segment of its ID, and add an implementation to internal/broken beside it that fails this
// check and no other.
package conformance
