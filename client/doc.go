// Package client signs in to protected MCP servers.
//
// [Transport] is an http.RoundTripper. Put it under any MCP library, or under plain HTTP: it sends a request, and if the server answers 401 it finds the authorization server,
// registers, takes a person through the sign-in, and sends the request again with a token. Later it refreshes the token before it expires, and asks for more scopes where the
// server demands them. It speaks to servers of all four MCP revisions, 2025-03-26 to 2026-07-28.
//
// A token goes to the origin of the server that it is for, and to no other; registrations and tokens belong to one authorization server and one resource.
package client
