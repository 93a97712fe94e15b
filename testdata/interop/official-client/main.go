// Official-client is what the official conformance suite runs as the client under test. It
// translates the suite's environment into settings of mcp-entra-client, which has to lie in the
// same folder, as has fakeentra, whose visit is the person's browser; and it types the commands
// that a scenario expects.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	status, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "official-client:", err)
		status = 2
	}
	os.Exit(status)
}

// metadataURL is the client ID metadata document that the suite's authorization server knows.
const metadataURL = "https://conformance-test.local/client-metadata.json"

// scenario is what the suite says in MCP_CONFORMANCE_CONTEXT.
type scenario struct {
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

// typed are the commands of scenarios that expect something else than the tool test-tool to be
// called.
var typed = map[string]string{
	"initialize":                          "list",
	"tools_call":                          `call add_numbers {"a": 5, "b": 3}`,
	"elicitation-sep1034-client-defaults": "call test_client_elicitation_defaults",
	"sse-retry":                           "call test_reconnection",
	"request-metadata":                    "list",
	"json-schema-ref-no-deref":            "list",
	"http-standard-headers":               "call test_headers\ncall my-hyphenated-tool",
	"http-invalid-tool-headers":           `call valid_tool {"region": "north"}`,
	"sep-2322-client-request-state":       "call test_mrtr_echo_state\ncall test_mrtr_no_state\ncall test_mrtr_unrelated\ncall test_mrtr_no_result_type",
	// The first accepted request moves the server to another authorization server.
	"auth/authorization-server-migration": "list\ncall test-tool\nlist",
}

func run(arguments []string) (status int, err error) {
	if len(arguments) == 0 {
		return 0, errors.New("want the server's URL as the last argument, as the suite gives it")
	}
	server := arguments[len(arguments)-1]
	name := os.Getenv("MCP_CONFORMANCE_SCENARIO")
	var given scenario
	if text := os.Getenv("MCP_CONFORMANCE_CONTEXT"); text != "" {
		if err := json.Unmarshal([]byte(text), &given); err != nil {
			return 0, fmt.Errorf("MCP_CONFORMANCE_CONTEXT: %w", err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	folder := filepath.Dir(self)
	secrets, err := os.MkdirTemp("", "official-client-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(secrets)) }()

	// The shell's own settings are nobody's business here, and neither are tokens of an earlier
	// scenario.
	environment := []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + secrets,
		"BROWSER='" + filepath.Join(folder, "fakeentra") + "' visit",
	}
	flags := []string{
		"--url",
		server,
		"--token-store",
		"memory",
		"--timeout",
		"20s",
		"--client-metadata-url",
		metadataURL,
	}
	if version := os.Getenv("MCP_CONFORMANCE_PROTOCOL_VERSION"); version != "" {
		flags = append(flags, "--protocol-version", version)
	}
	file := func(name, text string) (string, error) {
		path := filepath.Join(secrets, name)
		return path, os.WriteFile(path, []byte(text), 0o600)
	}
	if given.ClientID != "" {
		environment = append(
			environment,
			"MCP_CLIENT_ID="+given.ClientID,
			"MCP_CLIENT_SECRET="+given.ClientSecret,
			"MCP_CLIENT_ISSUER="+given.Issuer,
		)
	}
	switch {
	case given.PrivateKey != "":
		key, err := file("key.pem", given.PrivateKey)
		if err != nil {
			return 0, err
		}
		flags = append(
			flags,
			"--client-credentials",
			"--client-key-file",
			key,
			"--client-key-alg",
			given.SigningAlgorithm,
		)
	case name == "auth/client-credentials-basic":
		flags = append(flags, "--client-credentials")
	case given.IDPIDToken != "":
		environment = append(environment, "MCP_ID_TOKEN="+given.IDPIDToken)
		flags = append(flags, "--idp-client-id", given.IDPClientID, "--idp-token-endpoint", given.IDPTokenEndpoint)
	case given.JWT != "":
		assertion, err := file("assertion.jwt", given.JWT)
		if err != nil {
			return 0, err
		}
		flags = append(flags, "--assertion-file", assertion)
	case strings.HasPrefix(name, "auth/dpop"):
		flags = append(flags, "--dpop")
	case name == "elicitation-sep1034-client-defaults", name == "sep-2322-client-request-state":
		flags = append(flags, "--elicitation", "default")
	}

	commands := typed[name]
	for _, call := range given.ToolCalls {
		commands += fmt.Sprintf("call %s %s\n", call.Name, call.Arguments)
	}
	if commands == "" {
		commands = "list\ncall test-tool"
	}
	program := exec.Command(filepath.Join(folder, "mcp-entra-client"), flags...)
	program.Env = environment
	program.Dir = secrets
	program.Stdin = strings.NewReader(commands + "\nquit\n")
	program.Stdout = os.Stdout
	program.Stderr = os.Stderr
	err = program.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}
