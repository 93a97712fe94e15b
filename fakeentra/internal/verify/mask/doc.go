// Package mask masks requests to Entra ID and its answers, so that they can be attached to an issue
// and compared with the answers of another tenant.
//
// A mask replaces each ID, time, secret and name by the place where it first occurs in the
// exchange, for example [guid path] or [secret body access_token]. Two exchanges that differ only
// in these values are then equal. A text that the package does not know is masked. The lists in
// vocabulary.go are the texts that stay.
package mask
