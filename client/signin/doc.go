// Package signin takes a person through an authorization code flow: it registers the client, opens
// the authorization page, and waits on a loopback address for the answer.
package signin
