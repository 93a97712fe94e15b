// Package server puts an MCP server behind Microsoft Entra ID: a guard in front of the MCP endpoint, and beside it, in
// broker mode, an authorization server (the broker) that MCP clients can register with and that sends people to Entra to
// sign in. In direct mode the guard takes Entra's own access tokens, and there is nothing beside it.
//
// [New] wires the parts from a [Config]. Behind the guard stands the reference server's own tools, any http.Handler given
// as Config.MCP, which finds the caller with guard.FromContext, or another server at Config.Upstream, which is told of the
// caller in a signed header. The parts can be used on their own: package guard in front of a handler, with tokens of any
// issuer that package token can verify.
package server
