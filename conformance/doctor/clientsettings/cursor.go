package clientsettings

// The settings of Cursor are described in its MCP documentation. Its redirect URIs are fixed.

type cursorServer struct {
	URL  string      `json:"url"`
	Auth *cursorAuth `json:"auth,omitempty"`
}

type cursorAuth struct {
	ClientID string   `json:"CLIENT_ID"`
	Scopes   []string `json:"scopes,omitempty"`
}

func (s *Server) cursor() []Settings {
	const (
		client = "Cursor"
		file   = "~/.cursor/mcp.json"
	)
	if impossible := s.onlyRegisters(client, file); impossible != nil {
		return impossible
	}
	entry := cursorServer{URL: s.URL}
	notes := []string{"Press Connect beside the server in the settings."}
	if s.ClientID != "" {
		entry.Auth = &cursorAuth{ClientID: s.ClientID, Scopes: s.Scopes}
		notes = append(notes, s.register(publicClient, "http://localhost:8787/callback"), s.sendsResource(client))
	}
	return []Settings{{
		Client: client,
		Where:  file,
		Text:   object(map[string]any{"mcpServers": map[string]any{s.Name: entry}}),
		Notes:  notes,
	}}
}
