//go:build unix

package main

import (
	"bytes"
	"context"
	"net/http"
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

	"mcpentra/fakeentra/useragent"
)

// A terminal is one with the program in it, as a person has it.
type terminal struct {
	t       *testing.T
	person  *os.File // what the person types and reads
	screen  *os.File // the program's side
	before  *term.State
	program *exec.Cmd

	mu   sync.Mutex
	said bytes.Buffer
	more chan struct{}   // something was said
	done chan struct{}   // nothing more will be
	late <-chan struct{} // the test has waited for long enough
}

// inTerminal starts the program in a terminal of its own.
func inTerminal(t *testing.T, arguments ...string) *terminal {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	folder := t.TempDir()
	name := filepath.Join(folder, "mcp-entra-client") // which is how the test program knows what to be
	require.NoError(t, os.Symlink(self, name))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	program := exec.CommandContext(ctx, name, arguments...)
	program.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "BROWSER=false", "TERM=xterm"}
	program.Dir = folder
	one := &terminal{t: t, program: program, more: make(chan struct{}, 1), done: make(chan struct{}), late: ctx.Done()}
	one.person, one.screen, err = pty.Open()
	require.NoError(t, err)
	t.Cleanup(func() { _ = one.person.Close(); _ = one.screen.Close() })
	one.before, err = term.GetState(int(one.screen.Fd()))
	require.NoError(t, err)
	program.Stdin = one.screen
	program.Stdout = one.screen
	program.Stderr = one.screen
	program.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, program.Start())
	go one.listen()
	return one
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
			return // nobody has the terminal open any more
		}
	}
}

func (r *terminal) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said.String()
}

// await waits until the program has said something, and returns all that it has said.
func (r *terminal) await(what string) string {
	r.t.Helper()
	r.awaitCount(what, 1)
	return r.text()
}

// awaitCount waits until the program has said something so many times.
func (r *terminal) awaitCount(what string, times int) {
	r.t.Helper()
	for strings.Count(r.text(), what) < times {
		select {
		case <-r.more:
		case <-r.late:
			require.FailNow(r.t, "the program does not say "+what, r.text())
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

// status waits for the program's end, after which the terminal has to be as it was.
func (r *terminal) status() int {
	r.t.Helper()
	_ = r.program.Wait() // the status tells
	after, err := term.GetState(int(r.screen.Fd()))
	require.NoError(r.t, err)
	assert.Equal(r.t, r.before, after, "lines and echo are the terminal's own again")
	require.NoError(r.t, r.screen.Close())
	<-r.done
	return r.program.ProcessState.ExitCode()
}

// elsewhere is a browser on another machine: what it ends at is on loopback there, where nobody
// answers. It returns the address that stands in its address line then.
func elsewhere(t *testing.T, page string) string {
	t.Helper()
	ended := &addressLine{}
	_, err := (&useragent.Browser{Transport: ended}).Visit(t.Context(), page)
	require.Error(t, err)
	require.NotEmpty(t, ended.address)
	return ended.address
}

type addressLine struct{ address string }

func (a *addressLine) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Host == "localhost" && request.URL.Path == "/callback" {
		a.address = request.URL.String()
		return nil, http.ErrServerClosed
	}
	return http.DefaultTransport.RoundTrip(request)
}

// pageIn finds the address of the page in what the program has said.
func pageIn(t *testing.T, said string) string {
	t.Helper()
	for word := range strings.FieldsSeq(said) {
		if strings.HasPrefix(word, "http") && strings.Contains(word, "code_challenge=") {
			return word
		}
	}
	require.Fail(t, "no page", said)
	return ""
}

func TestPasteTakesAddressFromTerminal(t *testing.T) {
	t.Parallel()
	people, stop := forPeople(t)
	t.Cleanup(stop)
	for name, long := range map[string]int{"as it is": 0, "longer than a terminal's own lines": 6000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			terminal := inTerminal(t, "--paste", "--token-store", "memory", people, "list")
			address := elsewhere(t, pageIn(t, terminal.await("paste here> ")))
			if long > 0 {
				address += "&x_padding=" + strings.Repeat("x", long)
			}
			terminal.write(address + "\r")
			assert.Zero(t, terminal.status(), terminal.text())
			assert.Contains(t, terminal.text(), "get_user_name")
			assert.NotContains(t, terminal.text(), "code=", "the address with the code in it is not shown again")
		})
	}
}

func TestPasteAsksAgainAfterWrongAddress(t *testing.T) {
	t.Parallel()
	people, stop := forPeople(t)
	t.Cleanup(stop)
	terminal := inTerminal(t, "--paste", "--token-store", "memory", people, "list")
	page := pageIn(t, terminal.await("paste here> "))
	for says, typed := range map[string]string{
		"that is the page itself":                    page,
		"want the address that the browser ended at": "https://bank.example.com/",
		"belongs to another sign-in":                 "http://localhost/callback?code=c-1&state=s-1",
	} {
		asked := strings.Count(terminal.text(), "paste here> ")
		terminal.write(typed + "\r")
		terminal.await(says)
		terminal.awaitCount("paste here> ", asked+1)
	}
	terminal.write("\r")
	terminal.awaitCount("paste here> ", 5)
	terminal.write(elsewhere(t, page) + "\r")
	assert.Zero(t, terminal.status(), terminal.text())
	assert.Contains(t, terminal.text(), "get_user_name")
}

func TestPasteEndsOnCtrlCAndCtrlD(t *testing.T) {
	t.Parallel()
	people, stop := forPeople(t)
	t.Cleanup(stop)
	for name, typed := range map[string]string{"with Ctrl-C": "\x03", "with Ctrl-D": "\x04"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			terminal := inTerminal(t, "--paste", "--token-store", "memory", people, "list")
			terminal.await("paste here> ")
			terminal.write("http://localhost/callback?half" + strings.Repeat("\x7f", 30) + typed)
			assert.Equal(t, exitSignIn, terminal.status(), terminal.text())
		})
	}
}
