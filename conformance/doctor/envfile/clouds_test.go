package envfile_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/doctor/envfile"
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// byHost sends each request to the fake of its cloud.
type byHost map[string]http.RoundTripper

func (b byHost) RoundTrip(request *http.Request) (*http.Response, error) {
	if transport, found := b[request.URL.Host]; found {
		return transport.RoundTrip(request)
	}
	return nil, fmt.Errorf("no host %s", request.URL.Host)
}

// TestTenantInOtherCloudIsFound has a tenant in the cloud of the US Government, and an empty public
// cloud. The fix of the report then works.
func TestTenantInOtherCloudIsFound(t *testing.T) {
	t.Parallel()
	elsewhere := directory.Default()
	elsewhere.Tenants[0].ID = "5a1e0001-0000-4000-8000-00000000ffff"
	elsewhere.Tenants[0].Domains = []string{"fabrikam.onmicrosoft.com"}
	public, err := fakeentra.New(fakeentra.Config{Directory: elsewhere})
	require.NoError(t, err)
	government, err := fakeentra.New(fakeentra.Config{Cloud: fakeentra.USGov})
	require.NoError(t, err)
	client := &http.Client{Transport: byHost{
		"login.microsoftonline.com": public.Client().Transport,
		"graph.microsoft.com":       public.Client().Transport,
		"login.microsoftonline.us":  government.Client().Transport,
		"graph.microsoft.us":        government.Client().Transport,
	}}
	file := filepath.Join(t.TempDir(), ".env")
	text := "AUTH_TENANT_ID=" + directory.DefaultTenantID + "\nAUTH_CLIENT_ID=" + directory.DefaultClientID +
		"\nAUTH_CLIENT_SECRET=" + directory.DefaultClientSecret + "\n"
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	report, err := envfile.Examine(t.Context(), envfile.Config{File: file, HTTPClient: client})
	require.NoError(t, err)
	assert.Equal(t, []string{"tenant-in-other-cloud"}, findings(report))
	last := report.Steps[len(report.Steps)-1].Findings
	fix := last[len(last)-1].Fixes[0].Text
	assert.Equal(t, "AUTH_AUTHORITY=login.microsoftonline.us", fix)

	require.NoError(t, os.WriteFile(file, []byte(text+fix+"\n"), 0o600))
	report, err = envfile.Examine(t.Context(), envfile.Config{File: file, HTTPClient: client})
	require.NoError(t, err)
	assert.Empty(t, findings(report))
}

// TestEnvironmentIsNamed wants a warning about variables that win, without their values.
func TestEnvironmentIsNamed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), ".env")
	require.NoError(t, os.WriteFile(file, []byte("AUTH_TENANT_ID=common\n"), 0o600))
	report, err := envfile.Examine(t.Context(), envfile.Config{
		File:    file,
		Environ: []string{"AUTH_CLIENT_SECRET=" + hush, "PATH=/bin", "broken"},
	})
	require.NoError(t, err)
	assert.Contains(t, findings(report), "environment-wins")
	assert.NotContains(t, fmt.Sprintf("%+v", report), hush)
}

func TestExamineRefusesMissingFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	_, err := envfile.Examine(t.Context(), envfile.Config{File: filepath.Join(folder, ".env")})
	require.ErrorContains(t, err, "does not exist: copy .env.example")
	_, err = envfile.Examine(t.Context(), envfile.Config{File: folder})
	require.ErrorContains(t, err, "is a folder or a device")
}
