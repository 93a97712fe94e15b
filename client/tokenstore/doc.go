// Package tokenstore keeps what a client has been given: registrations and tokens, by MCP server,
// account and authorization server, so that nothing of one is ever shown to another. There are
// three behind the one interface [Store]: [Memory]; [File], which encrypts; and [Command], which
// hands everything to a program of somebody else's.
package tokenstore
