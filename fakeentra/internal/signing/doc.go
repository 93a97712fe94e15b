// Package signing signs and verifies the tokens of a fake Entra ID. It holds the signing keys, and
// writes claims in the order of Entra ID's tokens.
//
// The first keys of every fake are part of this package's source, because making a key takes long.
// No real system may trust them.
package signing
