package clientsettings

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// Settings are the settings of one client for one server.
type Settings struct {
	// Client names the client.
	Client string
	// Where is the file that Text belongs in, or says that Text is a command or a form.
	Where string
	// Text is to be copied. It is empty if the client cannot work with the server.
	Text string
	// Notes are sentences: what to do next, and what the registration needs.
	Notes []string
	// Cannot says why the client does not work with the server, and what to do. Empty means that
	// it works.
	Cannot string
}

// The values of Where for texts that are not the content of a file.
const (
	command = "command"
	dialog  = "dialog"
)

// A Sheet has the settings of all clients for one server.
type Sheet struct {
	// Notes are sentences about several of the settings.
	Notes    []string
	Settings []Settings
}

// For returns the settings for a server, in a fixed order. The error says that the URL or the
// client ID cannot be written into settings.
func For(server Server) (*Sheet, error) {
	s, err := checked(server)
	if err != nil {
		return nil, err
	}
	all := slices.Concat(
		s.visualStudioCode(),
		s.claudeCode(),
		s.claudeConnector(),
		s.claudeDesktop(),
		s.cursor(),
		s.copilotCLI(),
		s.copilotCodingAgent(),
		s.codex(),
		s.gemini(),
		s.inspector(),
	)
	for i := range all {
		all[i].Notes = slices.DeleteFunc(all[i].Notes, func(note string) bool { return note == "" })
	}
	return &Sheet{Notes: s.notes(), Settings: all}, nil
}

func (s *Server) notes() []string {
	var notes []string
	switch {
	case s.ClientID != unknownClientID:
	case s.Entra:
		notes = append(notes, "Replace "+unknownClientID+
			" with the Application (client) ID of the client's own app registration.")
	default:
		notes = append(notes, "Replace "+unknownClientID+" with the client ID that the server's operator gives you.")
	}
	if s.Entra {
		notes = append(notes, "Entra ID refuses the parameter resource (AADSTS9010010) unless the API has "+s.URL+
			" as an Application ID URI: portal, App registrations, the API, Expose an API.",
			"mcp-entra-server in broker mode needs neither this nor a client ID.")
	}
	return notes
}

// sendsResource is for clients that send the parameter resource (RFC 8707).
func (s *Server) sendsResource(client string) string {
	if !s.Entra {
		return ""
	}
	return client + " sends the parameter resource, so Entra ID must know " + s.URL + " as an Application ID URI."
}

// onlyRegisters returns the entry of a client that has no client ID metadata document, if the
// server accepts nothing else. Otherwise it returns nothing.
func (s *Server) onlyRegisters(client, where string) []Settings {
	if s.ClientID != "" || s.RegistersClients {
		return nil
	}
	return []Settings{{
		Client: client,
		Where:  where,
		Cannot: client + " registers itself or takes a client ID, and publishes no client ID metadata document. " +
			"Turn on dynamic registration at the authorization server, or register a client there and give its ID.",
	}}
}

// bridge returns a command that connects a client without the right sign-in: mcp-remote signs in,
// and speaks with the client over stdin and stdout.
func (s *Server) bridge() []string {
	words := []string{"npx", "-y", "mcp-remote", s.URL}
	if s.ClientID != "" {
		words = append(words, strconv.Itoa(s.bridgePort()))
	}
	if s.Legacy {
		words = append(words, "--transport", "sse-only")
	}
	if s.Entra {
		words = append(words, "--disable-resource-parameter")
	}
	if s.ClientID != "" {
		words = append(words, "--static-oauth-client-info", compact(map[string]string{"client_id": s.ClientID}))
		if len(s.Scopes) > 0 {
			scope := compact(map[string]string{"scope": strings.Join(s.Scopes, " ")})
			words = append(words, "--static-oauth-client-metadata", scope)
		}
	}
	return words
}

const bridgePath = "/oauth/callback"

func (s *Server) bridgePort() int { return s.port(3334, bridgePath, "localhost") }

// bridgeNotes says what the command of bridge needs.
func (s *Server) bridgeNotes() []string {
	notes := []string{"mcp-remote needs Node.js."}
	if s.ClientID != "" {
		notes = append(notes, s.register(publicClient, localURI("localhost", s.bridgePort(), bridgePath)))
	}
	return notes
}

// publicClient is the portal's name of the platform for programs on a user's machine.
const publicClient = "Mobile and desktop applications"

func localURI(host string, port int, path string) string {
	return "http://" + host + ":" + strconv.Itoa(port) + path
}

// transport names the server's transport as most settings do.
func (s *Server) transport() string {
	if s.Legacy {
		return "sse"
	}
	return "http"
}

// object returns the text of a settings file.
func object(value any) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(value) // texts, lists and maps of them: never fails
	return strings.TrimSuffix(text.String(), "\n")
}

// compact returns a JSON object on one line.
func compact(value map[string]string) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // never fails
	return strings.TrimSuffix(text.String(), "\n")
}
