// Package upstream stands in for an MCP server in any language: a reverse proxy that is put behind
// package guard.
//
// The upstream gets the message that the guard judged, and answers pass byte for byte as they come:
// each piece of a stream is sent on at once, and a caller who goes away ends the upstream's request
// too.
//
// Nothing passes unless a list names it. Requests keep Accept, Accept-Encoding, Accept-Language,
// Content-Type, User-Agent, Last-Event-ID, traceparent, tracestate, baggage, Mcp-Session-Id,
// Mcp-Protocol-Version, Mcp-Method, Mcp-Name and Mcp-Param-*. Answers keep Allow,
// Content-Disposition, Content-Encoding, Content-Language, Content-Length, Content-Type, Date,
// ETag, Last-Modified, Retry-After, Mcp-*, traceparent, traceresponse, tracestate and
// X-Accel-Buffering. Config.Headers adds to both, and names the trailers of answers that pass;
// trailers of requests and informational answers (1xx) never do. The path and query are the
// configured ones; Config.Query names parameters of callers.
//
// A request is sent once. It is sent again in two cases: the upstream had closed the connection,
// and no byte of the request was written to it; or the upstream answered 307 or 308 and named
// another URL at its own origin.
//
// The upstream never sees the caller's token. It is told who calls by the header [CallerHeader]: a
// JWT of one minute, signed with ES256 under a key that [Proxy.Keys] publishes, with this server as
// issuer and the upstream's URL, without its query, as audience. X-Forwarded-For, X-Forwarded-Host
// and X-Forwarded-Proto are this server's own words.
//
// The upstream's own refusals of credentials (401, 407) do not reach the caller and become 502, as
// does an upstream that cannot be reached or that redirects to another origin.
package upstream
