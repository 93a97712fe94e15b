// Package tokenrequest asks an authorization server for tokens: with an authorization code, a refresh
// token, the client's own credentials, an assertion of somebody else, or a code that a person
// approves on another device; bearer tokens, or tokens that are bound to a key. It tells an
// authorization server that refuses from one that cannot be reached, since only the first ends a
// grant.
package tokenrequest
