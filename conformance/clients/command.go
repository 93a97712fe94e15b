package clients

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"mcpentra/conformance/clients/internal/bench"
)

// Command returns a Run of a Target that runs a program. Words are its command line. Command
// replaces {url} and {tool} in them. Without {url}, it appends the URL. Opener is a command in
// place of a browser. It gets two more words, the address of the lab and the page, and must POST
// the page to the address. The program finds a script that runs the command in BROWSER.
//
// The environment holds the rest of the task. MCP_CONFORMANCE_SCENARIO,
// MCP_CONFORMANCE_PROTOCOL_VERSION and MCP_CONFORMANCE_CONTEXT are the variables of the official
// conformance suite, so its clients run unchanged. The context is a JSON object with client_id,
// client_secret, issuer, grant_type, private_key_pem, signing_algorithm, idp_issuer,
// idp_token_endpoint, idp_client_id and idp_id_token. These checks add account, calls, sign_out,
// and the grant_type of device codes. MCP_CLIENT_ID, MCP_CLIENT_SECRET, MCP_CLIENT_ISSUER and
// MCP_ACCOUNT repeat four of them. HOME and the XDG directories are Task.State. HTTP_PROXY and its
// variants hold the proxy. SSL_CERT_FILE and NODE_EXTRA_CA_CERTS name the file of the certificate
// authority.
func Command(words, opener []string) func(ctx context.Context, task bench.Task) error {
	return func(ctx context.Context, task bench.Task) error {
		if len(words) == 0 {
			return errors.New("want the command of a client, got no words")
		}
		replaced := false
		line := make([]string, 0, len(words)+1)
		for _, word := range words {
			replaced = replaced || strings.Contains(word, "{url}")
			line = append(line, strings.NewReplacer("{url}", task.URL, "{tool}", task.Tool).Replace(word))
		}
		if !replaced {
			line = append(line, task.URL)
		}
		browser, err := writeBrowser(append(slices.Clone(opener), task.OpenAt()))
		if err != nil {
			return err
		}
		defer os.Remove(browser)
		variables, err := environment(task, browser)
		if err != nil {
			return err
		}
		run := exec.CommandContext(ctx, line[0], line[1:]...)
		run.Env = append(os.Environ(), variables...)
		run.Stdout = task.Output
		run.Stderr = task.Output
		run.WaitDelay = time.Second // for processes that the program started and left running
		if err := run.Start(); err != nil {
			return &bench.NotStarted{Err: err}
		}
		return run.Wait()
	}
}

// writeBrowser writes a script that runs a command with one more word, and returns its name. The
// value of BROWSER must be a single word without colons: programs differ in what else they accept.
func writeBrowser(words []string) (string, error) {
	script, err := os.CreateTemp("", "mcp-auth-browser-")
	if err != nil {
		return "", fmt.Errorf("the script for BROWSER cannot be created: %w", err)
	}
	_, err = fmt.Fprintf(script, "#!/bin/sh\nexec %s \"$1\"\n", quoted(words))
	err = errors.Join(err, script.Chmod(0o700), script.Close())
	if err != nil {
		return "", fmt.Errorf("the script for BROWSER cannot be written: %w", err)
	}
	return script.Name(), nil
}

// environment returns the environment variables of a task.
func environment(task bench.Task, browser string) ([]string, error) {
	text, err := json.Marshal(suiteContext(task))
	if err != nil {
		return nil, err
	}
	variables := []string{
		"MCP_CONFORMANCE_SCENARIO=" + task.Check,
		"MCP_CONFORMANCE_PROTOCOL_VERSION=" + string(task.Revision),
		"MCP_CONFORMANCE_CONTEXT=" + string(text),
		"BROWSER=" + browser,
	}
	if task.ClientID != "" {
		variables = append(
			variables,
			"MCP_CLIENT_ID="+task.ClientID,
			"MCP_CLIENT_SECRET="+task.ClientSecret,
			"MCP_CLIENT_ISSUER="+task.ClientIssuer,
		)
	}
	if task.Account != "" {
		variables = append(variables, "MCP_ACCOUNT="+task.Account)
	}
	for _, name := range []string{
		"HOME",
		"XDG_CONFIG_HOME",
		"XDG_STATE_HOME",
		"XDG_DATA_HOME",
		"XDG_CACHE_HOME",
		"XDG_RUNTIME_DIR",
	} {
		variables = append(variables, name+"="+task.State)
	}
	if task.Proxy != "" {
		for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
			variables = append(variables, name+"="+task.Proxy)
		}
		variables = append(variables, "NO_PROXY=", "no_proxy=")
	}
	if task.CAFile != "" {
		variables = append(variables, "SSL_CERT_FILE="+task.CAFile, "NODE_EXTRA_CA_CERTS="+task.CAFile)
	}
	return variables, nil
}

// suiteContext returns the MCP_CONFORMANCE_CONTEXT of a task.
func suiteContext(task bench.Task) map[string]any {
	values := map[string]any{"name": task.Check}
	if task.ClientID != "" {
		values["client_id"] = task.ClientID
		values["client_secret"] = task.ClientSecret
		values["issuer"] = task.ClientIssuer
	}
	switch {
	case task.Machine:
		values["grant_type"] = "client_credentials"
	case task.Device:
		values["grant_type"] = "urn:ietf:params:oauth:grant-type:device_code"
	}
	if task.Account != "" {
		values["account"] = task.Account
	}
	if task.Calls != 0 {
		values["calls"] = task.Calls
	}
	if task.SignOut {
		values["sign_out"] = true
	}
	if task.ClientKey != "" {
		values["private_key_pem"] = task.ClientKey
		values["signing_algorithm"] = "ES256"
	}
	if task.Enterprise != nil {
		values["idp_issuer"] = task.Enterprise.Issuer
		values["idp_token_endpoint"] = task.Enterprise.TokenEndpoint
		values["idp_client_id"] = task.Enterprise.ClientID
		values["idp_id_token"] = task.Enterprise.IDToken
	}
	return values
}

// quoted joins words for a shell.
func quoted(words []string) string {
	var all []string
	for _, word := range words {
		all = append(all, "'"+strings.ReplaceAll(word, "'", `'\''`)+"'")
	}
	return strings.Join(all, " ")
}
