package useragent_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"mcpentra/fakeentra/useragent"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site serves pages by path, each an HTML page.
func site(t *testing.T, pages map[string]string) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, found := pages[r.URL.Path]
		if !found {
			w.WriteHeader(http.StatusNotFound)
		}
		w.Header().Set("Content-Type", "text/html")
		_ = r.ParseForm()
		fmt.Fprintf(w, "<title>%s %s</title>%s<p>%s", r.Method, r.URL.Path, text, r.Form.Encode())
	}))
	t.Cleanup(server.Close)
	return server
}

func TestWaysOnFromAPage(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		start string
		title string
		text  string
	}{
		{"a meta refresh", `<meta http-equiv="Refresh" content="0; URL='/end'">`, "GET /end", ""},
		{
			"a form that a script sends",
			`<form method=POST action=/end><input type=hidden name=code value="a&amp;b"></form>` +
				`<script>document.forms[0].submit()</script>`,
			"POST /end",
			"code=a%26b",
		},
		{
			"a form's first button",
			`<form method=post action=/end><button name=answer value=yes>Approve</button>` +
				`<button name=answer value=deny>Deny</button></form>`,
			"POST /end",
			"answer=yes",
		},
		{"a form sent by GET", `<form action=/end><input name=a value=b><input type=submit></form>`, "GET /end", "a=b"},
		{"no way on", `<p>Done.`, "GET /start", "Done."},
		{
			"a button outside its form",
			`<button form=b name=x value=y>Go</button><form id=a></form><form id=b action=/end></form>`,
			"GET /end",
			"x=y",
		},
		{"a link is not followed by itself", `<a href=/end>on</a>`, "GET /start", "on"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := site(t, map[string]string{"/start": test.start, "/end": ""})
			page, err := (&useragent.Browser{}).Visit(t.Context(), server.URL+"/start")
			require.NoError(t, err)
			assert.Equal(t, test.title, page.Title)
			assert.Contains(t, page.Text, test.text)
		})
	}
}

// TestOneConnection checks that a visit keeps its connection, and ends it.
func TestOneConnection(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{}, 10)
	opened := 0
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/start":
			http.Redirect(w, r, "/form", http.StatusFound)
		case "/form":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<form method=post action=/end><button>Approve</button></form>")
		}
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			opened++
		case http.StateClosed:
			ended <- struct{}{}
		}
	}
	server.Start()
	defer server.Close()
	page, err := (&useragent.Browser{}).Visit(t.Context(), server.URL+"/start")
	require.NoError(t, err)
	assert.Equal(t, "/end", page.URL.Path)
	<-ended
	assert.Equal(t, 1, opened)
}

func TestDeny(t *testing.T) {
	t.Parallel()
	const consent = `<form method=post action=/end><button name=answer value=yes>Approve</button>` +
		`<button name=answer value=deny>Deny</button></form>`
	const signIn = `<form method=post action=/no><button name=account value=a@b.example>A</button></form>` +
		`<form method=post action=/end><input name=account><button>Next</button>` +
		`<button name=answer value=cancel>Cancel</button></form>`
	const told = `<meta http-equiv=refresh content="0; url=/end?error=access_denied">`
	const abort = `<form method=post action=/end id=f></form><button form=f name=abort value=yes>No</button>`
	const outside = `<form method=post action=/yes><button>Go on</button></form><a href=/end?answer=link>[ Cancel ]</a>`
	const onward = `<form method=post action=/end><button name=go value=on>Go</button></form>`
	for _, test := range []struct {
		name  string
		start string
		want  string
	}{
		{"a consent page", consent, "answer=deny"},
		{"a sign-in page", signIn, "answer=cancel"},
		{"a button outside its form", abort, "abort=yes"},
		{"a link", outside, "answer=link"},
		{"a client that gets a refusal", told, "error=access_denied"},
		{"a page with a button that goes", onward, "go=on"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := site(t, map[string]string{"/start": test.start, "/end": ""})
			page, err := (&useragent.Browser{Deny: true}).Visit(t.Context(), server.URL+"/start")
			require.NoError(t, err)
			assert.Contains(t, page.Text, test.want)
		})
	}
}

// With Deny, no client gets a code from a page that asks for nothing.
func TestDenyWhereNothingCanBeDeclined(t *testing.T) {
	t.Parallel()
	const formPost = `<form method=post action=/end><input type=hidden name=code value=c></form>`
	const account = `<form action=/end><input name=code value=c><button name=account value=a>A</button></form>`
	for _, test := range []struct {
		name  string
		start string
	}{
		{"a code in the query", `<meta http-equiv=refresh content="0; url=/end?code=c">`},
		{"a token in a fragment", `<meta http-equiv=refresh content="0; url=/end#id_token=t">`},
		{"a code in a form", formPost + `<script>x.submit()</script>`},
		{"a code after a sign-in", account},
	} {
		reached := false
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, test.start)
			reached = reached || r.URL.Path == "/end"
		}))
		defer server.Close()
		_, err := (&useragent.Browser{Deny: true}).Visit(t.Context(), server.URL+"/start")
		require.ErrorIs(t, err, useragent.ErrNothingToDecline, test.name)
		assert.False(t, reached, test.name)
	}
}

func TestErrorPagesOfEntra(t *testing.T) {
	t.Parallel()
	const id = `<meta name="PageID" content="ConvergedError"/>`
	for _, test := range []struct {
		name    string
		page    string
		number  int
		message string
	}{
		{"an error page", id + `<h1>Sorry</h1><p>AADSTS50011: The URI`, 50011, "AADSTS50011: The URI"},
		{"without a number", id + `<h1>Sorry`, 0, "Sorry"},
		{"with a form on it", id + `AADSTS90: No<form><button>Again</button></form>`, 90, "AADSTS90: No Again"},
		{"with a huge number", id + `AADSTS99999999999`, 0, "AADSTS99999999999"},
		{"a refused sign-in", `<p role=alert>AADSTS5: No</p><form><button>Go</button></form>`, 5, "AADSTS5: No"},
		{"with a refresh also", id + `<meta http-equiv=refresh content="0; url=/end">AADSTS1: No`, 1, "AADSTS1: No"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := site(t, map[string]string{"/start": test.page, "/end": ""})
			_, err := (&useragent.Browser{}).Visit(t.Context(), server.URL+"/start")
			var refused *useragent.PageError
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, test.number, refused.Number)
			assert.Equal(t, test.message, strings.TrimSpace(refused.Message))
			assert.Equal(t, http.StatusOK, refused.Page.Status)
			assert.Contains(t, err.Error(), test.message)
		})
	}
	for _, test := range []struct {
		name string
		text string
	}{
		{"a page about errors", `<p>What does AADSTS50011 mean?`},
		{"another alert", `<p role=alert>Your session ends soon`},
		{"another page of Entra", `<meta name="PageID" content="ConvergedSignIn"/>AADSTS50011`},
	} {
		server := site(t, map[string]string{"/start": test.text})
		_, err := (&useragent.Browser{}).Visit(t.Context(), server.URL+"/start")
		assert.NoError(t, err, test.name)
	}
}

func TestVisitsThatDoNotEnd(t *testing.T) {
	t.Parallel()
	endless := httptest.NewServer(
		http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"x", http.StatusFound) },
		),
	)
	defer endless.Close()
	_, err := (&useragent.Browser{}).Visit(t.Context(), endless.URL+"/")
	require.ErrorIs(t, err, useragent.ErrTooManySteps)

	huge := site(t, map[string]string{"/": strings.Repeat("x", 2<<20)})
	_, err = (&useragent.Browser{}).Visit(t.Context(), huge.URL+"/")
	require.ErrorContains(t, err, "want at most 1048576 bytes")

	deep := site(t, map[string]string{"/": strings.Repeat("<div>", 150_000)})
	_, err = (&useragent.Browser{}).Visit(t.Context(), deep.URL+"/")
	require.NoError(t, err, "depth costs nothing")
}

func TestLoopbackOnly(t *testing.T) {
	t.Parallel()
	away := httptest.NewServer(http.RedirectHandler("http://login.example.com/?code=secret", http.StatusFound))
	defer away.Close()
	for _, address := range []string{"http://192.0.2.1/", away.URL, "file:///etc/passwd", "http://"} {
		_, err := (&useragent.Browser{}).Visit(t.Context(), address)
		require.Error(t, err, address)
		assert.NotContains(t, err.Error(), "secret")
	}
}

func TestCookiesAndHeadersOfANavigation(t *testing.T) {
	t.Parallel()
	var seen []http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header)
		if r.URL.Path == "/" {
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "s", Path: "/"})
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, `<form method=post action=/next><button>Go</button></form>`)
		}
	}))
	defer server.Close()
	_, err := (&useragent.Browser{}).Visit(t.Context(), server.URL)
	require.NoError(t, err)
	require.Len(t, seen, 2)
	assert.Equal(t, "none", seen[0].Get("Sec-Fetch-Site"))
	assert.Equal(t, "same-origin", seen[1].Get("Sec-Fetch-Site"))
	assert.Equal(t, server.URL, seen[1].Get("Origin"))
	assert.Equal(t, "session=s", seen[1].Get("Cookie"))
}

func TestFieldsAreTyped(t *testing.T) {
	t.Parallel()
	server := site(t, map[string]string{
		"/start": `<form method=post action=/end><input name=username><input type=hidden name=token value=kept>` +
			`<input type=password name=secret><button>Sign in</button></form>`,
		"/end": "<p>Done.",
	})
	browser := &useragent.Browser{Fields: map[string]string{"username": "ada", "secret": "s3", "token": "typed"}}
	page, err := browser.Visit(t.Context(), server.URL+"/start")
	require.NoError(t, err)
	assert.Contains(t, page.Text, "secret=s3&token=kept&username=ada")
}

func TestSecureCookiesOfLoopback(t *testing.T) {
	t.Parallel()
	got := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Cookie")
		http.SetCookie(w, &http.Cookie{Name: "__Host-a", Value: "b", Path: "/", Secure: true})
	}))
	defer server.Close()
	browser := &useragent.Browser{}
	for range 2 {
		_, err := browser.Visit(t.Context(), server.URL)
		require.NoError(t, err)
	}
	assert.Equal(t, "__Host-a=b", got)
}
