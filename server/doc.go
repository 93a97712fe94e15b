// Package server puts an MCP server behind Microsoft Entra ID.
//
// [New] wires the parts from a [Config]. The handler behind the guard is one of three: the
// reference server's own tools, any http.Handler in Config.MCP, or another server at
// Config.Upstream. A handler finds its caller with guard.FromContext. An upstream finds the caller
// in a signed header. The parts also work on their own: package guard protects a handler with the
// tokens of any issuer that package token can verify.
//
// # The path of a request
//
//  1. The listener gives up connections whose client reads no answers ([NewListener]).
//  2. The mux sends the metadata, the broker's endpoints and the front page their requests, and the
//     rest of MCP_PATH to the guard.
//  3. Package guard checks Host, Origin, token, scopes, session, limits and message, in this order.
//     Package token verifies the signature; package entra or package broker decides about the
//     caller.
//  4. The handler runs with a context that names the caller. It ends with the call's limits.
//  5. In front of an upstream, package upstream builds a new request from an allow-list and signs
//     the caller's name.
//
// A sign-in takes the other path, through package broker: register, authorize, consent, Entra,
// callback, token. Package store keeps what must outlive a request.
//
// # Reasons
//
//   - The default mode is a broker, because Entra ID registers no clients, advertises no PKCE and
//     refuses the parameter resource unless it equals an identifier URI of the API.
//   - The broker signs its tokens with ES256: the keys and signatures are small, and every JOSE
//     library verifies it. Entra's own tokens use RS256, so the verifier knows both.
//   - Access tokens are JWTs for ten minutes, and the guard still looks the grant up. A revoked
//     grant therefore ends at once, and not with its token.
//   - The store is SQLite: one file, one process, durable after each write, and no server to run.
//   - The guard splits batches of 2025-03-26, because mcp-go accepts none. It judges every entry
//     before the first one runs.
//   - The guard passes on its own encoding of the message, so the message that it judged is the
//     message that runs.
package server
