// Package tokenstore stores the registrations and tokens of a client. It keeps them apart by MCP
// server, account and authorization server, so that no server receives the credentials of another.
// The interface [Store] has three implementations: [Memory]; [File], which encrypts; and [Command],
// which hands records to a program of the user's choice.
package tokenstore
