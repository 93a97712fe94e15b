package fakeentra_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// The examples in other languages use plain HTTP. Each runs where its language is installed.
func TestInteropLanguages(t *testing.T) {
	t.Parallel()
	if os.Getenv("MCPENTRA_INTEROP") == "" {
		t.Skip("starts other languages: make interop runs this")
	}
	for name, command := range map[string][]string{
		"Node.js": {"npm", "test", "--silent", "--prefix", "../testdata/interop/npm"},
		"Python":  {"python3", "../testdata/interop/python/token_from_fake.py"},
		"Java":    {"java", "../testdata/interop/java/TokenFromFake.java"},
		".NET":    {"dotnet", "run", "--project", "../testdata/interop/dotnet"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(command[0]); err != nil {
				t.Skipf("%s is not installed", name)
			}
			fake := fakeentra.NewServer(fakeentra.Config{})
			defer fake.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			script := exec.CommandContext(ctx, command[0], command[1:]...)
			script.Env = append(os.Environ(), "FAKE="+fake.URL)
			output, err := script.CombinedOutput()
			require.NoError(t, err, "%s", output)
			want := directory.DefaultClientID + " got a token for " + directory.DefaultAPIID + " true"
			assert.Equal(t, strings.ToLower(want), strings.ToLower(strings.TrimSpace(string(output))))
		})
	}
}
