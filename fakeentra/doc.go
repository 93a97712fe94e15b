// Package fakeentra is a fake of Microsoft Entra ID for tests and experiments. A client that can
// sign in here can sign in at Entra ID. The fake refuses the requests that Entra ID refuses, with
// the same answers.
//
// A zero [Config] has a complete directory: a tenant, a web app registration with a secret, an API,
// and two people. [New] makes a fake without a listener. Its issuer is
// https://login.microsoftonline.com/{tenant}/v2.0, and its Client reaches it without a port.
// [NewServer] and [NewTLSServer] listen on loopback, like net/http/httptest. Use one fake for each
// test.
//
// By default the fake behaves like Entra ID, with its gaps: no RFC 8414 document, no registration,
// no code_challenge_methods_supported, no iss in the authorization response, error pages with
// status 200.
//
// Marks in the source show which facts about Entra ID are not certain. (M) was documented or
// reported, and never recorded. (L) is from memory, or sources disagree. A look at a real tenant
// can settle a mark.
//
// The signing keys of a fake are part of its source, and anyone can read them. No real system may
// trust them.
//
// # The path of a request
//
// [Fake.ServeHTTP] reads the whole request (server_request.go) and asks the script for a fault
// (faults.go). Without a fault, routes.go calls the handler of the endpoint: authorize.go, token.go
// with a file for each grant_type, device.go, consent.go, session.go, discovery.go, keys.go, or
// Graph. Handlers return their errors. token.go writes the errors of programs, and page_error.go
// those that a browser gets. The fake then sends the buffered response and writes to the journal.
//
// The handlers are a front for packages that can be tested without a Fake:
//
//   - internal/rules makes the decisions that need only the directory;
//   - internal/state remembers codes, tokens, sessions, consent and devices;
//   - internal/claims writes claims, and internal/signing signs them;
//   - internal/pages writes pages;
//   - internal/graph is Microsoft Graph;
//   - internal/inproc calls the fake without a port.
//
// A test bounds the methods of [Fake], so that new rules go to these packages.
package fakeentra
