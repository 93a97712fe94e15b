// Package aadsts is the catalogue of the errors that Entra ID answers with: number, sentence, OAuth
// error code and HTTP status, side by side.
//
// The sentences are the ones that clients and support scripts search for. Facts that nobody has
// seen in a recording are marked in the comments with the letter M (documented or reported) or L
// (from memory), so that one look at a tenant can correct them.
package aadsts
