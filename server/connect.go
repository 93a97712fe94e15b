package server

import "strings"

// A connection describes how a person connects one client.
type connection struct {
	Client string
	// Steps says what to do.
	Steps string
	// Block is the text to type or to put into a file.
	Block string
}

// connections returns the instructions of the front page. README.md has the same, and notes there
// say which were tried.
func connections(resource string) []connection {
	all := []connection{
		{
			"MCP Inspector",
			"Turn on the switch of the server in the page that opens, approve and sign in. Then open Tools.",
			`npx @modelcontextprotocol/inspector --transport http --server-url {URL}`,
		},
		{
			"MCP Inspector, command line",
			"It opens the browser to sign in, and prints the tools.",
			`npx @modelcontextprotocol/inspector --cli --transport http {URL} --method tools/list`,
		},
		{
			"VS Code with GitHub Copilot",
			"Put this into .vscode/mcp.json, press Start above the entry, and allow the sign-in.",
			`{
  "servers": {
    "entra": { "type": "http", "url": "{URL}" }
  }
}`,
		},
		{
			"GitHub Copilot CLI",
			"Add the server. /mcp in a session signs in.",
			`copilot mcp add --transport http entra {URL}`,
		},
		{
			"Claude Code",
			"Add the server and sign in.",
			"claude mcp add --transport http entra {URL}\nclaude mcp login entra",
		},
		{
			"Claude on the web and Claude Desktop",
			"Settings, Connectors, Add custom connector: enter this address. " +
				"Claude calls from its own cloud, so the server must be reachable from there over https.",
			`{URL}`,
		},
		{
			"Claude Desktop, for a server on this computer",
			"Put this into claude_desktop_config.json and restart. It needs Node.js.",
			`{
  "mcpServers": {
    "entra": { "command": "npx", "args": ["-y", "mcp-remote", "{URL}"] }
  }
}`,
		},
		{
			"Cursor",
			"Put this into ~/.cursor/mcp.json, and press Connect beside the server in the settings.",
			`{
  "mcpServers": {
    "entra": { "url": "{URL}" }
  }
}`,
		},
		{
			"Codex",
			"Add the server. The sign-in follows at once, and codex mcp login entra repeats it.",
			`codex mcp add entra --url {URL}`,
		},
		{
			"Gemini CLI",
			"Add the server. /mcp auth entra in a session signs in.",
			`gemini mcp add --scope user --transport http entra {URL}`,
		},
	}
	for i := range all {
		all[i].Block = strings.ReplaceAll(all[i].Block, "{URL}", resource)
	}
	return all
}
