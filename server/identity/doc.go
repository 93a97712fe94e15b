// Package identity names the callers of a server. Package guard hands a [Caller] to handlers;
// package entra and package broker make one from a verified token. Keep what belongs to a user
// under the caller's [Principal]: names and addresses change, and users can choose them.
package identity
