// Package guard protects an http.Handler, normally an MCP endpoint, with bearer tokens.
//
// Mount a [Guard] at exactly the path of the protected resource, and [Guard.Metadata] at
// [Guard.MetadataPath]. The metadata needs no token. A request passes these gates in this order,
// and its body is not read before the last one:
//
//  1. Host: the request has to name this resource (421 otherwise). A resource on loopback answers
//     to localhost, 127.0.0.1 and [::1] on its port and to no other name. That stops DNS rebinding.
//  2. Origin: a web page may call only from the resource's own origin or a listed one (403
//     otherwise).
//  3. Method: GET, POST and DELETE, and OPTIONS for preflight requests (405 otherwise).
//  4. Token: it comes from the Authorization header alone. A missing or invalid token means 401
//     with a challenge (RFC 6750, RFC 9728), malformed or repeated credentials 400, and a missing
//     scope 403 with insufficient_scope and all needed scopes. While tokens cannot be checked, the
//     answer is 503 with Retry-After.
//  5. Headers: the handler gets a copy. It never sees the Authorization header, the headers in
//     which proxies pass identities on, or names that CGI-like interfaces could take for others. A
//     repeated header that decides how the message is read means 400.
//  6. Session: a session ID has to belong to the caller (404 otherwise).
//  7. Limits: a caller may have only so much at once (429 or 503, see [Limits]).
//  8. Body: at most MaxBody bytes of strict JSON-RPC (413, 415, 400) that arrive within BodyTimeout
//     (408). MCP-Protocol-Version has to name a published revision (400). GET and DELETE have no
//     body, and trailers are dropped.
//
// Each gate returns its refusal, and ServeHTTP logs and writes it. The handler gets the guard's own
// encoding of the message, so the message that was checked is the message that runs. Batches, which
// only revision 2025-03-26 has, are split, and the answers are joined.
//
// Session IDs are the handler's. The guard seals them to the caller: to every other user, and to
// every other client, a session does not exist. A session ID proves nothing, so every request needs
// its token.
//
// A listening stream ends when its token expires (identity.Caller.GoodUntil). A call ends after
// Config.MaxCall. Both end when the token is revoked. If the handler has not answered by then, the
// guard answers.
//
// The handler finds its caller with [FromContext].
package guard
