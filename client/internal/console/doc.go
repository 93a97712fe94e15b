// Package console is the terminal side of the client: the prompt, the verbs list, describe and
// call, and the words for the steps of a sign-in.
//
// [Connect] puts the MCP library on a client.Transport (connect.go). The library's requests then
// pass these layers, from the top:
//
//   - negotiation.go chooses the revision, and ends a request whose message has no end.
//   - stream.go notices when the server's own stream is open.
//   - responses.go drops responses to other requests.
//   - limits.go bounds each message.
//
// A server writes most of the text that a terminal shows. [Printable] makes it harmless, and
// schema.go bounds it.
package console
