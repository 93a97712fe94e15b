// Package fakeentra is a fake of Microsoft Entra ID for tests and for trying things out: what signs
// in against it signs in against Entra ID, and what Entra ID would refuse it refuses with the same
// answer.
//
// A zero [Config] is a whole directory: a tenant, a web app registration with a secret, an API, and
// two people. [New] makes a fake without a listener, whose issuer is
// https://login.microsoftonline.com/{tenant}/v2.0 and whose Client reaches it without a port.
// [NewServer] and [NewTLSServer] listen on loopback, in the manner of net/http/httptest. One fake
// belongs to one test.
//
// Where nothing is said to the contrary the fake shows Entra's face, absences included: no RFC 8414
// document, no registration, no code_challenge_methods_supported, no iss in the authorization
// response, error pages with status 200.
//
// What is less than certain about Entra ID is marked where it is written down: (M) was documented
// or reported and never recorded, (L) is from memory or disputed. One look at a tenant corrects a
// mark.
//
// The signing keys of a fake are part of its source and known to everybody. Nothing that matters
// may trust them.
package fakeentra
