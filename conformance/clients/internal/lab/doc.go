// Package lab is the environment in which a client is tried: an MCP server that requires a token,
// two authorization servers, a trap that no client has a reason to visit, a proxy, and the person
// at the browser.
//
// A [Script] describes the faults of the environment. Its zero value has none. A
// [Lab] records every request that reached any part of it. Checks judge a client by this record
// only, because a client's own words prove nothing.
//
// A request passes through these files: serve.go records it and finds its party, server.go and
// issuer.go answer it, and record.go has what a check asks about it. person.go is the person with
// the browser, and ledger.go remembers the credentials that were issued.
package lab
