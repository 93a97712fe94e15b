package clients_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gkampitakis/go-snaps/snaps"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients"
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
// failure has a line in client-proofs.tsv with the sentence that proves it.
func TestInteropForeignClients(t *testing.T) {
	t.Parallel()
	if os.Getenv("MCPENTRA_INTEROP") == "" {
		t.Skip("make interop sets MCPENTRA_INTEROP")
	}
	for _, foreign := range foreignClients {
		t.Run(foreign.name, func(t *testing.T) {
			t.Parallel()
			target := clients.Target{
				Name:      foreign.name,
				Run:       foreign.run(t),
				Abilities: foreign.abilities,
				Revisions: foreign.revisions,
				Timeout:   30 * time.Second,
			}
			report, err := clients.Run(t.Context(), target, check.Selection{Except: measuring, Parallel: 2})
			require.NoError(t, err)
			var verdicts strings.Builder
			proofs := proofsOf(t, foreign.name)
			failed := map[string]bool{}
			for _, result := range report.Results {
				if result.Verdict == check.Pass || result.Verdict == check.Skip {
					continue
				}
				fmt.Fprintf(&verdicts, "%-5s %s\n", result.Verdict, result.Name())
				if result.Verdict == check.Fail {
					failed[result.Rule.ID] = true
					assert.Contains(t, proofs, result.Rule.ID, "%v", result.Err)
				}
				assert.NotEqual(t, check.Error, result.Verdict, "%s: %v", result.Name(), result.Err)
			}
			for id := range proofs {
				assert.True(t, failed[id], "client-proofs.tsv has a line for %s, which does not fail", id)
			}
			folder := snaps.Dir("../../testdata/snapshots")
			snaps.WithConfig(folder, snaps.Filename("foreign-client-"+foreign.name), snaps.Ext(".txt")).
				MatchStandaloneSnapshot(t, verdicts.String())
		})
	}
}

// proofsOf returns the sentences that prove the failures of a client, by the ID of the check.
func proofsOf(t *testing.T, client string) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../testdata/interop/foreign/client-proofs.tsv")
	require.NoError(t, err)
	proofs := map[string]string{}
	for line := range strings.Lines(string(text)) {
		columns := strings.SplitN(strings.TrimSpace(line), "\t", 3)
		if columns[0] == client && assert.Len(t, columns, 3, "want a client, an ID and a sentence: %s", line) {
			proofs[columns[1]] = columns[2]
		}
	}
	return proofs
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
