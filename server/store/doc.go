// Package store is what the authorization server must remember: registered clients, authorizations
// under way, codes, grants, consent and keys.
//
// A [Store] keeps records of bytes under a kind and a key. A record has a version, and is changed
// by compare-and-swap, so that of several who act on the same one there is a single winner. It also
// has an expiry, after which it is as if it had never been there. The bytes are opaque here; the
// broker encrypts them. Every implementation passes the contract in package storetest.
package store
