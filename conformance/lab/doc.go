// Package lab is a world in which a client is tried: an MCP server behind a bearer check, two authorization servers, places where nobody has any business, and the person at
// the browser.
//
// A [Script] says what in it is not as it should be; its zero value is a world in which everything is right. A [Lab] keeps a record of every request that reached any part of it,
// and checks judge a client by that record alone: what a client says of itself proves nothing.
package lab
