// Package rig plays an issuer for a server under test. The operator points the server at the
// issuer. The checks then have every kind of token and control the issuer's keys.
package rig
