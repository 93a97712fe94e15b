package official

import (
	"bufio"
	"context"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mcpentra/conformance/loopback"
)

// Port returns a free port of 127.0.0.1. The suite's mode authorization needs one for its callback.
func Port(t testing.TB) string {
	t.Helper()
	port, err := loopback.FreePort()
	require.NoError(t, err)
	return port
}

// authorizationPage matches the authorization request that the suite prints for a person.
var authorizationPage = regexp.MustCompile(`https?://\S+[?&]response_type=code\S*`)

// Authorization runs the suite's mode authorization. person opens the page that the suite prints.
// It returns an error if the page does not lead to the suite's callback.
func Authorization(t testing.TB, person func(ctx context.Context, page string) error, arguments ...string) *Run {
	t.Helper()
	Need(t)
	results := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), suiteTimeout)
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
	visited <- nil // for a run without a page
	page := ""
	for lines := bufio.NewScanner(read); lines.Scan(); {
		output.WriteString(lines.Text() + "\n")
		if found := authorizationPage.FindString(lines.Text()); found != "" {
			page = found
		}
		// The suite starts its callback after it has printed the page.
		if page != "" && strings.HasPrefix(lines.Text(), "Callback server started") {
			<-visited
			go func() {
				err := person(ctx, page)
				if err != nil {
					cancel() // otherwise the suite waits for five minutes
				}
				visited <- err
			}()
		}
	}
	<-ended
	require.NoError(t, <-visited, "%s", output.String())
	require.NoError(t, ctx.Err(), "the suite did not end in time\n%s", output.String())
	return Read(t, "authorization", results, command.ProcessState.ExitCode(), output.String())
}
