package broken_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/checks"
	"mcpentra/conformance/issuers/internal/bench"
	"mcpentra/conformance/issuers/internal/broken"
)

// TestDocumentChecksCatchFaultsBelowOneAddress tries the faults with documents while all documents
// have one host, as for a server that runs as a program.
func TestDocumentChecksCatchFaultsBelowOneAddress(t *testing.T) {
	t.Parallel()
	selected := slices.DeleteFunc(checks.All(), func(current bench.Check) bool {
		isElsewhere := !strings.HasPrefix(current.ID, "authorization-server/document/")
		needsMore := slices.Contains(current.Needs, bench.AllHosts) || slices.Contains(current.Needs, bench.Clock)
		return isElsewhere || needsMore
	})
	good := startBelowOneAddress(t)
	for _, current := range selected {
		result := bench.Run(t.Context(), current, good)
		assert.Equal(t, check.Pass, result.Verdict, "%s: %v", current.ID, result.Err)
	}
	for fault, red := range caught("document") {
		target := startBelowOneAddress(t, fault)
		for _, current := range selected {
			if slices.Contains(red, current.ID) {
				result := bench.Run(t.Context(), current, target)
				verdicts := []check.Verdict{check.Note, check.Warn, check.Fail}
				assert.Contains(t, verdicts, result.Verdict, "%s with %s: %v", current.ID, fault, result.Err)
			}
		}
	}
}

// startBelowOneAddress starts an issuer for which all documents are below one address.
func startBelowOneAddress(t *testing.T, faults ...broken.Fault) bench.Target {
	t.Helper()
	issuer := start(t, faults...)
	issuer.ServeDocumentsAt("https://documents.mcp-auth-conformance.example")
	return issuer.Target()
}
