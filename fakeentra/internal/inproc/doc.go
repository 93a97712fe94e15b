// Package inproc calls an http.Handler without a network. Bodies stream in both directions, and a
// request ends with its context.
package inproc
