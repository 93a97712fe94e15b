// Package tools implements the MCP tools of the reference server: get_user_name asks Microsoft
// Graph for the caller's name, and whoami returns what the server knows of the caller.
//
// [Handler] serves them over Streamable HTTP in the revisions 2025-03-26, 2025-06-18, 2025-11-25
// and 2026-07-28 at once. It needs package guard in front of it: the tools take the caller from the
// request's context, never from arguments or headers. A tool that fails answers with a tool error
// (isError), which tells the person what to do.
package tools
