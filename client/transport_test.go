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

func TestRefusedRequestIsSentAgainWithAToken(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]io.Reader{
		"with a body that can be had again": strings.NewReader("hello"),
		"with a body that is read once":     io.MultiReader(strings.NewReader("hel"), strings.NewReader("lo")),
		"with a body that a pipe is filled by": func() io.Reader {
			r, w := io.Pipe()
			go func() { _, _ = io.WriteString(w, "hello"); w.Close() }()
			return r
		}(),
		"without a body": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			_, through := s.client(nil)
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/mcp", body)
			require.NoError(t, err)
			response, err := through.Do(request)
			require.NoError(t, err)
			code, text := status(t, response)
			assert.Equal(t, http.StatusOK, code)
			if body != nil {
				assert.Equal(t, "hello", text)
			}
			assert.Equal(t, 2, s.count("POST /mcp"))
			assert.Equal(t, 1, s.count("POST /mcp Bearer secret-access-1"))
			assert.Empty(t, request.Header.Get("Authorization"), "the caller's request is left alone")

			page := s.pages()[0]
			assert.Equal(t, s.URL+"/mcp", page.Get("resource"))
			assert.Equal(t, "a", page.Get("scope"))
			code, _ = post(t, through, s.URL+"/mcp", "more")
			assert.Equal(t, http.StatusOK, code)
			assert.Equal(t, 3, s.count("POST /mcp"), "the token is used from the start")
			assert.Len(t, s.pages(), 1)
		})
	}
}

func TestBodyThatIsTooLongToBeKept(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, through := s.client(nil)
	_, err := through.Post(s.URL+"/mcp", "text/plain", io.LimitReader(zeros{}, 17<<20))
	require.ErrorContains(t, err, "cannot be sent again after a sign-in")
	assert.Zero(t, s.count("POST"))
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestTokenThatIsRefusedAtOnceDoesNotLoop(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.refuses = true
	under, through := s.client(nil)
	assert.ErrorContains(t, refused(t, through, s.URL+"/mcp"), "refuses the token that was just issued")
	assert.Len(t, s.pages(), 1, "nobody is asked twice for nothing")
	sent := s.count("")
	refused(t, through, s.URL+"/mcp")
	assert.Len(t, s.pages(), 1)
	assert.Equal(t, sent, s.count(""), "a library that asks again gets the same answer")

	s.refuses = false
	under.Reset()
	code, _ := post(t, through, s.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	assert.Len(t, s.pages(), 2)
}

func TestTokenThatWasTakenBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, through := s.client(nil)
	post(t, through, s.URL+"/mcp", "")
	s.end()
	code, _ := post(t, through, s.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, 1, s.count("refresh_token"))
	assert.Len(t, s.pages(), 1, "the refresh token did it")

	s.end()
	s.refuses = true
	s.person = func(url.Values) (url.Values, error) {
		s.refuses = false
		return url.Values{"code": {"secret-code-2"}}, nil
	}
	code, _ = post(t, through, s.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	assert.Len(t, s.pages(), 2, "a refreshed token is no better, a person is")
}

func TestTokenIsReplacedBeforeItExpires(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, through := s.client(nil)
	post(t, through, s.URL+"/mcp", "")
	s.pass(9 * time.Minute)
	post(t, through, s.URL+"/mcp", "")
	assert.Zero(t, s.count("refresh_token"), "a minute is enough")
	s.pass(31 * time.Second)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			code, _ := post(t, through, s.URL+"/mcp", "")
			assert.Equal(t, http.StatusOK, code)
		})
	}
	group.Wait()
	assert.Equal(t, 1, s.count("refresh_token"), "of twenty requests one refreshes")
	assert.Equal(t, 20, s.count("POST /mcp Bearer secret-access-2"))
	assert.Len(t, s.pages(), 1)
}

func TestRefreshThatFails(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); _, _ = io.WriteString(w, body) }
	}
	for name, c := range map[string]struct {
		answer   http.HandlerFunc
		pass     time.Duration
		signIns  int
		clients  int
		fails    string
		requests string
	}{
		"broken, and the token is still good": {answer(503, ""), 9*time.Minute + 45*time.Second, 1, 1, "", "POST /mcp Bearer secret-access-1"},
		"broken, and the token has expired":   {answer(503, ""), 11 * time.Minute, 1, 1, "status 503", ""},
		"the grant has ended":                 {answer(400, `{"error":"invalid_grant"}`), 11 * time.Minute, 2, 1, "", "POST /mcp Bearer secret-access-2"},
		"the client is forgotten":             {answer(401, `{"error":"invalid_client"}`), 11 * time.Minute, 2, 2, "", "POST /mcp Bearer secret-access-2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			_, through := s.client(nil)
			post(t, through, s.URL+"/mcp", "")
			s.replace["/token"] = func(w http.ResponseWriter, r *http.Request) {
				if r.FormValue("grant_type") == "refresh_token" {
					c.answer(w, r)
					return
				}
				s.token(w, r)
			}
			s.pass(c.pass)
			response, err := through.Get(s.URL + "/mcp")
			if c.fails != "" {
				require.ErrorContains(t, err, c.fails)
				assert.NotContains(t, err.Error(), "secret-")
				var signIn *client.SignInError
				assert.NotErrorAs(t, err, &signIn, "a server that cannot be asked has not said no")
			} else {
				require.NoError(t, err)
				code, _ := status(t, response)
				assert.Equal(t, http.StatusOK, code)
				assert.NotZero(t, s.count(strings.Replace(c.requests, "POST", "GET", 1)))
			}
			assert.Len(t, s.pages(), c.signIns)
			assert.Equal(t, c.clients, s.count("POST /register"))
		})
	}
}

func TestManyRequestsAtOnceSignInOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, through := s.client(nil)
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			code, text := post(t, through, s.URL+"/mcp", fmt.Sprint(i))
			assert.Equal(t, http.StatusOK, code)
			assert.Equal(t, fmt.Sprint(i), text)
		})
	}
	group.Wait()
	assert.Len(t, s.pages(), 1)
	assert.Equal(t, 1, s.count("POST /register"))
}

func TestManyRequestsAtOnceAreRefusedOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.person = func(url.Values) (url.Values, error) { return url.Values{"error": {"access_denied"}}, nil }
	_, through := s.client(nil)
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			_, err := through.Get(s.URL + "/mcp")
			assert.ErrorContains(t, err, "access_denied")
		})
	}
	group.Wait()
	assert.Len(t, s.pages(), 1, "whoever has said no is not asked again")
	refused(t, through, s.URL+"/mcp")
	assert.Len(t, s.pages(), 1)
}

func TestWaitingForSomebodyElseCanBeGivenUp(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	opened := make(chan struct{})
	answered := make(chan struct{})
	s.person = func(url.Values) (url.Values, error) {
		close(opened)
		<-answered
		return url.Values{"code": {"secret-code-1"}}, nil
	}
	_, through := s.client(nil)
	var group sync.WaitGroup
	group.Go(func() {
		code, _ := post(t, through, s.URL+"/mcp", "")
		assert.Equal(t, http.StatusOK, code)
	})
	<-opened
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	request, err := http.NewRequestWithContext(impatient, http.MethodGet, s.URL+"/mcp", nil)
	require.NoError(t, err)
	_, err = through.Do(request)
	require.ErrorIs(t, err, context.Canceled)
	close(answered)
	group.Wait()
	assert.Len(t, s.pages(), 1)
}

func TestSignInsThatDoNotHappen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		person func(url.Values) (url.Values, error)
		says   string
	}{
		"the person declines":        {func(url.Values) (url.Values, error) { return url.Values{"error": {"access_denied"}}, nil }, "access_denied"},
		"the browser does not start": {func(url.Values) (url.Values, error) { return nil, errors.New("no display") }, "no display"},
		"nobody answers in time":     {func(url.Values) (url.Values, error) { return nil, nil }, "no answer came from the browser in time"},
		"the code is not taken":      {func(url.Values) (url.Values, error) { return url.Values{"code": {"secret-wrong"}}, nil }, "token refused: invalid_grant"},
		"there is no code":           {func(url.Values) (url.Values, error) { return url.Values{}, nil }, "neither a code nor an error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.person = c.person
			_, through := s.client(func(config *client.Config) {
				if strings.Contains(c.says, "in time") {
					config.SignInTimeout = time.Millisecond
				}
			})
			assert.ErrorContains(t, refused(t, through, s.URL+"/mcp"), c.says)
			refused(t, through, s.URL+"/mcp")
			assert.Len(t, s.pages(), 1)
		})
	}
}

func TestSignOutRevokesAndForgets(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	under, through := s.client(nil)
	was, err := under.SignOut(t.Context())
	require.NoError(t, err)
	assert.False(t, was, "nobody is signed in")
	post(t, through, s.URL+"/mcp", "")
	was, err = under.SignOut(t.Context())
	require.NoError(t, err)
	assert.True(t, was)
	assert.Equal(t, 1, s.count("revoked secret-refresh-1"))
	assert.ErrorIs(t, refused(t, through, s.URL+"/mcp"), client.ErrSignedOut, "nobody has asked to sign in again")
	under.Reset()
	post(t, through, s.URL+"/mcp", "")
	assert.Equal(t, 1, s.count("POST /mcp Bearer secret-access-1"), "it is not used again")
	assert.Len(t, s.pages(), 2)
	assert.Equal(t, 1, s.count("POST /register"), "the registration is still good")

	s.replace["/revoke"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }
	_, err = under.SignOut(t.Context())
	require.ErrorContains(t, err, "status 503")
	under.Reset()
	post(t, through, s.URL+"/mcp", "")
	assert.Len(t, s.pages(), 3, "forgotten all the same")
}

func TestClientThatIsKnownBeforehand(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, through := s.client(func(config *client.Config) {
		config.ClientID = "known"
		config.ClientSecret = "secret-of-client"
	})
	s.replace["/token"] = func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		assert.Equal(t, "known secret-of-client", id+" "+secret)
		_ = r.ParseForm()
		r.Form.Set("client_id", id)
		s.token(w, r)
	}
	post(t, through, s.URL+"/mcp", "")
	assert.Zero(t, s.count("POST /register"))
	assert.Equal(t, "known", s.pages()[0].Get("client_id"))
}

func TestServerOfTheFirstRevision(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.challenge = `Bearer`
	for _, path := range []string{"/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource", "/.well-known/oauth-authorization-server"} {
		s.replace[path] = http.NotFound
	}
	_, through := s.client(nil)
	code, _ := post(t, through, s.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	assert.False(t, s.pages()[0].Has("resource"))
	assert.NotEmpty(t, s.pages()[0].Get("code_challenge"), "PKCE in any case")
}

func TestRegistrationAndTokenStayWithTheirIssuer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	other := newSite(t)
	var tokens tokenstore.Memory
	_, through := s.client(func(config *client.Config) { config.Tokens = &tokens })
	post(t, through, s.URL+"/mcp", "")

	// The server now names another authorization server. What belongs to the first one is not for
	// the second.
	s.end()
	s.replace["/.well-known/oauth-protected-resource/mcp"] = func(w http.ResponseWriter, _ *http.Request) {
		s.json(w, 200, `{"resource":"ORIGIN/mcp","authorization_servers":["`+other.URL+`"]}`)
	}
	s.replace["/token"] = func(w http.ResponseWriter, _ *http.Request) { s.json(w, 400, `{"error":"invalid_grant"}`) }
	other.replace["/token"] = func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "authorization_code", r.FormValue("grant_type"))
		s.mu.Lock()
		s.good["secret-of-other"] = true
		s.mu.Unlock()
		s.json(w, 200, `{"access_token":"secret-of-other","token_type":"Bearer"}`)
	}
	_, through = s.client(func(config *client.Config) {
		config.Tokens = &tokens
		config.Browser = func(ctx context.Context, address string) error { return other.browser(ctx, address) }
	})
	code, _ := post(t, through, s.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, 1, other.count("POST /register"), "a registration of its own")
	assert.Zero(t, other.count("refresh_token"))

	_, ofOther := other.client(func(config *client.Config) { config.Tokens = &tokens })
	other.person = func(url.Values) (url.Values, error) { return url.Values{"error": {"access_denied"}}, nil }
	refused(t, ofOther, other.URL+"/mcp")
	assert.Zero(t, other.count("GET /mcp Bearer"), "and a token is for one server")
}
