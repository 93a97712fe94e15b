package clientsettings

import (
	"bytes"
	"fmt"

	"github.com/BurntSushi/toml"
)

// The settings of Codex are described in its configuration reference.

type codexServer struct {
	URL    string   `toml:"url"`
	Scopes []string `toml:"scopes,omitempty"`
}

type codexOAuth struct {
	ClientID     string `toml:"client_id"`
	CallbackPort int    `toml:"callback_port"`
}

const codexPath = "/callback"

func (s *Server) codex() []Settings {
	settings := Settings{Client: "Codex", Where: "~/.codex/config.toml"}
	if s.Legacy {
		settings.Client += ", with mcp-remote"
		settings.Text = table("mcp_servers."+s.Name, stdio(s.bridge()))
		settings.Notes = append(s.bridgeNotes(), "Codex does not speak HTTP+SSE, the transport of this server.")
		return []Settings{settings}
	}
	settings.Notes = []string{"Then run: " + shellLine("codex", "mcp", "login", s.Name)}
	settings.Text = table("mcp_servers."+s.Name, codexServer{URL: s.URL, Scopes: s.codexScopes()})
	if s.ClientID != "" {
		port := s.port(5555, codexPath, "127.0.0.1", "localhost")
		oauth := codexOAuth{ClientID: s.ClientID, CallbackPort: port}
		settings.Text += "\n\n" + table("mcp_servers."+s.Name+".oauth", oauth)
		settings.Notes = append(settings.Notes, s.codexRedirect(port))
	}
	return []Settings{settings}
}

// codexScopes returns the scopes for a client ID. Without one, Codex requests what the server
// names.
func (s *Server) codexScopes() []string {
	if s.ClientID == "" {
		return nil
	}
	return s.Scopes
}

func (s *Server) codexRedirect(port int) string {
	uri := localURI("127.0.0.1", port, codexPath)
	if s.OmitsIssuer {
		return fmt.Sprintf("Codex appends an ID of its own to %s, because the authorization server sends no iss "+
			"(RFC 9207). Run the command, read redirect_uri in the address of the page, and register that.", uri)
	}
	return s.register(publicClient, uri)
}

// table returns a table of a TOML file. Without a header for mcp_servers itself, the file can hold
// several of these texts. The name has only letters, digits, hyphens and dots.
func table(name string, values any) string {
	var text bytes.Buffer
	text.WriteString("[" + name + "]\n")
	_ = toml.NewEncoder(&text).Encode(values) // texts, numbers and lists: never fails
	return string(bytes.TrimRight(text.Bytes(), "\n"))
}
