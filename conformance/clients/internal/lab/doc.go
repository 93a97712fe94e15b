// Package lab is the environment in which a client is tried: an MCP server behind a bearer check,
// two authorization servers, addresses that no client has a reason to visit, and the person at the
// browser.
//
// A [Script] says what in it is wrong; its zero value is an environment in which everything is
// right. A [Lab] keeps a record of every request that reached any part of it. Checks judge a client
// by that record alone: what a client says about itself proves nothing.
package lab
