// Package workstation examines a machine on which mcp-entra-client is to sign in to a server: its
// settings, the browser, the callback port, the keychain, the stored tokens, the proxy and the
// clock. Then it walks to the server as package doctor does.
//
// Examine changes nothing: it writes no file, stores no secret, unlocks no keychain and registers
// no client. It prints no secret.
//
// The rules are those that mcp-entra-client follows. The tests compare them with the client.
package workstation
