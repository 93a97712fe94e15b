// Package accesstoken reads the access tokens of a broker (RFC 9068). A resource server elsewhere
// verifies them with a [Verifier], by the keys that the broker publishes. Set [Verifier.Verify] as
// the Verify of package guard's Config.
//
// The keys do not say that a grant has ended, so a revoked token counts until it expires, at most
// ten minutes later. A resource server that has to know at once asks the broker's introspection
// endpoint.
package accesstoken
