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

func TestTokensOutliveTransport(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	folder := t.TempDir()
	start := func(account string) (*client.Transport, *http.Client) {
		return env.client(func(config *client.Config) {
			config.Tokens = openTokens(t, folder)
			config.Account = account
		})
	}
	for range 3 {
		_, through := start("")
		code, _ := post(t, through, env.URL+"/mcp", "")
		assert.Equal(t, http.StatusOK, code)
	}
	assert.Len(t, env.pages(), 1)
	assert.Equal(t, 3, env.count("POST /mcp Bearer secret-access-1"))

	_, through := start("work")
	post(t, through, env.URL+"/mcp", "")
	assert.Len(t, env.pages(), 2, "another account needs another sign-in")

	under, _ := start("")
	signedIn, err := under.SignOut(t.Context())
	require.NoError(t, err)
	assert.True(t, signedIn)
	_, through = start("work")
	post(t, through, env.URL+"/mcp", "")
	assert.Len(t, env.pages(), 2, "signing out of one keeps the other")
	_, through = start("")
	post(t, through, env.URL+"/mcp", "")
	assert.Len(t, env.pages(), 3)
}

func TestTransportsShareOneSignIn(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	folder := t.TempDir()
	var group sync.WaitGroup
	for range 4 {
		_, through := env.client(func(config *client.Config) { config.Tokens = openTokens(t, folder) })
		group.Go(func() {
			code, _ := post(t, through, env.URL+"/mcp", "")
			assert.Equal(t, http.StatusOK, code)
		})
	}
	group.Wait()
	assert.Len(t, env.pages(), 1, "four transports are like four processes")
	assert.Equal(t, 1, env.count("POST /register"))
}

// A rotating issuer accepts each refresh token once. A reused one ends the grant, because a thief
// may have sent it.
type rotating struct {
	*httptest.Server
	mu        sync.Mutex
	latest    int // number of the latest refresh token
	signIns   int
	reused    int
	refreshes int
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
		fmt.Fprintf(w, `{"issuer":"%[1]s","authorization_endpoint":"%[1]s/authorize","token_endpoint":"%[1]s/token",
			"registration_endpoint":"%[1]s/register","code_challenge_methods_supported":["S256"]}`, i.URL)
	case "/register":
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"client_id":"client-1"}`)
	case "/authorize":
		i.signIns++
		http.Redirect(w, r, r.FormValue("redirect_uri")+"?code=c&state="+r.FormValue("state"), http.StatusFound)
	case "/token":
		if r.FormValue("grant_type") == "refresh_token" {
			i.refreshes++
			if r.FormValue("refresh_token") != "r-"+strconv.Itoa(i.latest) {
				i.reused++
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprint(w, `{"error":"invalid_grant"}`)
				return
			}
		}
		i.latest++
		// The token expires at once, so that every request has to refresh it.
		fmt.Fprintf(w, `{"access_token":"a-%[1]d","token_type":"Bearer","expires_in":1,"refresh_token":"r-%[1]d"}`,
			i.latest)
	default:
		if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer a-") {
			w.Header().Set("WWW-Authenticate", `Bearer scope="a"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}
}

// visit is the browser of a person who approves.
func visit(ctx context.Context, page string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil // the program has ended after the answer
	}
	return response.Body.Close()
}

// refreshFromProcesses starts processes that use one grant at once, each for some requests. It
// returns the issuer.
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

// requests is the main function of one of these processes.
func requests() error {
	tokens, err := tokenstore.OpenFile(os.Getenv("CLIENT_TEST_TOKENS"), nil)
	if err != nil {
		return err
	}
	under, err := client.New(client.Config{
		Server: os.Getenv("CLIENT_TEST_SERVER"),
		Tokens: tokens,
		Browser: func(context.Context, string) error {
			return errors.New("a process must not sign in again")
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

func TestProcessesShareOneGrant(t *testing.T) {
	t.Parallel()
	issuer := refreshFromProcesses(t, 2, 100)
	assert.Equal(t, 1, issuer.signIns, "there is no second sign-in")
	assert.Zero(t, issuer.reused, "no refresh token is used twice")
	assert.GreaterOrEqual(t, issuer.refreshes, 200)
}
