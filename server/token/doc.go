// Package token decides whether a bearer JWT may be believed, and keeps the keys that decide it.
//
// A [Verifier] looks at a token in three rounds, the cheapest first. The pre-parser takes only the
// strict form: three parts of canonical base64url, JSON without duplicate or look-alike names, an
// algorithm from a list, no critical extensions and no keys brought along. Then the claims are
// compared: issuer, audience, and times. Only a token that passes both meets a key and the
// cryptography of go-jose. A [Limit] leaves processors to others while many tokens get that far,
// and a [Cache] spares those that were verified before all of it.
//
// Keys come from a [KeySource]: [StaticKeys] for a server's own, or a [Remote], which reads a JWKS
// document and follows its changes without letting anybody turn it into a request generator.
//
// A verdict is one of three: claims, [*InvalidError] (the token is bad; its reason is one of a
// fixed set and never holds text of the token), or [*UnavailableError] (nobody can tell now, since
// the keys cannot be read or too many tokens wait; ask again after RetryAfter).
package token
