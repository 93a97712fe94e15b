package fakeentra_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// Microsoft's Graph client for JavaScript reads groups over several pages, and sends a batch.
func TestInteropGraphClient(t *testing.T) {
	t.Parallel()
	folder := interop(t)
	d := changed(func(t *directory.Tenant) {
		t.Apps[0].ApplicationPermissions = []string{"GroupMember.Read.All", "User.Read.All"}
		for i := range 5 {
			t.Groups = append(t.Groups, directory.Group{
				ID:          fmt.Sprintf("5a1e0005-0000-4000-8000-%012d", i),
				DisplayName: fmt.Sprintf("Group %d", i),
			})
		}
	})
	fake := fakeentra.NewTLSServer(fakeentra.Config{Directory: d, GraphPageSize: 2})
	defer fake.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, fake.CAPEM(), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	node := exec.CommandContext(ctx, "node", filepath.Join("fakeentra", "graph-client.mjs"))
	node.Dir = folder
	node.Env = append(
		os.Environ(),
		"NODE_EXTRA_CA_CERTS="+ca,
		"AUTHORITY="+fake.URL,
		"TENANT="+directory.DefaultTenantID,
		"CLIENT="+directory.DefaultClientID,
		"SECRET="+directory.DefaultClientSecret,
	)
	output, err := node.CombinedOutput()
	require.NoError(t, err, "%s", output)
	assert.Equal(t, 5, strings.Count(string(output), "ok "), "%s", output)
}
