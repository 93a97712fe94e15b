// Package journal records the requests to a fake Entra ID and its answers, with secrets masked.
//
// It replaces a secret by its kind and a number, such as [code 1]. The same secret always has the
// same number. A test can therefore see that a client redeems the code that was issued, and a
// snapshot of a whole sign-in is the same in every run.
package journal
