package fakeentra_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

func TestInteropOAuth4WebAPI(t *testing.T) {
	t.Parallel()
	runNode(t, "oauth4webapi.mjs", 6)
}

func TestInteropPassportAzureAD(t *testing.T) {
	t.Parallel()
	runNode(t, "passport-azure-ad.mjs", 4)
}

// The provider azureadv2 of goth knows only Microsoft's hosts. Its transport leads them to the
// fake.
func TestInteropGoth(t *testing.T) {
	t.Parallel()
	if os.Getenv("MCPENTRA_INTEROP") == "" {
		t.Skip("fetches the module goth: make interop runs this")
	}
	program := filepath.Join(t.TempDir(), "gothclient")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	build.Dir = "../testdata/interop/goth"
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)
	fake := fakeentra.NewServer(fakeentra.Config{AutoSignIn: true})
	defer fake.Close()
	client := exec.CommandContext(t.Context(), program)
	client.Env = append(
		os.Environ(),
		"FAKE="+fake.URL,
		"TENANT="+directory.DefaultTenantID,
		"CLIENT="+directory.DefaultClientID,
		"SECRET="+directory.DefaultClientSecret,
	)
	output, err = client.CombinedOutput()
	require.NoError(t, err, "%s", output)
	assert.Equal(t, "signed in: Adele Vance AdeleV@contoso.onmicrosoft.com\n", string(output))
}
