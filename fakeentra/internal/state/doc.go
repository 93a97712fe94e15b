// Package state is the memory of a fake Entra ID between requests: codes, refresh tokens, sessions,
// consent, device codes and registered clients.
//
// Every collection has a bound. At the bound it forgets its oldest entry.
package state
