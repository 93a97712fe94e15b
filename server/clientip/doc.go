// Package clientip finds the address of the client that sent a request through reverse proxies.
//
// Every proxy appends its peer's address to X-Forwarded-For or to Forwarded (RFC 7239). A client
// can put anything in front. Therefore [Proxies] reads the header from the right, and trusts an
// entry only if a trusted proxy appended it.
package clientip
