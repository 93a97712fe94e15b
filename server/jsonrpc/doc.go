// Package jsonrpc decodes the JSON-RPC 2.0 messages of MCP so strictly that every reader finds the
// same message in them.
//
// JSON parsers differ. Of two members with the same name, some take the first and some the last.
// Some ignore the case of names, and some replace invalid UTF-8. If the parser that checks a
// message and the parser that runs it differ, a caller can hide a call from the check. Therefore
// [Decode] refuses a text that two parsers could read differently:
//
//   - duplicate names at any depth, and invalid UTF-8;
//   - names that differ only by case from another name in the message, in params or in _meta;
//   - names that differ only by case from a name that JSON-RPC or MCP defines;
//   - arrays and objects that are nested deeper than [MaxDepth].
//
// The names in a tool's arguments may be anything, so they are only checked for duplicates.
//
// [Message.Encoded] is the canonical encoding of what was decoded: no blanks, and one spelling for
// each string. Pass it on in place of the original text. Numbers keep their spelling, since a
// parser could round them.
//
// Most messages are canonical already. A scanner recognizes these, so they are neither decoded nor
// encoded; all others take the path through package jsontext, which decides. A fuzz test compares
// the two.
package jsonrpc
