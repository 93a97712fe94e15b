package clientsettings

// The settings of Copilot CLI are described in its command reference, and the
// settings of the coding agent in GitHub's documentation about MCP for repositories.

type copilotServer struct {
	Type     string       `json:"type"`
	URL      string       `json:"url"`
	Tools    []string     `json:"tools"`
	ClientID string       `json:"oauthClientId,omitempty"`
	IsPublic bool         `json:"oauthPublicClient,omitempty"`
	Scopes   []string     `json:"oauthScopes,omitempty"`
	Auth     *copilotAuth `json:"auth,omitempty"`
}

type copilotAuth struct {
	RedirectPort int `json:"redirectPort"`
}

// copilotPort is in the client ID metadata document of Copilot CLI.
const copilotPort = 33418

func (s *Server) copilotCLI() []Settings {
	entry := copilotServer{Type: s.transport(), URL: s.URL, Tools: []string{"*"}}
	notes := []string{"Type /mcp in a session to sign in."}
	switch {
	case s.ClientID != "":
		port := s.port(copilotPort, "/", "127.0.0.1")
		entry.ClientID = s.ClientID
		entry.IsPublic = true
		entry.Scopes = s.Scopes
		entry.Auth = &copilotAuth{port}
		notes = append(notes,
			s.register(publicClient, localURI("127.0.0.1", port, "/")),
			s.sendsResource("Copilot CLI"))
	case !s.RegistersClients:
		entry.Auth = &copilotAuth{copilotPort}
	}
	return []Settings{{
		Client: "Copilot CLI",
		Where:  "~/.copilot/mcp-config.json",
		Text:   object(map[string]any{"mcpServers": map[string]any{s.Name: entry}}),
		Notes:  notes,
	}}
}

func (s *Server) copilotCodingAgent() []Settings {
	return []Settings{{
		Client: "Copilot coding agent",
		Where:  dialog,
		Cannot: "The coding agent runs without a person and supports no OAuth, so it cannot sign in here. " +
			"Use Copilot CLI or VS Code for this server.",
	}}
}
