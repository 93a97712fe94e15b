package pipeline_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/internal/pipeline"
)

// archive is a release whose programs only say that they run.
func archive(t *testing.T) (packed []byte, checksum string) {
	t.Helper()
	var text bytes.Buffer
	compressed := gzip.NewWriter(&text)
	writer := tar.NewWriter(compressed)
	for _, name := range []string{"fakeentra", "mcp-auth-conformance"} {
		const program = "#!/bin/sh\necho the program of the archive runs\n"
		require.NoError(t, writer.WriteHeader(&tar.Header{
			Name: "mcpentra_v1.2.3_linux_amd64/" + name,
			Mode: 0o755,
			Size: int64(len(program)),
		}))
		_, err := writer.Write([]byte(program))
		require.NoError(t, err)
	}
	require.NoError(t, writer.Close())
	require.NoError(t, compressed.Close())
	hash := sha256.Sum256(text.Bytes())
	return text.Bytes(), hex.EncodeToString(hash[:])
}

// download is a server with the archive, and a machine that trusts the server.
func download(t *testing.T) (at pipeline.Workplace, address, checksum string) {
	t.Helper()
	packed, checksum := archive(t)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/mcpentra_v1.2.3_linux_amd64.tar.gz" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(packed)
	}))
	t.Cleanup(server.Close)
	at = workplace(t)
	ca := filepath.Join(at.Temp, "ca.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
	write(t, ca, string(pem.EncodeToMemory(block)))
	at.Env = append(at.Env, "CURL_CA_BUNDLE="+ca)
	return at, server.URL + "/mcpentra_v1.2.3_linux_amd64.tar.gz", checksum
}

// archives are the ways to name an archive, and what the job then says.
func archives(address, checksum string) map[string][3]string {
	wrong := strings.Repeat("0", len(checksum))
	return map[string][3]string{
		"from a URL":   {address, checksum, "the program of the archive runs"},
		"upper case":   {address, strings.ToUpper(checksum), "the program of the archive runs"},
		"another file": {address, wrong, "SHA-256"},
		"not found":    {address + ".old", checksum, "cannot fetch"},
		"no archive":   {"nowhere.tar.gz", checksum, "want a folder, an archive or an https URL"},
	}
}

func TestActionTakesReleaseArchive(t *testing.T) {
	t.Parallel()
	at, address, checksum := download(t)
	for name, test := range archives(address, checksum) {
		outcome := use(t, at, map[string]string{
			"server-url":      "http://localhost:9/mcp",
			"programs":        test[0],
			"programs-sha256": test[1],
		})
		assert.Contains(t, outcome.Log(), test[2], name)
		assert.Equal(t, strings.Contains(test[2], "runs"), outcome.Success, "%s: %s", name, outcome.Log())
	}
}

func TestTemplateTakesReleaseArchive(t *testing.T) {
	t.Parallel()
	at, address, checksum := download(t)
	for name, test := range archives(address, checksum) {
		outcome := runTemplate(t, at, "sh", map[string]string{
			"CONFORMANCE_SERVER_URL":      "http://localhost:9/mcp",
			"CONFORMANCE_PROGRAMS":        test[0],
			"CONFORMANCE_PROGRAMS_SHA256": test[1],
		})
		assert.Contains(t, outcome.Log, test[2], name)
		assert.Equal(t, strings.Contains(test[2], "runs"), outcome.Success, "%s: %s", name, outcome.Log)
	}
}
