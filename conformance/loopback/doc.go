// Package loopback connects to servers on this machine in a way that frees the port at once.
package loopback
