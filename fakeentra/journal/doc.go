// Package journal keeps what a fake Entra ID was asked and what it answered, with secrets masked.
//
// A secret is replaced by its kind and a number, such as [code 1]. The same secret has the same
// number wherever it stands, so that a test can see that the code of a token request is the one
// that was issued, and that a snapshot of a whole sign-in is the same in every run.
package journal
