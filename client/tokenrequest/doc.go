// Package tokenrequest sends token requests to an authorization server. A request can carry an
// authorization code, a refresh token, the client's own credentials, a signed assertion, or a
// device code that a person approves on another device. The tokens are bearer tokens, or bound to a
// key by DPoP.
//
// A refusal is an [*Error]. An unreachable or overloaded server is another error: it says nothing
// about the grant, and the client keeps its tokens.
package tokenrequest
