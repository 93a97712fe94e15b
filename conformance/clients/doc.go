// Package clients tells whether an MCP client keeps the rules of MCP authorization, and withstands
// attacks on them.
//
// [Test] tries every check against a client inside go test, with a subtest for each check:
//
//	clients.Test(t, clients.Target{Name: "my client", Run: …})
//
// [Run] does the same elsewhere and returns a report. A check runs the client in an environment of
// its own on loopback, and judges it by what reached the servers there. [Command] makes a client of
// a program.
package clients
