// Package broken has MCP clients that are broken in one way each. They prove the checks: every
// check catches a broken client, and a client without faults passes every check. The map caughtBy
// in the tests of this package has the checks that catch each [Fault].
package broken
