package clientsettings

import (
	"slices"
	"strconv"
	"strings"
)

// The settings of Claude Code are described in its MCP documentation, those for connectors in
// Claude's help about custom connectors.

type claudeServer struct {
	Type  string      `json:"type"`
	URL   string      `json:"url"`
	OAuth claudeOAuth `json:"oauth"`
}

type claudeOAuth struct {
	ClientID     string `json:"clientId"`
	CallbackPort int    `json:"callbackPort"`
	Scopes       string `json:"scopes"`
}

const claudePath = "/callback"

func (s *Server) claudeCode() []Settings {
	const client = "Claude Code"
	add := []string{"claude", "mcp", "add", "--transport", s.transport()}
	login := shellLine("claude", "mcp", "login", s.Name)
	if s.ClientID == "" {
		return []Settings{{
			Client: client,
			Where:  command,
			Text:   shellLine(append(add, s.Name, s.URL)...) + "\n" + login,
		}}
	}
	port := s.port(8080, claudePath, "localhost")
	notes := []string{s.register(publicClient, localURI("localhost", port, claudePath)), s.sendsResource(client)}
	add = slices.Concat(add, flag("--client-id", s.ClientID), flag("--callback-port", strconv.Itoa(port)))
	all := []Settings{{
		Client: client,
		Where:  command,
		Text:   shellLine(append(add, s.Name, s.URL)...) + "\n" + login,
		Notes:  notes,
	}}
	if len(s.Scopes) == 0 {
		return all
	}
	entry := claudeServer{
		Type: s.transport(),
		URL:  s.URL,
		OAuth: claudeOAuth{
			ClientID:     s.ClientID,
			CallbackPort: port,
			Scopes:       strings.Join(s.Scopes, " "),
		},
	}
	return append(all, Settings{
		Client: client + ", in place of the command, to request only these scopes",
		Where:  ".mcp.json in the project's folder",
		Text:   object(map[string]any{"mcpServers": map[string]any{s.Name: entry}}),
		Notes:  []string{"Then run: " + login},
	})
}

func (s *Server) claudeConnector() []Settings {
	const client = "Claude on the web, Claude Desktop"
	if s.isLocal() || strings.HasPrefix(s.URL, "http:") {
		return []Settings{{
			Client: client,
			Where:  dialog,
			Cannot: "Claude calls connectors from its own cloud, and only over https, so it cannot reach " + s.URL +
				". Publish the server at an https address, or use Claude Desktop with mcp-remote.",
		}}
	}
	text := "Name: " + s.Name + "\nURL: " + s.URL
	notes := []string{
		"Open Settings, Connectors, Add custom connector. The server must be reachable from the internet.",
	}
	if s.ClientID != "" {
		text += "\nAdvanced settings, OAuth Client ID: " + s.ClientID
		notes = append(notes,
			s.register("Web", "https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"),
			s.connectorSecret(),
			s.sendsResource("Claude"))
	}
	return []Settings{{Client: client, Where: dialog, Text: text, Notes: notes}}
}

// connectorSecret says that Entra ID wants a secret for redirect URIs of the platform Web.
func (s *Server) connectorSecret() string {
	if !s.Entra {
		return ""
	}
	return "For the platform Web, Entra ID wants a client secret: make one under Certificates & secrets, " +
		"and enter it in the same dialog."
}

// claudeDesktop is for servers that connectors do not reach.
func (s *Server) claudeDesktop() []Settings {
	if !s.isLocal() && !s.Entra {
		return nil
	}
	words := s.bridge()
	return []Settings{{
		Client: "Claude Desktop, with mcp-remote",
		Where:  "claude_desktop_config.json",
		Text:   object(map[string]any{"mcpServers": map[string]any{s.Name: stdio(words)}}),
		Notes:  append(s.bridgeNotes(), "Restart Claude Desktop."),
	}}
}

// A stdioServer is a server that a client starts itself. Several clients use this form.
type stdioServer struct {
	Command string   `json:"command" toml:"command"`
	Args    []string `json:"args" toml:"args"`
}

func stdio(words []string) stdioServer { return stdioServer{Command: words[0], Args: words[1:]} }
