// Package signing signs the tokens of a fake Entra ID. It holds the signing keys, writes claims in
// the order of Entra ID's tokens, and reads its own tokens back.
//
// The keys that every fake starts with are part of this package's source, so that a fake starts
// without making one. Nothing that matters may trust them.
package signing
