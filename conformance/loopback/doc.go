// Package loopback connects to servers on this machine, and frees the local port at once on close.
package loopback
