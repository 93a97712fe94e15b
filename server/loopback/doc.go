// Package loopback tells the hosts of this machine from all others, so that every part of the
// server that allows plain http there decides alike.
package loopback
