package servers_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// outsideProgram fills a target from a fake. Its module is not this one, so it sees only what other
// modules see.
const outsideProgram = `package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"mcpentra/conformance/servers"
	"mcpentra/fakeentra"
)

func main() {
	fake := fakeentra.NewServer(fakeentra.Config{})
	defer fake.Close()
	endpoint := httptest.NewServer(http.NotFoundHandler())
	defer endpoint.Close()
	target := servers.Target{URL: endpoint.URL}
	if err := servers.FillFromFake(context.Background(), &target, fake); err != nil {
		panic(err)
	}
	_, err := target.Mint(context.Background(), servers.Edits{Algorithm: "PS512"})
	fmt.Println(len(target.Tokens) > 5, err)
}
`

// TestFillFromFakeWorksOutside builds and runs a program of another module.
func TestFillFromFakeWorksOutside(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	folder := t.TempDir()
	settings, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	outside := regexp.MustCompile(`(?m)^module .*$`).ReplaceAllString(string(settings), "module outside")
	outside += "\nrequire mcpentra v0.0.0\n\nreplace mcpentra => " + root + "\n"
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	for name, text := range map[string]string{
		"go.mod":  outside,
		"go.sum":  string(sums),
		"main.go": outsideProgram,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	run := exec.CommandContext(t.Context(), "go", "run", ".")
	run.Dir = folder
	run.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
	out, err := run.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, "true <nil>\n", string(out))
}
