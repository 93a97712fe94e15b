// Package inproc calls an http.Handler in place of a server on the network. Bodies stream in both
// directions, and a request ends with its context.
package inproc
