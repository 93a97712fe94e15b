// Package attack holds what several checks attack a server with: requests changed in one thing,
// forged tokens, keys that are published for a while, a trap for a server that believes an address,
// and load.
package attack
