//go:build unix

package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"mcpentra/conformance/loopback/loopbacktest"

	"github.com/stretchr/testify/require"
)

// buildPrograms builds the command, and the server and the fake that it tries.
func buildPrograms(b *testing.B) (folder string) {
	b.Helper()
	folder = b.TempDir()
	build := exec.CommandContext(b.Context(), "go", "build", "-o", folder+string(filepath.Separator),
		".", "mcpentra/server/cmd/mcp-entra-server", "mcpentra/fakeentra/cmd/fakeentra")
	out, err := build.CombinedOutput()
	require.NoError(b, err, "%s", out)
	return folder
}

// A benchMode is a mode of our own server, with settings besides those that the fake writes.
type benchMode struct {
	name     string
	settings []string
	flags    []string
}

// benchModes returns the modes. In direct mode the authorization server is Entra ID, which is not
// ours.
func benchModes() []benchMode {
	return []benchMode{
		{name: "broker", settings: []string{"STORE_URL=memory:"}},
		{
			name: "direct",
			settings: []string{
				"AUTH_MODE=direct",
				"AUTH_CLIENT_ID=5a1e0003-0000-4000-8000-000000000001",
				"AUTH_CLIENT_SECRET=fake-secret-of-the-fake-api",
				"AUTH_SCOPES=tool.read",
			},
			flags: []string{"--only", "server"},
		},
	}
}

// BenchmarkChecksServer is the time and the peak memory of a full run against our own server, in
// each mode.
func BenchmarkChecksServer(b *testing.B) {
	programs := buildPrograms(b)
	serving := regexp.MustCompile(`serving (http\S+)`)
	listening := regexp.MustCompile(`listening on (http\S+)`)
	for _, mode := range benchModes() {
		b.Run(mode.name, func(b *testing.B) {
			folder := b.TempDir()
			port := loopbacktest.Port(b)
			admin := "localhost:" + port
			startProgram(b, folder, nil, listening,
				programs+"/fakeentra", "--addr", "localhost:0", "--admin-addr", admin, "--write-env", ".env")
			url := startProgram(b, folder, mode.settings, serving,
				programs+"/mcp-entra-server", "--addr", "localhost:0")
			flags := append([]string{
				"server", url,
				"--fakeentra", "http://" + admin,
				"--whoami-tool", "whoami",
				"--whoami-field", "structuredContent.object_id",
			}, mode.flags...)
			for b.Loop() {
				run := exec.CommandContext(b.Context(), programs+"/mcp-auth-conformance", flags...)
				began := time.Now()
				out, err := run.CombinedOutput()
				took := time.Since(began)
				require.NoError(b, err, "%s", out)
				b.ReportMetric(took.Seconds(), "s")
				b.ReportMetric(10, "s<=")
				b.ReportMetric(peakMemory(run.ProcessState), "MB")
				b.ReportMetric(200, "MB<=")
			}
		})
	}
}

// peakMemory returns the most memory that a program had, in MB of resident set.
func peakMemory(ended *os.ProcessState) float64 {
	peak := float64(ended.SysUsage().(*syscall.Rusage).Maxrss) // in KB, or in bytes on macOS
	if runtime.GOOS == "darwin" {
		peak /= 1024
	}
	return peak / 1024
}

// startProgram starts a program in a folder. It returns the URL in the first line that matches.
func startProgram(
	b *testing.B, folder string, settings []string, pattern *regexp.Regexp, words ...string,
) (url string) {
	b.Helper()
	program := exec.CommandContext(b.Context(), words[0], words[1:]...)
	program.Dir = folder
	program.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder}, settings...)
	read, write := io.Pipe()
	program.Stdout = write
	program.Stderr = write
	require.NoError(b, program.Start())
	b.Cleanup(func() {
		_ = program.Wait()
		_ = write.Close()
	})
	found := make(chan string, 1)
	go func() {
		defer close(found)
		for lines := bufio.NewScanner(read); lines.Scan(); {
			if match := pattern.FindStringSubmatch(lines.Text()); match != nil {
				found <- match[1]
				_, _ = io.Copy(io.Discard, read)
			}
		}
	}()
	url = <-found
	require.NotEmpty(b, url, "%s writes no line that matches %v", words[0], pattern)
	return url
}

// BenchmarkChecksVersion is the time of --version.
func BenchmarkChecksVersion(b *testing.B) {
	program := buildPrograms(b) + "/mcp-auth-conformance"
	for b.Loop() {
		var took []time.Duration
		for range 21 {
			began := time.Now()
			out, err := exec.CommandContext(b.Context(), program, "--version").CombinedOutput()
			took = append(took, time.Since(began))
			require.NoError(b, err, "%s", out)
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms")
		b.ReportMetric(50, "ms<=")
	}
}
