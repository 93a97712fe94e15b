package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
	"mcpentra/client/tokenstore"
)

func TestRedeemOutlivesCaller(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	asked, answer := slowToken(env, "authorization_code")
	_, through := env.client(nil)
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { first <- send(ctx, through, env.URL+"/mcp") }()
	<-asked
	cancel()
	require.ErrorIs(t, <-first, context.Canceled, "the caller does not have to wait")
	answer()
	code, _ := post(t, through, env.URL+"/mcp", "{}")
	assert.Equal(t, http.StatusOK, code)
	assert.Len(t, env.pages(), 1)
	assert.Equal(t, 1, env.count("POST /token"))
}

func TestRefreshOutlivesCaller(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	asked, answer := slowToken(env, "refresh_token")
	under, through := env.client(nil)
	post(t, through, env.URL+"/mcp", "{}")
	env.pass(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { first <- send(ctx, through, env.URL+"/mcp") }()
	<-asked
	cancel()
	require.ErrorIs(t, <-first, context.Canceled)
	over, end := context.WithTimeout(t.Context(), time.Millisecond)
	defer end()
	require.ErrorIs(t, under.Finish(over), context.DeadlineExceeded, "a token is on its way")
	answer()
	require.NoError(t, under.Finish(t.Context()))
	code, _ := post(t, through, env.URL+"/mcp", "{}")
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, 1, env.count("refresh_token"), "the answer was not lost")
	assert.Len(t, env.pages(), 1)
}

func TestSignInOutlivesTimeout(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	opened, answer := atPage(env)
	_, through := env.client(nil)
	deadline := make(chan struct{})
	go func() {
		<-opened
		close(deadline)
	}()
	ctx := timedOut{t.Context(), deadline}
	require.ErrorIs(t, send(ctx, through, env.URL+"/mcp"), context.DeadlineExceeded)
	again := make(chan error, 1)
	go func() { again <- send(t.Context(), through, env.URL+"/mcp") }()
	answer()
	require.NoError(t, <-again)
	assert.Len(t, env.pages(), 1, "the library's second try gets the answer to the first page")
}

// A timedOut is a context whose deadline passes when its channel is closed.
type timedOut struct {
	context.Context
	deadline <-chan struct{}
}

func (c timedOut) Done() <-chan struct{} { return c.deadline }

func (c timedOut) Err() error {
	select {
	case <-c.deadline:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func TestSignInOutlivesOneOfManyCallers(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	opened, answer := atPage(env)
	_, through := env.client(nil)
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { first <- send(ctx, through, env.URL+"/mcp") }()
	<-opened
	others := make(chan error, 3)
	for range cap(others) {
		go func() { others <- send(t.Context(), through, env.URL+"/mcp") }()
	}
	client.AwaitCallers(t, through.Transport.(*client.Transport), 1+cap(others))
	cancel()
	require.ErrorIs(t, <-first, context.Canceled)
	answer()
	for range cap(others) {
		require.NoError(t, <-others)
	}
	assert.Len(t, env.pages(), 1)
}

func TestLastCallerEndsSignIn(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	opened := make(chan struct{})
	_, through := env.client(func(config *client.Config) {
		config.Browser = func(context.Context, string) error {
			close(opened)
			return nil
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { first <- send(ctx, through, env.URL+"/mcp") }()
	<-opened
	cancel()
	err := <-first
	require.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, "interrupted while waiting for the browser")
}

// TestFailedTokenAnswerAsksOnce: the person approves, and the token endpoint fails.
func TestFailedTokenAnswerAsksOnce(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"too late": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that the client has gone
			<-r.Context().Done()
		},
		"never":    func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"an error": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			env.replace["/token"] = answer
			_, through := env.client(func(config *client.Config) {
				if name == "too late" {
					config.RequestTimeout = 5 * time.Second // the other requests need time on a busy machine
				}
			})
			assert.ErrorContains(t, refused(t, through, env.URL+"/mcp"), "brought no token")
			refused(t, through, env.URL+"/mcp")
			assert.Len(t, env.pages(), 1)
		})
	}
}

// TestFailedStepUpKeepsToken: the server demands more scopes for one body than for others.
func TestFailedStepUpKeepsToken(t *testing.T) {
	t.Parallel()
	for name, person := range map[string]func() (url.Values, error){
		"by the person":  func() (url.Values, error) { return url.Values{"error": {"access_denied"}}, nil },
		"by the browser": func() (url.Values, error) { return nil, errors.New("no display") },
		"at the token":   func() (url.Values, error) { return url.Values{"code": {"secret-wrong"}}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			env.mcp = func(w http.ResponseWriter, r *http.Request) {
				if r.ContentLength > 2 {
					w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="b"`)
					w.WriteHeader(http.StatusForbidden)
				}
			}
			env.person = func(page url.Values) (url.Values, error) {
				if strings.Contains(page.Get("scope"), "b") {
					return person()
				}
				return url.Values{"code": {"secret-code-1"}}, nil
			}
			forms := forms(env)
			under, through := env.client(nil)
			more := func() error {
				response, err := through.Post(env.URL+"/mcp", "application/json", strings.NewReader(`{"id":1}`))
				if err == nil {
					_ = response.Body.Close()
				}
				return err
			}
			fine := func() {
				code, _ := post(t, through, env.URL+"/mcp", "{}")
				assert.Equal(t, http.StatusOK, code, "the first token is still good")
			}
			fine()
			require.Error(t, more())
			require.ErrorContains(t, more(), "still demands more scopes")
			fine()
			env.pass(time.Hour)
			fine()
			require.Error(t, more())
			assert.Len(t, env.pages(), 2, "one sign-in, and one step-up")
			sent := forms()
			assert.Equal(t, "client-1", sent[len(sent)-1].Get("client_id"), "the registration is still known")
			under.Reset()
			require.Error(t, more())
			assert.Len(t, env.pages(), 3, "Reset allows another try")
		})
	}
}

// TestDeniedScopesAreRequestedOnce: the authorization server grants less than was requested. Later
// programs remember that.
func TestDeniedScopesAreRequestedOnce(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.mcp = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="b"`)
		w.WriteHeader(http.StatusForbidden)
	}
	var tokens tokenstore.Memory
	for range 3 {
		_, through := env.client(func(config *client.Config) { config.Tokens = &tokens })
		assert.ErrorContains(t, refused(t, through, env.URL+"/mcp"), "still demands more scopes: b")
	}
	assert.Len(t, env.pages(), 2)
}
