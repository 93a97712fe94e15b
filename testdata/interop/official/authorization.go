package official

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"mcpentra/fakeentra/useragent"

	"github.com/stretchr/testify/require"
)

// authorizationPage matches the authorization request that the suite prints for a person.
var authorizationPage = regexp.MustCompile(`https?://\S+[?&]response_type=code\S*`)

// Authorization runs the suite's mode authorization, with a port for its callback. The first person
// of the sign-in pages signs in at the page that the suite prints.
func Authorization(t testing.TB, port string, arguments ...string) *Run {
	t.Helper()
	Need(t)
	results := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), suiteTimeout)
	defer cancel()
	command := Command(ctx, results, append([]string{"authorization", "--port", port}, arguments...)...)
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
				err := signIn(ctx, page)
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

// signIn opens a page in a browser. It returns an error if the page does not lead to the suite.
func signIn(ctx context.Context, page string) error {
	ended, err := (&useragent.Browser{}).Visit(ctx, page)
	if err != nil {
		return err
	}
	if !strings.Contains(ended.Text, "You can close this page") {
		return fmt.Errorf("want the suite's callback, the browser ends at %s: %s", ended.URL, ended.Text)
	}
	return nil
}
