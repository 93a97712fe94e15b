package client_test

import (
	"context"
	"errors"
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

// slowToken has the token endpoint wait before it answers. A request for a token is told of in
// asked.
func slowToken(s *site, grant string) (asked chan struct{}, answer func()) {
	asked = make(chan struct{}, 10)
	answered := make(chan struct{})
	s.replace["/token"] = func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("grant_type") == grant {
			asked <- struct{}{}
			<-answered
		}
		s.token(w, r)
	}
	answer = sync.OnceFunc(func() { close(answered) })
	s.t.Cleanup(answer)
	return asked, answer
}

// send sends a request whose caller gives up when the context ends.
func send(ctx context.Context, through *http.Client, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader("{}"))
	if err != nil {
		return err
	}
	response, err := through.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func TestACallerGivesUpWhileTheCodeIsRedeemed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	asked, answer := slowToken(s, "authorization_code")
	_, through := s.client(nil)
	ctx, cancel := context.WithCancel(t.Context())
	given := make(chan error, 1)
	go func() { given <- send(ctx, through, s.URL+"/mcp") }()
	<-asked
	cancel()
	require.ErrorIs(t, <-given, context.Canceled, "the caller does not have to wait")
	answer()
	code, _ := post(t, through, s.URL+"/mcp", "{}")
	assert.Equal(t, http.StatusOK, code)
	assert.Len(t, s.pages(), 1)
	assert.Equal(t, 1, s.count("POST /token"))
}

func TestACallerGivesUpWhileATokenIsRefreshed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	asked, answer := slowToken(s, "refresh_token")
	under, through := s.client(nil)
	post(t, through, s.URL+"/mcp", "{}")
	s.pass(time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	given := make(chan error, 1)
	go func() { given <- send(ctx, through, s.URL+"/mcp") }()
	<-asked
	cancel()
	require.ErrorIs(t, <-given, context.Canceled)
	over, end := context.WithTimeout(t.Context(), time.Millisecond)
	defer end()
	require.ErrorIs(t, under.Finish(over), context.DeadlineExceeded, "a token is on its way")
	answer()
	require.NoError(t, under.Finish(t.Context()))
	code, _ := post(t, through, s.URL+"/mcp", "{}")
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, 1, s.count("refresh_token"), "the answer was not lost")
	assert.Len(t, s.pages(), 1)
}

// atPage has the person take their time at the page. A page that is opened is told of in opened.
func atPage(s *site) (opened chan struct{}, answer func()) {
	opened = make(chan struct{}, 10)
	answered := make(chan struct{})
	s.person = func(url.Values) (url.Values, error) {
		opened <- struct{}{}
		<-answered
		return url.Values{"code": {"secret-code-1"}}, nil
	}
	answer = sync.OnceFunc(func() { close(answered) })
	s.t.Cleanup(answer)
	return opened, answer
}

func TestARequestRunsOutOfTimeAtThePage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	opened, answer := atPage(s)
	_, through := s.client(nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, send(ctx, through, s.URL+"/mcp"), context.DeadlineExceeded)
	<-opened
	again := make(chan error, 1)
	go func() { again <- send(t.Context(), through, s.URL+"/mcp") }()
	answer()
	require.NoError(t, <-again)
	assert.Len(t, s.pages(), 1, "the library's second try gets the answer to the first page")
}

func TestOneOfManyCallersGivesUpAtThePage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	opened, answer := atPage(s)
	_, through := s.client(nil)
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { first <- send(ctx, through, s.URL+"/mcp") }()
	<-opened
	others := make(chan error, 3)
	for range cap(others) {
		go func() { others <- send(t.Context(), through, s.URL+"/mcp") }()
	}
	client.AwaitCallers(t, through.Transport.(*client.Transport), 1+cap(others))
	cancel()
	require.ErrorIs(t, <-first, context.Canceled)
	answer()
	for range cap(others) {
		require.NoError(t, <-others)
	}
	assert.Len(t, s.pages(), 1)
}

func TestTheLastCallerEndsTheSignIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	opened := make(chan struct{})
	_, through := s.client(func(config *client.Config) {
		config.Browser = func(context.Context, string) error { close(opened); return nil }
	})
	ctx, cancel := context.WithCancel(t.Context())
	given := make(chan error, 1)
	go func() { given <- send(ctx, through, s.URL+"/mcp") }()
	<-opened
	cancel()
	err := <-given
	require.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, "interrupted while waiting for the browser")
}

// TestATokenAnswerThatDoesNotCome has the person approve, and the token endpoint fail in some way.
func TestATokenAnswerThatDoesNotCome(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"in time": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that nobody waits
			<-r.Context().Done()
		},
		"at all":     func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"as it must": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.replace["/token"] = answer
			_, through := s.client(func(config *client.Config) { config.RequestTimeout = time.Second })
			assert.ErrorContains(t, refused(t, through, s.URL+"/mcp"), "brought no token")
			refused(t, through, s.URL+"/mcp")
			assert.Len(t, s.pages(), 1)
		})
	}
}

// TestAStepUpIsRefused has the server want more for one body than for others.
func TestAStepUpIsRefused(t *testing.T) {
	t.Parallel()
	for name, person := range map[string]func() (url.Values, error){
		"by the person":  func() (url.Values, error) { return url.Values{"error": {"access_denied"}}, nil },
		"by the browser": func() (url.Values, error) { return nil, errors.New("no display") },
		"at the token":   func() (url.Values, error) { return url.Values{"code": {"secret-wrong"}}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.mcp = func(w http.ResponseWriter, r *http.Request) {
				if r.ContentLength > 2 {
					w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="b"`)
					w.WriteHeader(http.StatusForbidden)
				}
			}
			s.person = func(page url.Values) (url.Values, error) {
				if strings.Contains(page.Get("scope"), "b") {
					return person()
				}
				return url.Values{"code": {"secret-code-1"}}, nil
			}
			forms := forms(s)
			under, through := s.client(nil)
			more := func() error {
				response, err := through.Post(s.URL+"/mcp", "application/json", strings.NewReader(`{"id":1}`))
				if err == nil {
					_ = response.Body.Close()
				}
				return err
			}
			fine := func() {
				code, _ := post(t, through, s.URL+"/mcp", "{}")
				assert.Equal(t, http.StatusOK, code, "what was granted is still good")
			}
			fine()
			require.Error(t, more())
			require.ErrorContains(t, more(), "still demands more scopes")
			fine()
			s.pass(time.Hour)
			fine()
			require.Error(t, more())
			assert.Len(t, s.pages(), 2, "one to sign in, and one for more")
			sent := forms()
			assert.Equal(t, "client-1", sent[len(sent)-1].Get("client_id"), "the registration is still known")
			under.Reset()
			require.Error(t, more())
			assert.Len(t, s.pages(), 3, "somebody said to try again")
		})
	}
}

// TestScopesThatAreNotGrantedAreNotAskedForAgain has an authorization server grant less, and
// programs that come later.
func TestScopesThatAreNotGrantedAreNotAskedForAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.mcp = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="b"`)
		w.WriteHeader(http.StatusForbidden)
	}
	var tokens tokenstore.Memory
	for range 3 {
		_, through := s.client(func(config *client.Config) { config.Tokens = &tokens })
		assert.ErrorContains(t, refused(t, through, s.URL+"/mcp"), "still demands more scopes: b")
	}
	assert.Len(t, s.pages(), 2)
}
