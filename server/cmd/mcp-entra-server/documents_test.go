package main_test

import (
	"bufio"
	"context"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"mcpentra/conformance/loopback/loopbacktest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// documentChecks counts the checks of client documents that need no clock and no private network.
const documentChecks = 15

// TestDocumentChecksPass runs the checks of client ID metadata documents against the program. The
// documents are on loopback, at a host that the setting lists with its port.
func TestDocumentChecksPass(t *testing.T) {
	t.Parallel()
	ownPort := loopbacktest.Port(t)
	documentPort := loopbacktest.Port(t)
	documents := "127.0.0.1:" + documentPort
	address := "localhost:" + ownPort
	caFile := filepath.Join(t.TempDir(), "ca.pem")
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	checks := exec.CommandContext(ctx, filepath.Join(programs, "mcp-auth-conformance"), "issuer", "http://"+address,
		"--scripted", "--only", "authorization-server/document", "--resource", "http://"+address+"/mcp",
		"--documents", documents, "--documents-ca", caFile)
	read, write := io.Pipe()
	checks.Stdout = write
	checks.Stderr = write
	require.NoError(t, checks.Start())
	ended := make(chan error, 1)
	go func() {
		ended <- checks.Wait()
		_ = write.Close()
	}()
	var output strings.Builder
	for lines := bufio.NewScanner(read); lines.Scan(); {
		output.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "client documents are at") {
			startBehindFake(t, address, "AUTH_CLIENT_DOCUMENTS="+documents, "AUTH_CA_FILE="+caFile)
		}
	}
	assert.NoError(t, <-ended, output.String())
	passed := regexp.MustCompile(`(?m)^pass +authorization-server/document/`).FindAllString(output.String(), -1)
	assert.Len(t, passed, documentChecks, output.String())
}
