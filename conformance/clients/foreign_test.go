package clients_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients"
	"mcpentra/testdata/interop/foreign"
)

// foreignClients are MCP clients of other projects. Each has a small program around it, which reads
// the redirect itself.
var foreignClients = []struct {
	name      string
	run       func(t *testing.T) runTask
	abilities []clients.Ability
	revisions []check.Revision
}{
	{
		"go-sdk",
		goClient("gosdk"),
		[]clients.Ability{
			clients.ClientDocument,
			clients.Preregistered,
			clients.Machine,
			clients.SeveralCalls,
			clients.UsesProxy,
			clients.TrustsCA,
		},
		check.Revisions(),
	},
	{
		"mcp-go",
		goClient("mcpgo"),
		[]clients.Ability{
			clients.Preregistered,
			clients.SeveralCalls,
			clients.UsesProxy,
			clients.TrustsCA,
		},
		[]check.Revision{check.R20250618, check.R20251125, check.R20260728},
	},
	{
		"typescript-sdk-1.18",
		nodeClient("client-sdk.mjs", "PACKAGE=sdk-1.18"),
		[]clients.Ability{clients.Preregistered, clients.SeveralCalls},
		[]check.Revision{check.R20250326, check.R20250618},
	},
	{
		"typescript-sdk-1.32",
		nodeClient("client-sdk.mjs", "PACKAGE=sdk-1.32"),
		[]clients.Ability{
			clients.ClientDocument,
			clients.Preregistered,
			clients.Machine,
			clients.Key,
			clients.SeveralCalls,
		},
		[]check.Revision{check.R20250326, check.R20250618, check.R20251125},
	},
	{
		"typescript-sdk-2",
		nodeClient("client-sdk2.mjs", ""),
		[]clients.Ability{
			clients.ClientDocument,
			clients.Preregistered,
			clients.Machine,
			clients.Key,
			clients.SeveralCalls,
		},
		check.Revisions(),
	},
	{
		"ai-sdk",
		nodeClient("client-ai.mjs", ""),
		[]clients.Ability{clients.Preregistered, clients.SeveralCalls},
		[]check.Revision{check.R20250618, check.R20251125, check.R20260728},
	},
}

// measuring are checks whose verdicts depend on the time and the memory of the machine.
var measuring = []string{
	"client/limit", "client/stream/endless", "client/stream/flood", "client/stream/resumed",
}

// TestInteropForeignClients compares the verdicts on clients of other projects with snapshots. Each
// failure has a line in proofs.tsv with the sentence that proves it.
func TestInteropForeignClients(t *testing.T) {
	t.Parallel()
	if os.Getenv("MCPENTRA_INTEROP") == "" {
		t.Skip("make interop sets MCPENTRA_INTEROP")
	}
	for _, current := range foreignClients {
		t.Run(current.name, func(t *testing.T) {
			t.Parallel()
			target := clients.Target{
				Name:      current.name,
				Run:       current.run(t),
				Abilities: current.abilities,
				Revisions: current.revisions,
				Timeout:   30 * time.Second,
			}
			report, err := clients.Run(t.Context(), target, check.Selection{Except: measuring, Parallel: 2})
			require.NoError(t, err)
			foreign.Compare(t, "client-"+current.name, report)
		})
	}
}

// goClient builds a client in Go. It runs as a command, as mcp-auth-conformance runs it.
func goClient(name string) func(t *testing.T) runTask {
	return func(t *testing.T) runTask {
		program := filepath.Join(t.TempDir(), name)
		build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./"+name)
		build.Dir = "../../testdata/interop/goclients"
		out, err := build.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return clients.Command([]string{program, "{url}"}, []string{"false"})
	}
}
