// Package tools holds the MCP tools of the reference server: get_user_name asks Microsoft Graph for
// the name of whoever calls, and whoami says what the server knows of the caller.
//
// [Handler] serves them over Streamable HTTP, without state, in the revisions 2025-03-26,
// 2025-06-18, 2025-11-25 and 2026-07-28 at once. It expects package guard in front of it: the
// identity comes from the request's context, and nothing about the caller is taken from arguments
// or headers. What a tool cannot do is answered as a tool error (isError) that says what the person
// in front of the client can do about it.
package tools
