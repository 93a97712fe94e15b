package clientsettings

import "slices"

// The command lines of MCP Inspector are described in its documentation and in --help.

const inspectorPath = "/oauth/callback"

func (s *Server) inspector() []Settings {
	const client = "MCP Inspector"
	program := []string{"npx", "@modelcontextprotocol/inspector"}
	web := slices.Concat(program, []string{"--transport", s.transport(), "--server-url", s.URL})
	line := slices.Concat(program, []string{"--cli", "--transport", s.transport(), s.URL, "--method", "tools/list"})
	webNotes := []string{"Turn on the switch of the server in the page that opens, and sign in."}
	lineNotes := []string{"It prints the address of the sign-in, and then the tools."}
	switch {
	case s.ClientID != "":
		uri := localURI("127.0.0.1", s.port(6276, inspectorPath, "127.0.0.1"), inspectorPath)
		line = slices.Concat(line, flag("--client-id", s.ClientID), flag("--callback-url", uri))
		webNotes = append(webNotes,
			"Open Settings of the server first, and enter the OAuth client ID "+s.ClientID+".",
			s.register(publicClient, localURI("localhost", 6274, inspectorPath)),
			s.sendsResource(client))
		lineNotes = append(lineNotes, s.register(publicClient, uri), s.sendsResource(client))
	case !s.RegistersClients:
		const document = "Inspector publishes no client ID metadata document: host one, and "
		webNotes = append(webNotes, document+"enter its URL in the client settings of the page.")
		lineNotes = append(lineNotes, document+"add --client-metadata-url with its URL.")
	}
	return []Settings{
		{Client: client, Where: command, Text: shellLine(web...), Notes: webNotes},
		{Client: client + ", command line", Where: command, Text: shellLine(line...), Notes: lineNotes},
	}
}
