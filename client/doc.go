// Package client signs in to protected MCP servers.
//
// [Transport] is an http.RoundTripper. Put it under any MCP library, or under plain HTTP. It speaks to
// servers of all four MCP revisions, 2025-03-26 to 2026-07-28. A token goes only to the resource
// that it was issued for. Registrations and tokens belong to one authorization server and one
// resource.
//
// # The path of a request
//
//  1. RoundTrip adds the token in hand, and refreshes it first if it is about to expire.
//  2. A 401 leads to package discovery: the challenge, the resource's metadata, the authorization
//     server's metadata, and the fallbacks of older revisions.
//  3. Package signin registers the client and takes a person through the sign-in: browser, callback or
//     paste, device code. Package grant sends the token requests.
//  4. Package tokenstore keeps the tokens, so that the next process needs no person.
//  5. RoundTrip sends the request again, once. A 403 that names more scopes leads through step 3 again;
//     the number of tries is bounded.
//
// # Reasons
//
//   - The transport asks a person once for the same scopes. Concurrent requests and processes wait for
//     the same sign-in.
//   - The server chooses the addresses of the sign-in, so each dial passes an address policy: a public
//     server cannot send the client into a private network.
//   - The transport is strict where a token could go astray. Each tolerance has a name, and is off
//     until a caller turns it on.
package client
