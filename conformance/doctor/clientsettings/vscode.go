package clientsettings

// The settings of VS Code are described in its MCP configuration reference.

type visualStudioCodeServer struct {
	Type  string           `json:"type"`
	URL   string           `json:"url"`
	OAuth *clientIDSetting `json:"oauth,omitempty"`
}

type clientIDSetting struct {
	ClientID string `json:"clientId"`
}

func (s *Server) visualStudioCode() []Settings {
	entry := visualStudioCodeServer{Type: s.transport(), URL: s.URL}
	notes := []string{"Press Start above the entry, and allow the sign-in."}
	if s.ClientID != "" {
		entry.OAuth = &clientIDSetting{s.ClientID}
		notes = append(notes,
			s.register(publicClient, "http://127.0.0.1:33418/", "https://vscode.dev/redirect"),
			s.sendsResource("VS Code"))
	}
	return []Settings{{
		Client: "VS Code",
		Where:  ".vscode/mcp.json",
		Text:   object(map[string]any{"servers": map[string]any{s.Name: entry}}),
		Notes:  notes,
	}}
}
