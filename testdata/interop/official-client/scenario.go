package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// metadataURL is the client ID metadata document that the suite's authorization server knows.
const metadataURL = "https://conformance-test.local/client-metadata.json"

// A scenario is what the suite says in its environment.
type scenario struct {
	name    string // MCP_CONFORMANCE_SCENARIO
	context scenarioContext
}

// scenarioContext is the JSON in MCP_CONFORMANCE_CONTEXT.
type scenarioContext struct {
	ClientID         string `json:"client_id"`
	ClientSecret     string `json:"client_secret"`
	PrivateKey       string `json:"private_key_pem"`
	SigningAlgorithm string `json:"signing_algorithm"`
	Issuer           string `json:"issuer"`

	IDPClientID      string `json:"idp_client_id"`
	IDPIDToken       string `json:"idp_id_token"`
	IDPTokenEndpoint string `json:"idp_token_endpoint"`
	JWT              string `json:"valid_jwt"`

	ToolCalls []struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	} `json:"toolCalls"`
}

func readScenario() (*scenario, error) {
	s := &scenario{name: os.Getenv("MCP_CONFORMANCE_SCENARIO")}
	text := os.Getenv("MCP_CONFORMANCE_CONTEXT")
	if text == "" {
		return s, nil
	}
	if err := json.Unmarshal([]byte(text), &s.context); err != nil {
		return nil, fmt.Errorf("MCP_CONFORMANCE_CONTEXT: %w", err)
	}
	return s, nil
}

// environment returns the scenario's own environment variables.
func (s *scenario) environment() []string {
	var variables []string
	if s.context.ClientID != "" {
		variables = append(variables,
			"MCP_CLIENT_ID="+s.context.ClientID,
			"MCP_CLIENT_SECRET="+s.context.ClientSecret,
			"MCP_CLIENT_ISSUER="+s.context.Issuer)
	}
	if s.usesIdentityProvider() {
		variables = append(variables, "MCP_ID_TOKEN="+s.context.IDPIDToken)
	}
	return variables
}

// usesIdentityProvider reports whether the client exchanges an ID token. A private key wins, and so
// does the scenario for a client secret.
func (s *scenario) usesIdentityProvider() bool {
	return s.context.IDPIDToken != "" && s.context.PrivateKey == "" && s.name != "auth/client-credentials-basic"
}

// flags returns the scenario's own flags. It writes keys and assertions into files of a folder.
func (s *scenario) flags(folder string) ([]string, error) {
	switch {
	case s.context.PrivateKey != "":
		key, err := writeFile(folder, "key.pem", s.context.PrivateKey)
		algorithm := s.context.SigningAlgorithm
		return []string{"--client-credentials", "--client-key-file", key, "--client-key-alg", algorithm}, err
	case s.name == "auth/client-credentials-basic":
		return []string{"--client-credentials"}, nil
	case s.usesIdentityProvider():
		endpoint := s.context.IDPTokenEndpoint
		return []string{"--idp-client-id", s.context.IDPClientID, "--idp-token-endpoint", endpoint}, nil
	case s.context.JWT != "":
		assertion, err := writeFile(folder, "assertion.jwt", s.context.JWT)
		return []string{"--assertion-file", assertion}, err
	case strings.HasPrefix(s.name, "auth/dpop"):
		return []string{"--dpop"}, nil
	case s.name == "elicitation-sep1034-client-defaults", s.name == "sep-2322-client-request-state":
		return []string{"--elicitation", "default"}, nil
	}
	return nil, nil
}

func writeFile(folder, name, text string) (path string, err error) {
	path = filepath.Join(folder, name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// ownCommands are the commands of scenarios that expect more than a call of the tool test-tool.
var ownCommands = map[string]string{
	"initialize":                          "list",
	"tools_call":                          `call add_numbers {"a": 5, "b": 3}`,
	"elicitation-sep1034-client-defaults": "call test_client_elicitation_defaults",
	"sse-retry":                           "call test_reconnection",
	"request-metadata":                    "list",
	"json-schema-ref-no-deref":            "list",
	"http-standard-headers":               "call test_headers\ncall my-hyphenated-tool",
	"http-invalid-tool-headers":           `call valid_tool {"region": "north"}`,
	"sep-2322-client-request-state": "call test_mrtr_echo_state\ncall test_mrtr_no_state\n" +
		"call test_mrtr_unrelated\ncall test_mrtr_no_result_type",
	// The first accepted request moves the server to another authorization server.
	"auth/authorization-server-migration": "list\ncall test-tool\nlist",
}

// commands returns the lines to type.
func (s *scenario) commands() string {
	commands := ownCommands[s.name]
	for _, call := range s.context.ToolCalls {
		commands += fmt.Sprintf("call %s %s\n", call.Name, call.Arguments)
	}
	if commands == "" {
		return "list\ncall test-tool"
	}
	return commands
}
