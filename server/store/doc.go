// Package store keeps the records of the authorization server: registered clients, authorizations
// under way, codes, grants, consent and keys.
//
// A [Store] keeps records of bytes under a kind and a key. A record has a version and is changed by
// compare-and-swap, so of several concurrent changes only one succeeds. It also has an expiry,
// after which the store behaves as if it had never existed. The bytes are opaque here; the broker
// encrypts them. Every implementation passes the contract in package storetest.
package store
