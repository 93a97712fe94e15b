// Package guard puts an http.Handler, normally an MCP endpoint, behind bearer tokens.
//
// A [Guard] is wrapped around the handler and mounted at exactly the path of the protected
// resource; [Guard.Metadata] is mounted at [Guard.MetadataPath] beside it and needs no token. A
// request passes these gates, in this order, and nothing of its body is read before it has passed
// the first four:
//
//  1. Host: the request is meant for this resource (421 otherwise). A resource on loopback answers
//     to localhost, 127.0.0.1 and [::1] on its port and to nothing else, which is what stops DNS
//     rebinding.
//  2. Origin: a browser's page may call only if its origin is that of the resource or is listed
//     (403 otherwise, before any look at the token).
//  3. The token, from the Authorization header alone: 401 with a challenge (RFC 6750, RFC 9728),
//     400 for malformed or repeated credentials, 503 with Retry-After while nobody can tell.
//  4. The scopes: 403 with insufficient_scope, naming all that are needed.
//  5. The message: at most MaxBody bytes of strict JSON-RPC (413, 415, 400), which arrive within
//     BodyTimeout (408). What goes on is the guard's own re-encoding, so what was judged is what is
//     executed. Batches, which exist in the revision 2025-03-26 only, are split, and the answers
//     joined.
//
// Session ids are the handler's, marked by the guard with the caller they belong to: somebody else
// who presents one, or a client of somebody else's, hears 404, as if there were none. They prove
// nothing, and every request needs its token. MCP-Protocol-Version, which decides whether there are
// sessions, has to name a published revision.
//
// A listening stream ends at the moment from which its token is refused (Identity.GoodUntil), and a
// new request with it is answered with 401. A call ends after Config.MaxCall. Both end when the
// token is revoked. If the handler had not answered by then, the guard answers.
//
// The handler finds out who calls with [FromContext]. It never sees the Authorization header, nor
// any of the headers in which proxies pass identities on, nor one with a name that CGI-like
// interfaces could take for another. Trailers, and bodies of GET and DELETE, reach it neither.
package guard
