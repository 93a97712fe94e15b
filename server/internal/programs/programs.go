package programs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A Pair is a server with a store in a file, and a fake Entra ID behind it.
type Pair struct {
	Origin string // of the server; Start changes it
	Store  string // the file
	Keys   string // the keys file of the store

	tb     testing.TB
	folder string // of the programs
	env    string // a file with the settings that point to the fake
	log    string // a file with the output of the server
	server *exec.Cmd
	exited chan struct{} // closed when the server has ended
}

// Build builds the two programs and returns their folder. In make test it returns the folder of the
// programs that make has built.
func Build(tb testing.TB) string {
	tb.Helper()
	if built := os.Getenv("MCPENTRA_PROGRAMS"); built != "" {
		return built
	}
	folder := tb.TempDir()
	output, err := exec.CommandContext(tb.Context(), "go", "build", "-o", folder+string(filepath.Separator),
		"mcpentra/server/cmd/mcp-entra-server", "mcpentra/fakeentra/cmd/fakeentra").CombinedOutput()
	require.NoError(tb, err, "%s", output)
	return folder
}

// New starts a fake from the folder of the programs. The store of the server is in the folder
// state. Start starts the server. Both processes end with the test.
func New(tb testing.TB, folder, state string) *Pair {
	tb.Helper()
	temporary := tb.TempDir()
	p := &Pair{
		Store:  filepath.Join(state, "s.db"),
		Keys:   filepath.Join(state, "s.keys"),
		tb:     tb,
		folder: folder,
		env:    filepath.Join(temporary, "fake.env"),
		log:    filepath.Join(temporary, "server.log"),
	}
	fake := exec.Command(filepath.Join(folder, "fakeentra"), "--addr", "localhost:0", "--quiet", "--write-env", p.env)
	// It shares the machine with the server, and may take more memory than by itself.
	fake.Env = append(os.Environ(), "GOGC=400")
	run(tb, fake, filepath.Join(temporary, "fake.log"), "listening on (.+)")
	return p
}

// Start starts the server with settings NAME=VALUE, and waits until it serves.
func (p *Pair) Start(settings ...string) {
	p.tb.Helper()
	p.server = exec.Command(filepath.Join(p.folder, "mcp-entra-server"), "--env", p.env)
	p.server.Env = append([]string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + filepath.Dir(p.env),
		"MCP_ADDR=localhost:0",
		"STORE_URL=file:" + p.Store,
		"MCP_KEYS_FILE=" + p.Keys,
		"MCP_REGISTRATIONS_PER_MINUTE=1000000",
	}, settings...)
	p.Origin, p.exited = run(p.tb, p.server, p.log, "serving (http[^ ]+)/mcp ")
}

// Kill ends the server at once, as kill -9 does.
func (p *Pair) Kill() {
	_ = p.server.Process.Kill()
	<-p.exited
}

// Stop ends the server as Ctrl-C does.
func (p *Pair) Stop() {
	p.tb.Helper()
	require.NoError(p.tb, p.server.Process.Signal(os.Interrupt))
	<-p.exited
}

// Log returns the output of the server.
func (p *Pair) Log() string {
	text, err := os.ReadFile(p.log)
	require.NoError(p.tb, err)
	return string(text)
}

// CPU returns the processor time of the server so far.
func (p *Pair) CPU() time.Duration {
	p.tb.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.server.Process.Pid))
	require.NoError(p.tb, err)
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	var ticks int
	for _, field := range fields[11:13] { // utime and stime, proc_pid_stat(5)
		number, err := strconv.Atoi(field)
		require.NoError(p.tb, err)
		ticks += number
	}
	return time.Duration(ticks) * time.Second / 100
}

// Peak returns the most memory that the server ever had, in bytes of resident set.
func (p *Pair) Peak() int64 {
	p.tb.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.server.Process.Pid))
	require.NoError(p.tb, err)
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(text)
	require.NotNil(p.tb, found, "%s", text)
	peak, err := strconv.ParseInt(string(found[1]), 10, 64)
	require.NoError(p.tb, err)
	return peak << 10
}

// run starts a program that ends with the test. It returns the part of the output that the group of
// the pattern matches, and a channel that is closed when the program has ended.
func run(tb testing.TB, program *exec.Cmd, log, pattern string) (found string, exited chan struct{}) {
	tb.Helper()
	output, err := os.Create(log)
	require.NoError(tb, err)
	defer output.Close()
	program.Stdout = output
	program.Stderr = output
	require.NoError(tb, program.Start())
	exited = make(chan struct{})
	go func() {
		defer close(exited)
		_ = program.Wait()
	}()
	tb.Cleanup(func() {
		_ = program.Process.Kill()
		<-exited
	})
	expected := regexp.MustCompile(pattern)
	deadline := time.Now().Add(time.Minute)
	for tick := time.Tick(5 * time.Millisecond); ; {
		ended := false
		select {
		case <-exited:
			ended = true
		case <-tick:
		}
		text, err := os.ReadFile(log)
		require.NoError(tb, err)
		if match := expected.FindSubmatch(text); match != nil {
			return string(match[1]), exited
		}
		if ended || time.Now().After(deadline) {
			require.Fail(tb, "the program does not start", "%s: %s", program.Path, text)
		}
	}
}
