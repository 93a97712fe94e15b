// Package broken holds MCP servers that are broken in one way each. They prove the checks: every
// check catches a broken server, and no check is red for a server without faults. The tests of this
// package map each [Fault] to the checks that catch it; a new fault goes there too.
package broken
