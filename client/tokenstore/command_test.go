package tokenstore_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/tokenstore"
)

// The test program is, by its environment or arguments, also the processes that a test starts.
func TestMain(m *testing.M) {
	if folder := os.Getenv("TOKENSTORE_TEST_WRITES"); folder != "" {
		writes(folder)
	}
	if len(os.Args) == 4 && os.Args[1] == "keep-in" {
		if err := keep(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	_ = os.Setenv("GORACE", "atexit_sleep_ms=0") // the helpers are many, and each would wait for a second at its end
	os.Exit(m.Run())
}

// helper is the command of a program that keeps records in a folder.
func helper(t *testing.T, folder string) []string {
	program, err := os.Executable()
	require.NoError(t, err)
	return []string{program, "keep-in", folder}
}

// keep is that program.
func keep(folder, verb string) error {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	var asked struct {
		Resource string          `json:"resource"`
		Account  string          `json:"account"`
		Record   json.RawMessage `json:"record,omitempty"`
	}
	if err := json.Unmarshal(text, &asked); err != nil {
		return err
	}
	path := filepath.Join(folder, fmt.Sprintf("%x-%x", asked.Resource, asked.Account))
	switch verb {
	case "get":
		text, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil
		}
		_, _ = os.Stdout.Write(text)
		return err
	case "store":
		return os.WriteFile(path, asked.Record, 0o600)
	case "list":
		files, err := os.ReadDir(folder)
		places := []map[string]string{}
		for _, file := range files {
			var resource, account []byte
			name, rest, _ := strings.Cut(file.Name(), "-")
			_, _ = fmt.Sscanf(name, "%x", &resource)
			_, _ = fmt.Sscanf(rest, "%x", &account)
			places = append(places, map[string]string{"resource": string(resource), "account": string(account)})
		}
		_ = json.NewEncoder(os.Stdout).Encode(places)
		return err
	}
	return fmt.Errorf("what is %s?", verb)
}

func TestCommandsThatFail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		words []string
		says  string
	}{
		"not there":        {[]string{"/nowhere/helper"}, "/nowhere/helper get"},
		"with a complaint": {[]string{"sh", "-c", `printf 'the vault is \033[2Jsealed\nmore' >&2; exit 3`}, "exit status 3: the vault is ?[2Jsealed"},
		"with no JSON":     {[]string{"echo", "hello"}, "not the JSON"},
		"without an end":   {[]string{"sh", "-c", "yes | head -c 5000000"}, "more than 4194304 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tokens, err := tokenstore.NewCommand(c.words, t.TempDir())
			require.NoError(t, err)
			_, err = tokens.Load(t.Context(), place)
			require.ErrorContains(t, err, c.says)
			assert.NotContains(t, err.Error(), "\n")
		})
	}
	_, err := tokenstore.NewCommand(nil, t.TempDir())
	require.ErrorContains(t, err, "want a command")
}
