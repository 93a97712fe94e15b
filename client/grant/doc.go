// Package grant asks an authorization server for tokens: with an authorization code, and with a refresh token. It tells an authorization server that refuses from one that cannot
// be reached, since only the first ends a grant.
package grant
