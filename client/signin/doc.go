// Package signin takes a person through the authorization code flow: it registers the client, opens
// the authorization page, waits for the response on a loopback address, and checks the response.
package signin
