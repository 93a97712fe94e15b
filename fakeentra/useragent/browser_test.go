package useragent_test

import (
	"fmt"
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
	for name, one := range map[string]struct{ start, title, text string }{
		"a meta refresh":                   {`<meta http-equiv="Refresh" content="0; URL='/end'">`, "GET /end", ""},
		"a form that a script sends":       {`<form method=POST action=/end><input type=hidden name=code value="a&amp;b"></form><script>document.forms[0].submit()</script>`, "POST /end", "code=a%26b"},
		"a form's first button":            {`<form method=post action=/end><button name=answer value=yes>Approve</button><button name=answer value=deny>Deny</button></form>`, "POST /end", "answer=yes"},
		"a form sent by GET":               {`<form action=/end><input name=a value=b><input type=submit></form>`, "GET /end", "a=b"},
		"no way on":                        {`<p>Done.`, "GET /start", "Done."},
		"a link is not followed by itself": {`<a href=/end>on</a>`, "GET /start", "on"},
	} {
		server := site(t, map[string]string{"/start": one.start, "/end": ""})
		page, err := (&useragent.Browser{}).Visit(t.Context(), server.URL+"/start")
		require.NoError(t, err, name)
		assert.Equal(t, one.title, page.Title, name)
		assert.Contains(t, page.Text, one.text, name)
	}
}

func TestDeny(t *testing.T) {
	t.Parallel()
	server := site(t, map[string]string{
		"/start": `<form method=post action=/end><button name=answer value=yes>Approve</button><button name=answer value=deny>Deny</button></form>`, "/end": "",
	})
	page, err := (&useragent.Browser{Deny: true}).Visit(t.Context(), server.URL+"/start")
	require.NoError(t, err)
	assert.Contains(t, page.Text, "answer=deny")
}

func TestVisitsThatDoNotEnd(t *testing.T) {
	t.Parallel()
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"x", http.StatusFound) }))
	defer endless.Close()
	_, err := (&useragent.Browser{}).Visit(t.Context(), endless.URL+"/")
	require.ErrorIs(t, err, useragent.ErrTooManySteps)

	huge := site(t, map[string]string{"/": strings.Repeat("x", 2<<20)})
	_, err = (&useragent.Browser{}).Visit(t.Context(), huge.URL+"/")
	require.ErrorContains(t, err, "more than 1048576 bytes")

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
