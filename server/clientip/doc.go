// Package clientip finds the address of the client that sent a request through reverse proxies.
//
// X-Forwarded-For is a list that every proxy appends its peer's address to. A client can write
// anything at its front. So [Proxies] reads it from the right, and believes an entry only if a
// trusted proxy appended it.
package clientip
