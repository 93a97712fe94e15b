package official

import (
	"bufio"
	"context"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Port is a free port of 127.0.0.1, for the callback of the suite's mode authorization, which wants
// to be told one.
func Port(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}

// authorizationPage is an authorization request, which the suite prints for a person to open.
var authorizationPage = regexp.MustCompile(`https?://\S+[?&]response_type=code\S*`)

// Authorization runs the suite's mode authorization. The person opens the page that the suite
// prints, and gets to its callback or says what else was there.
func Authorization(t testing.TB, person func(ctx context.Context, page string) error, arguments ...string) *Run {
	t.Helper()
	Need(t)
	results := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := Command(ctx, results, append([]string{"authorization"}, arguments...)...)
	read, write := io.Pipe()
	command.Stdout = write
	command.Stderr = write
	require.NoError(t, command.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = command.Wait()
		_ = write.Close()
	}()
	var output strings.Builder
	visited := make(chan error, 1)
	visited <- nil // without a page there is nothing to visit
	page := ""
	for lines := bufio.NewScanner(read); lines.Scan(); {
		output.WriteString(lines.Text() + "\n")
		if found := authorizationPage.FindString(lines.Text()); found != "" {
			page = found
		}
		// The callback is listened for only after the page was printed.
		if page != "" && strings.HasPrefix(lines.Text(), "Callback server started") {
			<-visited
			go func() {
				err := person(ctx, page)
				if err != nil {
					cancel() // the suite would wait for five minutes
				}
				visited <- err
			}()
		}
	}
	<-ended
	require.NoError(t, <-visited, "%s", output.String())
	require.NoError(t, ctx.Err(), "the suite did not come to an end\n%s", output.String())
	return Read(t, "authorization", results, command.ProcessState.ExitCode(), output.String())
}
