package exchange_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/internal/exchange"
)

func ExampleSecrets_Shown() {
	var secrets exchange.Secrets
	secrets.Add("secret-token")
	fmt.Println(secrets.Shown("Bearer secret-token\x1b[2J\xff"))
	// Output: Bearer …\x1b[2J\ufffd
}

func TestShownIsBounded(t *testing.T) {
	t.Parallel()
	var secrets exchange.Secrets
	secrets.Add("short")
	assert.Equal(t, strings.Repeat("é", 150)+"…", secrets.Shown(strings.Repeat("é", 1000)))
	assert.Equal(t, "short", secrets.Shown("short"), "masking it would hide half a report")
}

func TestMaskReplacesLongestFirst(t *testing.T) {
	t.Parallel()
	var secrets exchange.Secrets
	secrets.Add("secret-token", "secret-token.signature")
	assert.Equal(t, "… …", secrets.Mask("secret-token.signature secret-token"))
}

func TestRecordHidesCredentials(t *testing.T) {
	t.Parallel()
	var secrets exchange.Secrets
	secrets.Add("secret-token")
	request := httptest.NewRequest(http.MethodGet, "http://localhost/mcp", nil)
	request.Header = http.Header{"Authorization": {"Basic x"}, "X-Copy": {"secret-token"}}
	answer := http.Header{"Set-Cookie": {"a=b"}, "X-Long": {}}
	for range 1000 {
		answer.Add("X-Long", strings.Repeat("x", 100))
	}
	text := secrets.Record("http://localhost/mcp", request, &http.Response{Status: "200 OK", Header: answer})
	begin, rest, found := strings.Cut(text, "  X-Long")
	require.True(t, found)
	want := "GET http://localhost/mcp\n  Authorization: …\n  X-Copy: …\n→ 200 OK\n  Set-Cookie: …\n"
	assert.Equal(t, want, begin)
	assert.Less(t, len(rest), 2*exchange.MaxRecord)
	assert.True(t, strings.HasSuffix(rest, "  …\n"))
}

func TestClientKeepsNothing(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.RedirectHandler("/elsewhere", http.StatusFound))
	t.Cleanup(server.Close)
	client := exchange.NewClient(&http.Client{Transport: server.Client().Transport, Jar: noJar{}})
	response, err := client.Get(server.URL)
	require.NoError(t, err)
	defer response.Body.Close()
	assert.Equal(t, http.StatusFound, response.StatusCode)
	assert.Nil(t, client.Jar)
	assert.NotNil(t, exchange.NewClient(nil).Transport)
}

type noJar struct{}

func (noJar) SetCookies(*url.URL, []*http.Cookie) {}

func (noJar) Cookies(*url.URL) []*http.Cookie { return nil }
