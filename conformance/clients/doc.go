// Package clients tests whether an MCP client keeps the rules of MCP authorization, and withstands
// attacks on them.
//
// [Test] tries every check inside go test, with a subtest for each check:
//
//	clients.Test(t, clients.Target{Name: "my client", Run: …})
//
// [Run] does the same elsewhere and returns a report. Each check runs the client in its own
// environment on loopback, and judges it by the requests that arrive there. [Command] makes a
// client from a program.
package clients
