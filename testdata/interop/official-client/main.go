// Official-client runs mcp-entra-client as the client under test of the official conformance suite.
// It translates the suite's environment into settings, and types the commands that a scenario
// expects.
//
// The programs mcp-entra-client and fakeentra have to be in the folder of this one. "fakeentra
// visit" is the person's browser.
package main

import (
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

func run(arguments []string) (status int, err error) {
	if len(arguments) == 0 {
		return 0, errors.New("want the server's URL as the last argument, as the suite gives it, got no argument")
	}
	s, err := readScenario()
	if err != nil {
		return 0, err
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	folder := filepath.Dir(self)
	home, err := os.MkdirTemp("", "official-client-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(home)) }()

	// The program gets no setting of the shell, and no token of an earlier scenario.
	environment := []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + home,
		"BROWSER='" + filepath.Join(folder, "fakeentra") + "' visit",
	}
	flags := []string{
		"--url", arguments[len(arguments)-1],
		"--token-store", "memory",
		"--timeout", "20s",
		"--client-metadata-url", metadataURL,
	}
	if version := os.Getenv("MCP_CONFORMANCE_PROTOCOL_VERSION"); version != "" {
		flags = append(flags, "--protocol-version", version)
	}
	ownFlags, err := s.flags(home)
	if err != nil {
		return 0, err
	}
	program := exec.Command(filepath.Join(folder, "mcp-entra-client"), append(flags, ownFlags...)...)
	program.Env = append(environment, s.environment()...)
	program.Dir = home
	program.Stdin = strings.NewReader(s.commands() + "\nquit\n")
	program.Stdout = os.Stdout
	program.Stderr = os.Stderr
	err = program.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}
