//go:build unix

package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/term"
)

// A terminal runs the program, as a person does.
type terminal struct {
	t       *testing.T
	person  *os.File // what the person types and reads
	screen  *os.File // the program's side
	before  *term.State
	program *exec.Cmd

	mu   sync.Mutex
	said bytes.Buffer
	more chan struct{}   // gets a value for new output
	done chan struct{}   // closed at the end of the output
	late <-chan struct{} // closed when the test has waited long enough
}

// inTerminal starts the program in a terminal of its own.
func inTerminal(t *testing.T, arguments ...string) *terminal {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	folder := t.TempDir()
	name := filepath.Join(folder, "mcp-entra-client") // TestMain runs the program under this name
	require.NoError(t, os.Symlink(self, name))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	program := exec.CommandContext(ctx, name, arguments...)
	program.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "BROWSER=false", "TERM=xterm"}
	program.Dir = folder
	r := &terminal{
		t:       t,
		program: program,
		more:    make(chan struct{}, 1),
		done:    make(chan struct{}),
		late:    ctx.Done(),
	}
	r.person, r.screen, err = pty.Open()
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = r.person.Close()
		_ = r.screen.Close()
	})
	r.before, err = term.GetState(int(r.screen.Fd()))
	require.NoError(t, err)
	program.Stdin = r.screen
	program.Stdout = r.screen
	program.Stderr = r.screen
	program.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, program.Start())
	go r.listen()
	return r
}

func (r *terminal) listen() {
	defer close(r.done)
	buffer := make([]byte, 4096)
	for {
		n, err := r.person.Read(buffer)
		r.mu.Lock()
		r.said.Write(buffer[:n])
		r.mu.Unlock()
		select {
		case r.more <- struct{}{}:
		default:
		}
		if err != nil {
			return // the program has closed the terminal
		}
	}
}

func (r *terminal) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said.String()
}

// await waits until the output contains a text, and returns the whole output.
func (r *terminal) await(what string) string {
	r.t.Helper()
	r.awaitCount(what, 1)
	return r.text()
}

// awaitCount waits until the output contains a text a number of times.
func (r *terminal) awaitCount(what string, times int) {
	r.t.Helper()
	for strings.Count(r.text(), what) < times {
		select {
		case <-r.more:
		case <-r.late:
			require.FailNow(r.t, "the output does not contain "+what, r.text())
		case <-r.done:
			require.GreaterOrEqual(r.t, strings.Count(r.text(), what), times, r.text())
		}
	}
}

func (r *terminal) write(text string) {
	r.t.Helper()
	_, err := r.person.WriteString(text)
	require.NoError(r.t, err)
}

// status waits for the program's end, and checks that the terminal is as before.
func (r *terminal) status() int {
	r.t.Helper()
	_ = r.program.Wait() // the exit status holds the error
	after, err := term.GetState(int(r.screen.Fd()))
	require.NoError(r.t, err)
	assert.Equal(r.t, r.before, after, "the terminal has its line editing and echo again")
	require.NoError(r.t, r.screen.Close())
	<-r.done
	return r.program.ProcessState.ExitCode()
}

// pageIn finds the authorization page's address in the output.
func pageIn(t *testing.T, said string) string {
	t.Helper()
	for word := range strings.FieldsSeq(said) {
		if strings.HasPrefix(word, "http") && strings.Contains(word, "code_challenge=") {
			return word
		}
	}
	require.Fail(t, "the output holds no page", said)
	return ""
}
