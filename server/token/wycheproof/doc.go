// Package wycheproof runs the vectors of Project Wycheproof against the verifier of package token.
// It is a module of its own, so that users of the server do not fetch the vectors.
package wycheproof
