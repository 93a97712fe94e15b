// Package wycheproof judges the vectors of Project Wycheproof with the verifier of package token.
// It is a module of its own, so that those who use the server do not fetch them.
package wycheproof
