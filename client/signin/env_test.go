package signin_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"mcpentra/client/discovery"
	"mcpentra/client/signin"
	"mcpentra/client/tokenrequest"
)

// The environment of this package's tests.
//
//	begin            an authorization at an issuer
//	listen           a Callback that waits for the state "right", and a client to visit it
//	get              a GET request
//	recordingProgram a program that records its arguments, to be run as a browser
//	program          the client that tests register

const login = "https://login.example.com"

var program = signin.Program{Name: "p", RedirectURI: "http://localhost/c"}

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(int) { http.DefaultClient.CloseIdleConnections() }))
}

// begin starts an authorization. An issuer without identifier or endpoint gets login's.
func begin(t *testing.T, issuer discovery.Issuer) *signin.Authorization {
	t.Helper()
	if issuer.Issuer == "" {
		issuer.Issuer = login
	}
	if issuer.AuthorizationEndpoint == "" {
		issuer.AuthorizationEndpoint = login + "/authorize"
	}
	authorization, err := signin.Begin(signin.Request{
		Issuer:      &issuer,
		Client:      tokenrequest.Client{ID: "f5a3"},
		RedirectURI: "http://localhost:3000/callback",
		Resource:    "https://mcp.example.com/mcp",
		Scopes:      []string{"files.read", "files.write"},
	})
	require.NoError(t, err)
	return authorization
}

func listen(t *testing.T, redirectURI string) (*signin.Callback, *http.Client) {
	t.Helper()
	callback, err := signin.Listen(redirectURI)
	require.NoError(t, err)
	callback.Serve("right")
	t.Cleanup(callback.Close)
	return callback, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
}

func get(t *testing.T, client *http.Client, address string) (status int, header http.Header, body string) {
	t.Helper()
	response, err := client.Get(address)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, response.Header, string(text)
}

// recordingProgram returns a program that writes its arguments to a file, one a line, and exits
// with a status.
func recordingProgram(t *testing.T, status string) (path string, arguments func() []string) {
	t.Helper()
	folder := t.TempDir()
	path = filepath.Join(folder, "a browser")
	file := filepath.Join(folder, "arguments")
	script := "#!/bin/sh\nprintf '%s\\n' \"$@\" >'" + file + "'\nexit " + status + "\n"
	// A child process of another test could inherit the open file. The system does not run a file
	// that is open for writing.
	syscall.ForkLock.RLock()
	err := os.WriteFile(path, []byte(script), 0o700)
	syscall.ForkLock.RUnlock()
	require.NoError(t, err)
	return path, func() []string {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	}
}
