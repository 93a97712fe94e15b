// Package checks holds the checks of servers. The second segment of a check's ID names its file:
// server/session/missing is in session.go or in a file that begins with session_. The files of
// checks of the authorization server begin with issuer_. A check's func has the name of its ID:
// sessionMissing. .github/CONTRIBUTING.md says how to add a check.
package checks
