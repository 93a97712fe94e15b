// Package state keeps what a fake Entra ID remembers between requests: codes, refresh tokens,
// sessions, consent, device codes and registered clients.
//
// Every collection is bounded. Beyond its bound the oldest entry is forgotten, as if it had
// expired.
package state
