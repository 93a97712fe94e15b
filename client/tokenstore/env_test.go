package tokenstore_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/tokenrequest"
	"mcpentra/client/tokenstore"
)

// The environment of this package's tests: records and stores, and the test program in the role of
// the processes that tests start.
//
//	mcpKey         the key that most tests use
//	recordOf       a record with a token
//	openFile       a File in a folder
//	eachStore      runs a test against Memory, File and Command
//	assertPrivate  checks that no other user can read a folder
//	vaultCommand   a program that keeps records in a folder, for Command
//	writeForever   a process that saves records until it is killed

var mcpKey = tokenstore.Key{Resource: "https://mcp.example.com/mcp"}

// TestMain runs the tests, or the role that the environment or the arguments name.
func TestMain(m *testing.M) {
	if folder := os.Getenv("TOKENSTORE_TEST_WRITES"); folder != "" {
		writeForever(folder)
	}
	if len(os.Args) == 4 && os.Args[1] == "vault" {
		if err := runVault(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// There are many child processes, and with -race each one would sleep for a second at its end.
	_ = os.Setenv("GORACE", "atexit_sleep_ms=0")
	os.Exit(m.Run())
}

func openFile(t *testing.T, folder string, keychain *tokenstore.Keychain) *tokenstore.File {
	t.Helper()
	tokens, err := tokenstore.OpenFile(folder, keychain)
	require.NoError(t, err)
	return tokens
}

// recordOf returns a record whose access and refresh tokens are the given text.
func recordOf(token string) tokenstore.Record {
	var record tokenstore.Record
	record.Put("https://login.example.com", tokenstore.Entry{
		Token: tokenrequest.Token{Access: token, Refresh: token},
	})
	return record
}

// eachStore runs a test against every store. Each call of open opens the same store once more.
func eachStore(t *testing.T, test func(t *testing.T, open func() tokenstore.Store)) {
	t.Parallel()
	for _, c := range []struct {
		name string
		open func(t *testing.T) func() tokenstore.Store
	}{
		{"memory", openingMemory},
		{"file", openingFile},
		{"command", openingCommand},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			test(t, c.open(t))
		})
	}
}

func openingMemory(*testing.T) func() tokenstore.Store {
	tokens := &tokenstore.Memory{}
	return func() tokenstore.Store { return tokens }
}

func openingFile(t *testing.T) func() tokenstore.Store {
	folder := t.TempDir()
	return func() tokenstore.Store { return openFile(t, folder, nil) }
}

func openingCommand(t *testing.T) func() tokenstore.Store {
	words := vaultCommand(t, t.TempDir())
	locks := t.TempDir()
	return func() tokenstore.Store {
		tokens, err := tokenstore.NewCommand(words, locks)
		require.NoError(t, err)
		return tokens
	}
}

// assertPrivate fails if other users can use a folder or read its files, or if a file shows a
// secret, a server or an issuer.
func assertPrivate(t *testing.T, folder string, secrets ...string) {
	t.Helper()
	info, err := os.Stat(folder)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	files, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(folder, file.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue // a writer has just renamed it
		}
		require.NoError(t, err)
		if info, err := file.Info(); err == nil {
			assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), file.Name())
		}
		text = bytes.TrimPrefix(text, []byte("mcp-entra-client record 1\n"))
		for _, secret := range append(secrets, "mcp.example.com", "login.example.com", "token") {
			assert.False(t, bytes.Contains(text, []byte(secret)), "%s holds %s", file.Name(), secret)
		}
	}
}

// vaultCommand returns the command line of runVault.
func vaultCommand(t *testing.T, folder string) []string {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	return []string{program, "vault", folder}
}

// runVault is the program that a Command runs.
func runVault(folder, verb string) error {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	var input struct {
		Resource string          `json:"resource"`
		Account  string          `json:"account"`
		Record   json.RawMessage `json:"record,omitempty"`
	}
	if err := json.Unmarshal(text, &input); err != nil {
		return err
	}
	path := filepath.Join(folder, fmt.Sprintf("%x-%x", input.Resource, input.Account))
	switch verb {
	case "get":
		text, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil
		}
		_, _ = os.Stdout.Write(text)
		return err
	case "store":
		return os.WriteFile(path, input.Record, 0o600)
	case "list":
		return listVault(folder)
	}
	return fmt.Errorf("want get, store or list, got %s", verb)
}

func listVault(folder string) error {
	files, err := os.ReadDir(folder)
	keys := []map[string]string{}
	for _, file := range files {
		var resource, account []byte
		name, rest, _ := strings.Cut(file.Name(), "-")
		_, _ = fmt.Sscanf(name, "%x", &resource)
		_, _ = fmt.Sscanf(rest, "%x", &account)
		keys = append(keys, map[string]string{"resource": string(resource), "account": string(account)})
	}
	_ = json.NewEncoder(os.Stdout).Encode(keys)
	return err
}
