// Package token verifies bearer JWTs, and keeps the keys that this needs.
//
// A [Verifier] checks a token in three rounds, the cheapest first. The pre-parser accepts only the
// strict form: three parts of canonical base64url, JSON without duplicate or look-alike names, an
// algorithm from a list, no critical extensions and no keys in the header. Then the verifier
// compares the claims: issuer, audience, and times. Only a token that passes both rounds reaches a
// key and the cryptography of go-jose. A [Limit] bounds how many tokens are in the third round at
// once, so that processors remain for other work. A [Cache] skips all rounds for a token that was
// verified before.
//
// Keys come from a [KeySource]: [StaticKeys] for a server's own keys, or a [Remote], which reads a
// JWKS document and follows its changes. Forged tokens cannot make a Remote send many requests.
//
// A verdict is one of three: claims, [*InvalidError] (the token is bad; its reason is one of a
// fixed set and never holds text of the token), or [*UnavailableError] (the token cannot be judged
// now, because the keys cannot be read or too many tokens wait; ask again after RetryAfter).
package token
