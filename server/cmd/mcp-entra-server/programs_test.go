package main_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// programs is the folder the four programs were built into, as a person's `make build` does.
var programs string

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	programs = os.Getenv("MCPENTRA_PROGRAMS") // make test has built them
	if programs != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "mcpentra-programs-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-o", dir+string(filepath.Separator),
		"mcpentra/server/cmd/mcp-entra-server", "mcpentra/client/cmd/mcp-entra-client",
		"mcpentra/fakeentra/cmd/fakeentra", "mcpentra/conformance/cmd/mcp-auth-conformance")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the programs: %v\n%s", err, out)
		return 2
	}
	programs = dir
	return m.Run()
}

// TestPrograms runs the scripts of testdata: the built programs as processes over real sockets.
func TestPrograms(t *testing.T) {
	t.Parallel()
	testscript.Run(t, params("testdata/*.txt"))
}

// TestFlowPerRevision runs the flow from 401 to tool call with the client held to each published
// revision.
func TestFlowPerRevision(t *testing.T) {
	t.Parallel()
	for _, revision := range []string{"2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"} {
		t.Run(revision, func(t *testing.T) {
			t.Parallel()
			p := params("testdata/revisions/*.txt")
			setup := p.Setup
			p.Setup = func(env *testscript.Env) error {
				env.Setenv("REVISION", revision)
				return setup(env)
			}
			testscript.Run(t, p)
		})
	}
}

// revisions returns the revisions that checks try the program at. The checks themselves know them
// all, so two are enough here. With CONFORMANCE=full in the environment, as in make race, they are
// all tried.
func revisions() string {
	if os.Getenv("CONFORMANCE") == "full" {
		return "2025-03-26,2025-06-18,2025-11-25,2026-07-28"
	}
	return "2025-03-26,2026-07-28"
}

func params(files string) testscript.Params {
	paths, err := filepath.Glob(files)
	if err != nil || len(paths) == 0 {
		panic(fmt.Sprintf("no scripts at %s: %v", files, err))
	}
	return testscript.Params{
		Files:               paths,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", programs+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("BROWSER", "fakeentra visit")
			env.Setenv("MCP_TOKEN_STORE", "memory") // each script signs in as often as it says
			env.Setenv("REVISIONS", revisions())
			started := &processes{byName: map[string]*process{}}
			env.Values[processesKey{}] = started
			env.Defer(started.killAll)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"logs":       logs,
			"start":      start,
			"interrupt":  interrupt,
			"exits":      exits,
			"port":       port,
			"found":      found,
			"administer": administer,
			"tools":      serveTools,
			"files":      serveFiles,
		},
	}
}

// A process is a program that a script has started. Its output goes to NAME.log in the script's
// folder.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed once all output is read and the exit status is known
}

type processes struct {
	mu     sync.Mutex
	byName map[string]*process
}

type processesKey struct{}

func (p *processes) killAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, running := range p.byName {
		_ = running.cmd.Process.Kill()
		<-running.done
	}
}

// patience is how long a program may take to do one thing on a busy machine before the test calls
// it stuck.
const patience = time.Minute

// start runs `start NAME PATTERN PROGRAM ARGS…`: it starts the program and waits until a line of
// its output matches the pattern. The pattern's first group is then the variable NAME of the
// script.
func start(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: start NAME PATTERN PROGRAM ARGS…")
	}
	name := args[0]
	pattern := regexp.MustCompile(args[1])
	cmd := command(ts, args[2], args[3:])
	log, err := os.Create(ts.MkAbs(name + ".log"))
	ts.Check(err)
	read, write := io.Pipe()
	output := io.MultiWriter(log, write) // the log is complete when the program has ended
	cmd.Stdout = output
	cmd.Stderr = output
	ts.Check(cmd.Start())

	one := &process{cmd: cmd, done: make(chan struct{})}
	running := ts.Value(processesKey{}).(*processes)
	running.mu.Lock()
	running.byName[name] = one
	running.mu.Unlock()

	found := make(chan string, 1)
	go func() {
		defer close(found)
		seen := false
		for lines := bufio.NewScanner(read); lines.Scan(); {
			if match := pattern.FindStringSubmatch(lines.Text()); match != nil && !seen {
				seen = true
				found <- match[len(match)-1]
			}
		}
	}()
	go func() {
		_ = cmd.Wait()
		write.Close()
		log.Close()
		close(one.done)
	}()
	select {
	case value, ok := <-found:
		if !ok {
			<-one.done
			ts.Fatalf(
				"%s ended (%v) without a line that matches %q:\n%s",
				name,
				cmd.ProcessState,
				pattern,
				ts.ReadFile(name+".log"),
			)
		}
		ts.Setenv(name, value)
	case <-time.After(patience):
		ts.Fatalf("%s wrote no line that matches %q", name, pattern)
	}
}

// interrupt runs `interrupt NAME CODE`: it sends what Ctrl-C sends and expects the exit status.
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: interrupt NAME CODE")
	}
	running := ts.Value(processesKey{}).(*processes)
	running.mu.Lock()
	one := running.byName[args[0]]
	running.mu.Unlock()
	if one == nil {
		ts.Fatalf("no process %q was started", args[0])
	}
	ts.Check(one.cmd.Process.Signal(syscall.SIGINT))
	select {
	case <-one.done:
	case <-time.After(patience):
		ts.Fatalf("%s is still running after Ctrl-C", args[0])
	}
	expectExit(ts, args[0], one.cmd.ProcessState.ExitCode(), args[1])
}

// logs runs `logs NAME PATTERN`: it waits until a line that the program NAME wrote matches the
// pattern.
func logs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: logs NAME PATTERN")
	}
	pattern := regexp.MustCompile(args[1])
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); ; {
		if pattern.MatchString(ts.ReadFile(args[0] + ".log")) {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			ts.Fatalf("%s wrote no line that matches %q:\n%s", args[0], pattern, ts.ReadFile(args[0]+".log"))
		}
	}
}

// exits runs `exits CODE PROGRAM ARGS…` to its end and expects the exit status; what it wrote is in
// stdout.txt and stderr.txt.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS…")
	}
	cmd := command(ts, args[1], args[2:])
	stdout, err := os.Create(ts.MkAbs("stdout.txt"))
	ts.Check(err)
	defer stdout.Close()
	stderr, err := os.Create(ts.MkAbs("stderr.txt"))
	ts.Check(err)
	defer stderr.Close()
	cmd.Stdout = stdout
	cmd.Stderr = stderr
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		ts.Check(err)
	}
	ts.Logf("[stdout]\n%s[stderr]\n%s", ts.ReadFile("stdout.txt"), ts.ReadFile("stderr.txt"))
	expectExit(ts, args[1], cmd.ProcessState.ExitCode(), args[0])
}

func expectExit(ts *testscript.TestScript, name string, got int, want string) {
	if code, err := strconv.Atoi(want); err != nil || code != got {
		ts.Fatalf("%s: exit status %d, want %s", name, got, want)
	}
}

func command(ts *testscript.TestScript, program string, args []string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(programs, program), args...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(
		os.Environ()[:0:0],
		"PATH="+ts.Getenv("PATH"),
		"HOME="+ts.Getenv("HOME"),
		"BROWSER="+ts.Getenv("BROWSER"),
	)
	for _, key := range []string{
		"AUTH_MODE", "AUTH_AUTHORITY", "AUTH_TENANT_ID", "AUTH_CLIENT_ID", "AUTH_CLIENT_SECRET", "AUTH_SCOPES",
		"MCP_ADDR", "MCP_PUBLIC_URL", "MCP_STATEFUL", "MCP_ADMIN_ADDR", "MCP_ADMIN_SECRET_FILE",
		"MCP_REGISTRATIONS_PER_MINUTE", "STORE_URL", "MCP_KEYS_FILE", "MCP_TOKEN_STORE", "MCP_CLIENT_ID",
		"MCP_CLIENT_KEY_FILE",
	} {
		if value := ts.Getenv(key); value != "" {
			cmd.Env = append(cmd.Env, key+"="+value)
		}
	}
	return cmd
}
