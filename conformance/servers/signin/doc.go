// Package signin gets a good token for the checks of a server, as a client does: it reads the
// metadata, registers, opens the authorization page, and redeems the code.
package signin
