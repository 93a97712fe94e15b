package clients

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"mcpentra/conformance/clients/internal/bench"
)

// Command makes a ClientTarget's Run of a program. Words are its command line: {url} and {tool} in
// them are replaced, and without {url} the URL is the last word. Opener is the command that does
// what a browser does: it is given two more words, an address of the lab and the page, and posts
// the page to the address. The program finds it in BROWSER.
//
// The rest of the task is in the environment. MCP_CONFORMANCE_SCENARIO,
// MCP_CONFORMANCE_PROTOCOL_VERSION and MCP_CONFORMANCE_CONTEXT (a JSON object with client_id,
// client_secret, grant_type, private_key_pem, signing_algorithm, idp_issuer, idp_token_endpoint,
// idp_client_id and idp_id_token) are those of the official conformance suite, so its clients can
// be used; MCP_CLIENT_ID, MCP_CLIENT_SECRET and MCP_ACCOUNT say the same. Beyond the suite the
// object has account, calls and sign_out, and the grant_type of device codes. HOME and the XDG
// directories are Task.State. The proxy is in HTTP_PROXY and its like, the certificate authority in
// SSL_CERT_FILE and NODE_EXTRA_CA_CERTS.
func Command(words, opener []string) func(ctx context.Context, task bench.Task) error {
	return func(ctx context.Context, task bench.Task) error {
		if len(words) == 0 {
			return errors.New("want the command of a client")
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
		environment, err := environment(task, opener)
		if err != nil {
			return err
		}
		run := exec.CommandContext(ctx, line[0], line[1:]...)
		run.Env = append(os.Environ(), environment...)
		run.Stdout = task.Output
		run.Stderr = task.Output
		run.WaitDelay = time.Second // for what the program has started and left behind
		return run.Run()
	}
}

func environment(task bench.Task, opener []string) ([]string, error) {
	about := map[string]any{"name": task.Check}
	all := []string{
		"MCP_CONFORMANCE_SCENARIO=" + task.Check,
		"MCP_CONFORMANCE_PROTOCOL_VERSION=" + string(task.Revision),
	}
	if task.ClientID != "" {
		about["client_id"] = task.ClientID
		about["client_secret"] = task.ClientSecret
		all = append(all, "MCP_CLIENT_ID="+task.ClientID, "MCP_CLIENT_SECRET="+task.ClientSecret)
	}
	switch {
	case task.Machine:
		about["grant_type"] = "client_credentials"
	case task.Device:
		about["grant_type"] = "urn:ietf:params:oauth:grant-type:device_code"
	}
	if task.Account != "" {
		about["account"] = task.Account
		all = append(all, "MCP_ACCOUNT="+task.Account)
	}
	if task.Calls != 0 {
		about["calls"] = task.Calls
	}
	if task.SignOut {
		about["sign_out"] = true
	}
	if task.ClientKey != "" {
		about["private_key_pem"] = task.ClientKey
		about["signing_algorithm"] = "ES256"
	}
	if task.Enterprise != nil {
		about["idp_issuer"] = task.Enterprise.Issuer
		about["idp_token_endpoint"] = task.Enterprise.TokenEndpoint
		about["idp_client_id"] = task.Enterprise.ClientID
		about["idp_id_token"] = task.Enterprise.IDToken
	}
	text, err := json.Marshal(about)
	if err != nil {
		return nil, err
	}
	all = append(all, "MCP_CONFORMANCE_CONTEXT="+string(text))
	var quoted []string
	for _, word := range append(slices.Clone(opener), task.OpenAt()) {
		quoted = append(quoted, "'"+strings.ReplaceAll(word, "'", `'\''`)+"'")
	}
	all = append(all, "BROWSER="+strings.Join(quoted, " "))
	for _, name := range []string{
		"HOME",
		"XDG_CONFIG_HOME",
		"XDG_STATE_HOME",
		"XDG_DATA_HOME",
		"XDG_CACHE_HOME",
		"XDG_RUNTIME_DIR",
	} {
		all = append(all, name+"="+task.State)
	}
	if task.Proxy != "" {
		for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
			all = append(all, name+"="+task.Proxy)
		}
		all = append(all, "NO_PROXY=", "no_proxy=")
	}
	if task.CAFile != "" {
		all = append(all, "SSL_CERT_FILE="+task.CAFile, "NODE_EXTRA_CA_CERTS="+task.CAFile)
	}
	return all, nil
}
