// Package checks holds the checks of servers. The file of a check has the name of the second
// segment of its ID: server/session/bounded is in session.go. Checks of the authorization server
// are in files that begin with issuer.
package checks
