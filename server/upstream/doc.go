// Package upstream puts an MCP server in any language behind package guard: it is a reverse proxy.
//
// The upstream gets the message that the guard checked. Answers pass byte for byte and as they
// come: the proxy sends each piece of a stream on at once. If the caller leaves, the proxy ends the
// upstream's request too.
//
// Only listed headers pass. Requests keep Accept, Accept-Encoding, Accept-Language, Content-Type,
// User-Agent, Last-Event-ID, traceparent, tracestate, baggage, Mcp-Session-Id,
// Mcp-Protocol-Version, Mcp-Method, Mcp-Name and Mcp-Param-*. Answers keep Allow,
// Content-Disposition, Content-Encoding, Content-Language, Content-Length, Content-Type, Date,
// ETag, Last-Modified, Retry-After, Mcp-*, traceparent, traceresponse, tracestate and
// X-Accel-Buffering. Config.Headers adds to both lists, and names the trailers of answers that
// pass. Trailers of requests and informational answers (1xx) never pass. The path and query are the
// configured ones; Config.Query names parameters of callers that pass.
//
// The proxy sends a request once. It sends it again in two cases: the upstream had closed the
// connection before a byte of the request was written to it, or the upstream answered 307 or 308
// and named another URL at its own origin.
//
// The upstream never sees the caller's token. The header [CallerHeader] names the caller: a JWT of
// one minute, signed with ES256 under a key that [Proxy.Keys] publishes. Its issuer is this server,
// and its audience is the upstream's URL without the query. The proxy also sets X-Forwarded-For,
// X-Forwarded-Host and X-Forwarded-Proto.
//
// If the upstream refuses the proxy's request for its credentials (401, 407), cannot be reached or
// redirects to another origin, the caller gets 502.
package upstream
