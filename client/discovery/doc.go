// Package discovery finds out how to sign in to an MCP server. It parses challenges, and fetches
// protected resource metadata (RFC 9728) and authorization server metadata (RFC 8414, OpenID
// Connect Discovery). For servers without metadata it uses the default paths of MCP 2025-03-26.
//
// The server may be hostile. The package bounds sizes and times, follows no redirect, and checks
// each address that a server names. It refuses a document that breaks a rule; it never repairs one.
package discovery
