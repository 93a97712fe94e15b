// Package attack holds the tools that several checks attack a server with.
//
//   - A [Vector] is a good request with one flaw; [RefusesAll] makes a check of vectors.
//   - A [Forgery] is a good token with one flaw; [RefusesForged] makes a check of forgeries.
//   - A [Fixture] is a server whose issuer's key set the check controls, and [Discovery] adds the
//     discovery document.
//   - A [Trap] is a server that records whether the server under test calls it.
//   - A [Registrar] registers clients at the authorization server that the target names.
//   - [Survives], [BadSignatures], [Linear] and [SlowReading] are about load.
package attack
