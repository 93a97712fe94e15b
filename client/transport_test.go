package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
	"mcpentra/client/tokenstore"
)

func TestRoundTripRepeatsRefusedRequest(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]io.Reader{
		"with a body that can be rewound": strings.NewReader("hello"),
		"with a body that is read once":   io.MultiReader(strings.NewReader("hel"), strings.NewReader("lo")),
		"with a body from a pipe": func() io.Reader {
			r, w := io.Pipe()
			go func() {
				_, _ = io.WriteString(w, "hello")
				_ = w.Close()
			}()
			return r
		}(),
		"without a body": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			_, through := env.client(nil)
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, env.URL+"/mcp", body)
			require.NoError(t, err)
			response, err := through.Do(request)
			require.NoError(t, err)
			code, text := status(t, response)
			assert.Equal(t, http.StatusOK, code)
			if body != nil {
				assert.Equal(t, "hello", text)
			}
			assert.Equal(t, 2, env.count("POST /mcp"))
			assert.Equal(t, 1, env.count("POST /mcp Bearer secret-access-1"))
			assert.Empty(t, request.Header.Get("Authorization"), "the caller's request is unchanged")

			page := env.pages()[0]
			assert.Equal(t, env.URL+"/mcp", page.Get("resource"))
			assert.Equal(t, "a", page.Get("scope"))
			code, _ = post(t, through, env.URL+"/mcp", "more")
			assert.Equal(t, http.StatusOK, code)
			assert.Equal(t, 3, env.count("POST /mcp"), "the token is used from the start")
			assert.Len(t, env.pages(), 1)
		})
	}
}

func TestRoundTripBoundsBody(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	_, through := env.client(nil)
	_, err := through.Post(env.URL+"/mcp", "text/plain", io.LimitReader(zeros{}, 17<<20))
	require.ErrorContains(t, err, "cannot be sent again after a sign-in")
	assert.Zero(t, env.count("POST"))
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestRefusedNewTokenEndsSignIn(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.refuses = true
	under, through := env.client(nil)
	assert.ErrorContains(t, refused(t, through, env.URL+"/mcp"), "refuses the token that was just issued")
	assert.Len(t, env.pages(), 1, "the person is asked once")
	sent := env.count("")
	refused(t, through, env.URL+"/mcp")
	assert.Len(t, env.pages(), 1)
	assert.Equal(t, sent, env.count(""), "a library that asks again gets the same answer")

	env.refuses = false
	under.Reset()
	code, _ := post(t, through, env.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	assert.Len(t, env.pages(), 2)
}

func TestRevokedTokenIsRenewed(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	_, through := env.client(nil)
	post(t, through, env.URL+"/mcp", "")
	env.end()
	code, _ := post(t, through, env.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, 1, env.count("refresh_token"))
	assert.Len(t, env.pages(), 1, "the refresh token was enough")

	env.end()
	env.refuses = true
	env.person = func(url.Values) (url.Values, error) {
		env.refuses = false
		return url.Values{"code": {"secret-code-2"}}, nil
	}
	code, _ = post(t, through, env.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	assert.Len(t, env.pages(), 2, "the server refuses the refreshed token, so the person signs in")
}

func TestTokenIsRefreshedBeforeExpiry(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	_, through := env.client(nil)
	post(t, through, env.URL+"/mcp", "")
	env.pass(9 * time.Minute)
	post(t, through, env.URL+"/mcp", "")
	assert.Zero(t, env.count("refresh_token"), "a minute is enough")
	env.pass(31 * time.Second)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			code, _ := post(t, through, env.URL+"/mcp", "")
			assert.Equal(t, http.StatusOK, code)
		})
	}
	group.Wait()
	assert.Equal(t, 1, env.count("refresh_token"), "one of twenty requests refreshes")
	assert.Equal(t, 20, env.count("POST /mcp Bearer secret-access-2"))
	assert.Len(t, env.pages(), 1)
}

func TestFailedRefresh(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	const expiring = 9*time.Minute + 45*time.Second
	const expired = 11 * time.Minute
	for _, c := range []struct {
		name    string
		answer  http.HandlerFunc
		pass    time.Duration
		signIns int
		clients int
		fails   string
		token   string
	}{
		{"an error, and the token is valid", answer(503, ""), expiring, 1, 1, "", "secret-access-1"},
		{"an error, and the token has expired", answer(503, ""), expired, 1, 1, "status 503", ""},
		{"invalid_grant", answer(400, `{"error":"invalid_grant"}`), expired, 2, 1, "", "secret-access-2"},
		{"invalid_client", answer(401, `{"error":"invalid_client"}`), expired, 2, 2, "", "secret-access-2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			_, through := env.client(func(config *client.Config) { config.RedirectURI = keptRedirectURI(t) })
			post(t, through, env.URL+"/mcp", "")
			env.replace["/token"] = func(w http.ResponseWriter, r *http.Request) {
				if r.FormValue("grant_type") == "refresh_token" {
					c.answer(w, r)
					return
				}
				env.token(w, r)
			}
			env.pass(c.pass)
			response, err := through.Get(env.URL + "/mcp")
			if c.fails != "" {
				require.ErrorContains(t, err, c.fails)
				assert.NotContains(t, err.Error(), "secret-")
				var signIn *client.SignInError
				assert.NotErrorAs(t, err, &signIn, "a server that fails has not refused")
			} else {
				require.NoError(t, err)
				code, _ := status(t, response)
				assert.Equal(t, http.StatusOK, code)
				assert.NotZero(t, env.count("GET /mcp Bearer "+c.token))
			}
			assert.Len(t, env.pages(), c.signIns)
			assert.Equal(t, c.clients, env.count("POST /register"))
		})
	}
}

func TestConcurrentRequestsShareSignIn(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	_, through := env.client(nil)
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			code, text := post(t, through, env.URL+"/mcp", fmt.Sprint(i))
			assert.Equal(t, http.StatusOK, code)
			assert.Equal(t, fmt.Sprint(i), text)
		})
	}
	group.Wait()
	assert.Len(t, env.pages(), 1)
	assert.Equal(t, 1, env.count("POST /register"))
}

func TestConcurrentRequestsShareRefusal(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.person = func(url.Values) (url.Values, error) { return url.Values{"error": {"access_denied"}}, nil }
	_, through := env.client(nil)
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			_, err := through.Get(env.URL + "/mcp")
			assert.ErrorContains(t, err, "access_denied")
		})
	}
	group.Wait()
	assert.Len(t, env.pages(), 1, "the person who refused is not asked again")
	refused(t, through, env.URL+"/mcp")
	assert.Len(t, env.pages(), 1)
}

func TestCallerLeavesOthersSignIn(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	opened := make(chan struct{})
	answered := make(chan struct{})
	env.person = func(url.Values) (url.Values, error) {
		close(opened)
		<-answered
		return url.Values{"code": {"secret-code-1"}}, nil
	}
	_, through := env.client(nil)
	var group sync.WaitGroup
	group.Go(func() {
		code, _ := post(t, through, env.URL+"/mcp", "")
		assert.Equal(t, http.StatusOK, code)
	})
	<-opened
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	request, err := http.NewRequestWithContext(impatient, http.MethodGet, env.URL+"/mcp", nil)
	require.NoError(t, err)
	_, err = through.Do(request)
	require.ErrorIs(t, err, context.Canceled)
	close(answered)
	group.Wait()
	assert.Len(t, env.pages(), 1)
}

func TestFailedSignInAsksOnce(t *testing.T) {
	t.Parallel()
	answers := func(answer url.Values, err error) func(url.Values) (url.Values, error) {
		return func(url.Values) (url.Values, error) { return answer, err }
	}
	for _, c := range []struct {
		name   string
		person func(url.Values) (url.Values, error)
		says   string
	}{
		{"the person declines", answers(url.Values{"error": {"access_denied"}}, nil), "access_denied"},
		{"the browser does not start", answers(nil, errors.New("no display")), "no display"},
		{"the person does not answer", answers(nil, nil), "no answer came from the browser in time"},
		{"the code is refused", answers(url.Values{"code": {"secret-wrong"}}, nil), "token refused: invalid_grant"},
		{"the answer has no code", answers(url.Values{}, nil), "neither a code nor an error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			env.person = c.person
			_, through := env.client(func(config *client.Config) {
				if strings.Contains(c.says, "in time") {
					config.SignInTimeout = time.Millisecond
				}
			})
			assert.ErrorContains(t, refused(t, through, env.URL+"/mcp"), c.says)
			refused(t, through, env.URL+"/mcp")
			assert.Len(t, env.pages(), 1)
		})
	}
}

func TestSignOutRevokesAndForgets(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	under, through := env.client(func(config *client.Config) { config.RedirectURI = keptRedirectURI(t) })
	signedIn, err := under.SignOut(t.Context())
	require.NoError(t, err)
	assert.False(t, signedIn)
	post(t, through, env.URL+"/mcp", "")
	signedIn, err = under.SignOut(t.Context())
	require.NoError(t, err)
	assert.True(t, signedIn)
	assert.Equal(t, 1, env.count("revoked secret-refresh-1"))
	assert.ErrorIs(t, refused(t, through, env.URL+"/mcp"), client.ErrSignedOut, "Reset was not called")
	under.Reset()
	post(t, through, env.URL+"/mcp", "")
	assert.Equal(t, 1, env.count("POST /mcp Bearer secret-access-1"), "the token is not used again")
	assert.Len(t, env.pages(), 2)
	assert.Equal(t, 1, env.count("POST /register"), "the registration is still good")

	env.replace["/revoke"] = func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, err = under.SignOut(t.Context())
	require.ErrorContains(t, err, "status 503")
	under.Reset()
	post(t, through, env.URL+"/mcp", "")
	assert.Len(t, env.pages(), 3, "the tokens are forgotten anyway")
}

func TestPreregisteredClientAuthenticates(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	_, through := env.client(func(config *client.Config) {
		config.ClientID = "known"
		config.ClientSecret = "secret-of-client"
	})
	env.replace["/token"] = func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		assert.Equal(t, "known secret-of-client", id+" "+secret)
		_ = r.ParseForm()
		r.Form.Set("client_id", id)
		env.token(w, r)
	}
	post(t, through, env.URL+"/mcp", "")
	assert.Zero(t, env.count("POST /register"))
	assert.Equal(t, "known", env.pages()[0].Get("client_id"))
}

func TestServerWithoutMetadata(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.challenge = `Bearer`
	env.replace["/.well-known/oauth-protected-resource/mcp"] = http.NotFound
	env.replace["/.well-known/oauth-protected-resource"] = http.NotFound
	env.replace["/.well-known/oauth-authorization-server"] = http.NotFound
	_, through := env.client(nil)
	code, _ := post(t, through, env.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	assert.False(t, env.pages()[0].Has("resource"))
	assert.NotEmpty(t, env.pages()[0].Get("code_challenge"), "PKCE is always sent")
}

func TestCredentialsStayWithTheirIssuer(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	other := newEnv(t)
	var tokens tokenstore.Memory
	_, through := env.client(func(config *client.Config) { config.Tokens = &tokens })
	post(t, through, env.URL+"/mcp", "")

	// The server now names another authorization server. It must not see credentials of the first.
	env.end()
	env.replace["/.well-known/oauth-protected-resource/mcp"] = func(w http.ResponseWriter, _ *http.Request) {
		env.json(w, 200, `{"resource":"ORIGIN/mcp","authorization_servers":["`+other.URL+`"]}`)
	}
	env.replace["/token"] = func(w http.ResponseWriter, _ *http.Request) {
		env.json(w, 400, `{"error":"invalid_grant"}`)
	}
	other.replace["/token"] = func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "authorization_code", r.FormValue("grant_type"))
		env.mu.Lock()
		env.good["secret-of-other"] = true
		env.mu.Unlock()
		env.json(w, 200, `{"access_token":"secret-of-other","token_type":"Bearer"}`)
	}
	_, through = env.client(func(config *client.Config) {
		config.Tokens = &tokens
		config.Browser = func(ctx context.Context, address string) error { return other.browser(ctx, address) }
	})
	code, _ := post(t, through, env.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, 1, other.count("POST /register"), "a registration of its own")
	assert.Zero(t, other.count("refresh_token"))

	_, ofOther := other.client(func(config *client.Config) { config.Tokens = &tokens })
	other.person = func(url.Values) (url.Values, error) { return url.Values{"error": {"access_denied"}}, nil }
	refused(t, ofOther, other.URL+"/mcp")
	assert.Zero(t, other.count("GET /mcp Bearer"), "and a token is for one server")
}
