package portal_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/portal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A browser is a browser on the machine of a fake.
type browser struct {
	*fakeentra.Server
	http *http.Client
}

func newBrowser(t *testing.T, config fakeentra.Config) browser {
	t.Helper()
	config.Portal = portal.Handler
	server := fakeentra.NewServer(config)
	t.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return browser{server, &http.Client{Transport: transport, Jar: jar}}
}

// get opens a page that has to be fine.
func (b browser) get(t *testing.T, path string) string {
	t.Helper()
	status, text := b.send(t, http.MethodGet, path, nil)
	require.Equal(t, http.StatusOK, status, text)
	return text
}

// post sends a form of the page, like a browser.
func (b browser) post(t *testing.T, path string, form url.Values) string {
	t.Helper()
	status, text := b.send(t, http.MethodPost, path, form, "Sec-Fetch-Site", "same-origin")
	require.Equal(t, http.StatusOK, status, text)
	return text
}

// send sends a request with more header fields, and returns the status and the body.
func (b browser) send(t *testing.T, method, path string, form url.Values, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, b.URL+path, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := b.http.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	if strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html") {
		assert.Contains(t, answer.Header.Get("Content-Security-Policy"), "default-src 'none'")
	}
	return answer.StatusCode, string(text)
}
