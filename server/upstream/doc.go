// Package upstream stands in for an MCP server in any language: a reverse proxy that is put behind package guard.
//
// What the guard judged is what the upstream gets, and answers pass byte for byte as they come: each piece of a stream
// is sent on at once, and a caller who goes away ends the upstream's request too. The upstream never sees the caller's
// token. It is told who calls by the header [CallerHeader]: a JWT of one minute, signed with ES256 under a key that
// [Proxy.Keys] publishes, with this server as issuer and the upstream's URL as audience.
//
// The upstream's own refusals of credentials (401, 407) are not the caller's business and become 502, as does an upstream
// that cannot be reached or that redirects to another origin.
package upstream
