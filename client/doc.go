// Package client signs in to protected MCP servers.
//
// [Transport] is an http.RoundTripper for one MCP server. Put it under any MCP library, or under
// plain net/http. It supports all four MCP revisions, 2025-03-26 to 2026-07-28. A token goes only
// to the resource that it was issued for. Registrations and tokens belong to one authorization
// server and one resource.
//
// # The path of a request
//
//  1. RoundTrip (transport.go) adds the current token, if the token's resource covers the request
//     (resource.go).
//  2. tokens.go loads the token from package tokenstore. refresh.go replaces it before it expires.
//  3. RoundTrip answers a 401 or 403 with retryNonce, renewToken or stepUp (challenge.go).
//     stepups.go bounds the sign-ins for more scopes.
//  4. renew.go takes the token of another process, refreshes the token, or starts a sign-in.
//  5. signin.go makes one sign-in. It discovers the authorization server (backchannel.go, package
//     discovery) and registers the client (register.go). Then a person approves in a browser
//     (authorize.go) or on another device (device.go). unattended.go needs no person. Packages
//     signin and tokenrequest speak the protocol.
//  6. RoundTrip sends the request again. The number of tries is bounded.
//
// Calls go down this list and never back: tokens know no requests, and a sign-in knows no tokens.
//
// # Reasons
//
//   - The transport asks a person once for the same scopes. Concurrent requests and processes wait
//     for the same sign-in (worker.go).
//   - The server chooses the addresses of the sign-in. Each connection passes an address policy
//     (address_policy.go), so a public server cannot send the client into a private network.
//   - The transport is strict where a token could reach the wrong server. Each tolerance has a name
//     and is off by default.
package client
