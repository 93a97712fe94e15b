// Package server puts an MCP server behind Microsoft Entra ID: a guard in front of the MCP endpoint, and beside it an
// authorization server (the broker) that MCP clients can register with and that sends people to Entra to sign in.
//
// [New] wires the parts from a [Config]. Behind the guard stands the reference server's own tools, or any http.Handler
// given as Config.MCP, which finds the caller with guard.FromContext. The parts can be used on their own: package guard
// in front of a handler, with tokens of any issuer that package token can verify.
package server
