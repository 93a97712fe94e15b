// Package discovery finds out how to sign in to an MCP server: it parses challenges, fetches
// protected resource metadata (RFC 9728) and authorization server metadata (RFC 8414, OpenID
// Connect Discovery), and falls back to the rules of MCP 2025-03-26 where a server has none.
//
// Everything it reads comes from a server that may be hostile. Sizes, times and redirects are
// bounded, and a document that breaks a rule is discarded rather than repaired.
package discovery
