// Package checks holds the checks of clients. The file of a check has the name of the second
// segment of its ID: client/pkce/s256 is in pkce.go.
package checks
