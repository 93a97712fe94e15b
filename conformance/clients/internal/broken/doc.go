// Package broken holds MCP clients that are broken in one way each. They prove the checks: every
// check catches a broken client, and no check is red for a client without faults. The tests of this
// package map each [Fault] to the checks that catch it; a new fault goes there too.
package broken
