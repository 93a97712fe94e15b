package clientsettings

// The settings of Gemini CLI are described in its documentation about MCP servers.

type geminiServer struct {
	// HTTPURL is for Streamable HTTP, URL for HTTP+SSE.
	HTTPURL string       `json:"httpUrl,omitempty"`
	URL     string       `json:"url,omitempty"`
	OAuth   *geminiOAuth `json:"oauth,omitempty"`
}

type geminiOAuth struct {
	Enabled     bool     `json:"enabled"`
	ClientID    string   `json:"clientId"`
	Scopes      []string `json:"scopes,omitempty"`
	RedirectURI string   `json:"redirectUri"`
}

const geminiPath = "/oauth/callback"

func (s *Server) gemini() []Settings {
	const (
		client = "Gemini CLI"
		file   = "~/.gemini/settings.json"
	)
	if impossible := s.onlyRegisters(client, file); impossible != nil {
		return impossible
	}
	settings := Settings{
		Client: client,
		Where:  file,
		Notes:  []string{"Type /mcp auth " + s.Name + " in a session to sign in."},
	}
	if s.OmitsIssuer {
		settings.Client += ", with mcp-remote"
		settings.Text = object(map[string]any{"mcpServers": map[string]any{s.Name: stdio(s.bridge())}})
		settings.Notes = append(s.bridgeNotes(),
			"Gemini CLI itself refuses the sign-in, because the authorization server sends no iss (RFC 9207).")
		return []Settings{settings}
	}
	entry := geminiServer{HTTPURL: s.URL}
	if s.Legacy {
		entry = geminiServer{URL: s.URL}
	}
	if s.ClientID != "" {
		uri := localURI("localhost", s.port(7777, geminiPath, "localhost"), geminiPath)
		entry.OAuth = &geminiOAuth{
			Enabled:     true,
			ClientID:    s.ClientID,
			Scopes:      s.Scopes,
			RedirectURI: uri,
		}
		settings.Notes = append(settings.Notes, s.register(publicClient, uri))
	}
	settings.Text = object(map[string]any{"mcpServers": map[string]any{s.Name: entry}})
	return []Settings{settings}
}
