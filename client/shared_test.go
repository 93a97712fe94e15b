package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
	"mcpentra/client/tokenstore"
)

func openTokens(tb testing.TB, folder string) *tokenstore.File {
	tokens, err := tokenstore.OpenFile(folder, nil)
	require.NoError(tb, err)
	return tokens
}

func TestPersonStaysSignedIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	folder := t.TempDir()
	start := func(account string) (*client.Transport, *http.Client) {
		return s.client(func(config *client.Config) {
			config.Tokens = openTokens(t, folder)
			config.Account = account
		})
	}
	for range 3 {
		_, through := start("")
		code, _ := post(t, through, s.URL+"/mcp", "")
		assert.Equal(t, http.StatusOK, code)
	}
	assert.Len(t, s.pages(), 1)
	assert.Equal(t, 3, s.count("POST /mcp Bearer secret-access-1"))

	_, through := start("work")
	post(t, through, s.URL+"/mcp", "")
	assert.Len(t, s.pages(), 2, "another account is another sign-in")

	under, _ := start("")
	was, err := under.SignOut(t.Context())
	require.NoError(t, err)
	assert.True(t, was)
	_, through = start("work")
	post(t, through, s.URL+"/mcp", "")
	assert.Len(t, s.pages(), 2, "and stays when the first one ends")
	_, through = start("")
	post(t, through, s.URL+"/mcp", "")
	assert.Len(t, s.pages(), 3)
}

func TestTwoThatStartAtOnceSignInOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	folder := t.TempDir()
	var group sync.WaitGroup
	for range 4 {
		_, through := s.client(func(config *client.Config) { config.Tokens = openTokens(t, folder) })
		group.Go(func() {
			code, _ := post(t, through, s.URL+"/mcp", "")
			assert.Equal(t, http.StatusOK, code)
		})
	}
	group.Wait()
	assert.Len(t, s.pages(), 1, "as if they were as many processes")
	assert.Equal(t, 1, s.count("POST /register"))
}

// A rotating issuer takes each refresh token once. If one comes again, the grant ends, as it does
// where somebody has stolen it.
type rotating struct {
	*httptest.Server
	mu       sync.Mutex
	latest   int
	signIns  int
	reused   int
	refreshs int
}

func newRotating() *rotating {
	r := &rotating{}
	r.Server = httptest.NewServer(r)
	return r
}

func (i *rotating) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/.well-known/oauth-protected-resource/mcp":
		fmt.Fprintf(w, `{"resource":"%[1]s/mcp","authorization_servers":["%[1]s"]}`, i.URL)
	case "/.well-known/oauth-authorization-server":
		fmt.Fprintf(
			w,
			`{"issuer":"%[1]s","authorization_endpoint":"%[1]s/authorize","token_endpoint":"%[1]s/token","registration_endpoint":"%[1]s/register",
			"code_challenge_methods_supported":["S256"]}`,
			i.URL,
		)
	case "/register":
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"client_id":"client-1"}`)
	case "/authorize":
		i.signIns++
		http.Redirect(w, r, r.FormValue("redirect_uri")+"?code=c&state="+r.FormValue("state"), http.StatusFound)
	case "/token":
		if r.FormValue("grant_type") == "refresh_token" {
			i.refreshs++
			if r.FormValue("refresh_token") != "r-"+strconv.Itoa(i.latest) {
				i.reused++
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprint(w, `{"error":"invalid_grant"}`)
				return
			}
		}
		i.latest++
		// It expires at once, so that every request has to refresh.
		fmt.Fprintf(
			w,
			`{"access_token":"a-%[1]d","token_type":"Bearer","expires_in":1,"refresh_token":"r-%[1]d"}`,
			i.latest,
		)
	default:
		if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer a-") {
			w.Header().Set("WWW-Authenticate", `Bearer scope="a"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}
}

// visit is a browser of a person who says yes.
func visit(ctx context.Context, page string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil // the answer was taken, and the program that waited has ended
	}
	return response.Body.Close()
}

// refreshFromProcesses has processes use one grant at once, each for so many requests, and returns
// the issuer that they asked.
func refreshFromProcesses(tb testing.TB, processes, requests int) *rotating {
	tb.Helper()
	issuer := newRotating()
	tb.Cleanup(issuer.Close)
	folder := tb.TempDir()
	under, err := client.New(client.Config{Server: issuer.URL + "/mcp", Tokens: openTokens(tb, folder), Browser: visit})
	require.NoError(tb, err)
	require.NoError(tb, ask(tb.Context(), under, issuer.URL+"/mcp"))
	var group sync.WaitGroup
	for range processes {
		process := exec.CommandContext(tb.Context(), os.Args[0])
		process.Env = append(
			os.Environ(),
			"CLIENT_TEST_SERVER="+issuer.URL+"/mcp",
			"CLIENT_TEST_TOKENS="+folder,
			"CLIENT_TEST_REQUESTS="+strconv.Itoa(requests),
		)
		group.Go(func() {
			out, err := process.CombinedOutput()
			assert.NoError(tb, err, "%s", out)
		})
	}
	group.Wait()
	return issuer
}

// requests is one of those processes.
func requests() error {
	tokens, err := tokenstore.OpenFile(os.Getenv("CLIENT_TEST_TOKENS"), nil)
	if err != nil {
		return err
	}
	under, err := client.New(client.Config{
		Server: os.Getenv("CLIENT_TEST_SERVER"),
		Tokens: tokens,
		Browser: func(context.Context, string) error {
			return errors.New("nobody is to sign in again")
		},
	})
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(os.Getenv("CLIENT_TEST_REQUESTS"))
	if err != nil {
		return err
	}
	for range count {
		if err := ask(context.Background(), under, os.Getenv("CLIENT_TEST_SERVER")); err != nil {
			return err
		}
	}
	return nil
}

func ask(ctx context.Context, under *client.Transport, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader("{}"))
	if err != nil {
		return err
	}
	response, err := (&http.Client{Transport: under}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return err
}

func TestTwoProcessesRefreshOneGrant(t *testing.T) {
	t.Parallel()
	issuer := refreshFromProcesses(t, 2, 100)
	assert.Equal(t, 1, issuer.signIns, "nobody signs in a second time")
	assert.Zero(t, issuer.reused, "no refresh token is used twice")
	assert.GreaterOrEqual(t, issuer.refreshs, 200)
}
