// Package programs runs mcp-entra-server and fakeentra as two processes, for tests and benchmarks.
package programs
