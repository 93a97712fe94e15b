// Package clientsettings writes the settings with which MCP clients reach a server. The clients are
// VS Code, Claude, Cursor, Copilot, Codex, Gemini CLI and MCP Inspector.
//
// The settings depend on how a client gets its client ID there. Where it can register itself, the
// server's URL is enough. Otherwise the settings hold a client ID, its scopes and the port of the
// callback. If a client cannot work with a server, its entry says why and what to do.
package clientsettings
