// Package broker is the authorization server that stands between MCP clients and Entra ID.
//
// Towards clients it is an OAuth 2.1 authorization server of its own: metadata, dynamic
// registration, authorization code with PKCE, refresh with rotation, revocation. Towards Entra it
// is one confidential client with one registration. Since Entra remembers consent for that one
// client, the broker asks for consent itself, for each client, before anybody is sent to Entra (the
// confused deputy of MCP's security best practices).
//
// A client never sees a token of Entra's. What Entra issues is kept, encrypted, with the grant, and
// is asked for anew when less than five minutes of it are left.
//
// The files are named after the steps: metadata, register, authorize, consent, callback, token
// (code and refresh), revoke.
package broker
