// Package fakeentra is a fake of Microsoft Entra ID for tests and for trying things out. A client
// that signs in here signs in at Entra ID. A request that Entra ID refuses is refused here with the
// same answer.
//
// A zero [Config] is a whole directory: a tenant, a web app registration with a secret, an API, and
// two people. [New] makes a fake without a listener. Its issuer is
// https://login.microsoftonline.com/{tenant}/v2.0, and its Client reaches it without a port.
// [NewServer] and [NewTLSServer] listen on loopback, like net/http/httptest. One fake belongs to
// one test.
//
// Unless the Config says otherwise, the fake behaves like Entra ID, with its gaps: no RFC 8414
// document, no registration, no code_challenge_methods_supported, no iss in the authorization
// response, error pages with status 200.
//
// Marks in the source show what is less than certain about Entra ID. (M) was documented or reported
// and never recorded. (L) is from memory or disputed. One look at a tenant corrects a mark.
//
// The signing keys of a fake are part of its source, and anyone can read them. Nothing that matters
// may trust them.
//
// # The path of a request
//
// [Fake.ServeHTTP] reads the request whole (exchange.go) and asks the script for a fault
// (faults.go). Without one, routes.go calls the handler of the endpoint: authorize.go, token.go
// with a file per grant_type, device.go, consent.go, session.go, discovery.go, keys.go, or Graph.
// The buffered response is then sent, and the exchange goes to the journal.
//
// The handlers are a front for packages that can be tested without a Fake:
//
//   - internal/rules decides from the directory alone;
//   - internal/state remembers codes, tokens, sessions, consent and devices;
//   - internal/claims writes claims, and internal/signing signs them;
//   - internal/pages writes pages;
//   - internal/graph is Microsoft Graph;
//   - internal/inproc calls the fake without a port.
//
// A test bounds the methods of [Fake], so that new rules go to these packages.
package fakeentra
