// Package certificate makes the certificates of a fake with TLS and of fakeentra record. Each comes
// from a new CA, whose private key is never written.
package certificate
