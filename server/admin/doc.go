// Package admin is the HTTP API with which administrators see and end grants.
//
// It listens apart from the MCP endpoint, and every request needs a bearer secret, also on
// loopback. No browser can use it: it refuses requests with an Origin, and requests whose Host is
// not its own.
//
//	GET    /grants              lists grants: user, client, after, limit
//	GET    /grants/{id}         shows one grant
//	DELETE /grants/{id}         ends one grant
//	DELETE /grants              ends grants: user, client, or all=true
//
// A user is an object ID or a user name. The end of a grant counts at once on this replica, and
// within store.MaxStale on the others. It deletes the consent too, so the person is asked again.
package admin
