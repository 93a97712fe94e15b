package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
	"mcpentra/client/discovery"
)

func TestWithSchemeCompletesAddress(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"localhost":                  "http://localhost",
		"localhost:8000":             "http://localhost:8000",
		"localhost:8000/mcp?team=a":  "http://localhost:8000/mcp?team=a",
		"127.0.0.1:8000/mcp":         "http://127.0.0.1:8000/mcp",
		"[::1]:8000/mcp":             "http://[::1]:8000/mcp",
		"mcp.example.com/mcp":        "https://mcp.example.com/mcp",
		"mcp.example.com:8443":       "https://mcp.example.com:8443",
		"localhost.example.com":      "https://localhost.example.com",
		"https://mcp.example.com":    "https://mcp.example.com",
		"http://mcp.example.com/mcp": "http://mcp.example.com/mcp",
		"HTTP://LOCALHOST:8000/mcp":  "HTTP://LOCALHOST:8000/mcp",
		"//localhost:8000/mcp":       "http://localhost:8000/mcp",
		"8000":                       "http://localhost:8000",
		":8000/mcp":                  "http://localhost:8000/mcp",
		"0.0.0.0:8000/mcp":           "http://0.0.0.0:8000/mcp",
		"'http://localhost:8000'":    "http://localhost:8000",
		"<https://mcp.example.com>":  "https://mcp.example.com",
		"ws://localhost:8000":        "ws://localhost:8000",
		"http:/localhost:8000":       "http:/localhost:8000",
		"localhost:port/mcp":         "localhost:port/mcp",
	} {
		assert.True(t, isAddress(given), given)
		assert.Equal(t, want, withScheme(given), given)
	}
	for _, word := range []string{
		"", "list", "whoami", "sign-in", "--url", `{"a.b":1}`, "name=value", "a b.c", ".", "8", "/mcp",
	} {
		assert.False(t, isAddress(word), word)
		assert.Equal(t, word, withScheme(word), word)
	}
}

// TestExplainURLSuggestsAddress for addresses that no MCP server has.
func TestExplainURLSuggestsAddress(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"http//localhost:8000/mcp":        "http://localhost:8000/mcp",
		"http:/localhost:8000/mcp":        "http://localhost:8000/mcp",
		"http:localhost:8000/mcp":         "http://localhost:8000/mcp",
		"htp://localhost:8000/mcp":        "http://localhost:8000/mcp",
		"ws://mcp.example.com/mcp":        "https://mcp.example.com/mcp",
		"http://localhost:8000\\mcp":      "http://localhost:8000/mcp",
		"http:// localhost:8000/mcp":      "http://localhost:8000/mcp",
		"http://0.0.0.0:8000/mcp":         "http://localhost:8000/mcp",
		"http://[::]:8000/mcp":            "http://localhost:8000/mcp",
		"http://:8000/mcp":                "http://localhost:8000/mcp",
		"http://mcp.example.com/mcp":      "https://mcp.example.com/mcp",
		"https://me:pw@mcp.example.com/a": "https://mcp.example.com/a",
		"http://":                         "",
		"localhost:port/mcp":              "",
		"http://localhost:80000/mcp":      "",
		"file:///etc/passwd":              "",
	} {
		_, err := client.ReadServerURL(given)
		require.Error(t, err, given)
		assert.Equal(t, want, guess(given), given)
		text := explainURL(given, err).Error()
		assert.Equal(t, want != "", strings.HasSuffix(text, instead+want), text)
	}
	other := errors.New("no keychain")
	assert.Equal(t, other, explainURL("http://localhost:8000/mcp", other), "the address is fine")
}

// TestExplainSuggestsNameInMetadata: the server's metadata has another loopback name than the typed
// address.
func TestExplainSuggestsNameInMetadata(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ resource, want string }{
		"localhost":       {"http://localhost:8000/mcp", "http://localhost:8000/mcp"},
		"the same":        {"http://127.0.0.1:8000/mcp", ""},
		"another port":    {"http://localhost:1/mcp", ""},
		"another machine": {"https://mcp.example.com/mcp", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := "http://127.0.0.1:8000/mcp"
			failure := fmt.Errorf("found: %w", &discovery.OtherResourceError{Resource: c.resource})
			got := explain(t.Context(), client.Config{Server: server}, failure)
			if c.want == "" {
				assert.Equal(t, failure, got)
				return
			}
			assert.Equal(t, failure.Error()+instead+c.want, got.Error())
			require.ErrorIs(t, got, failure)
		})
	}
}

// TestExplainDescribesAnswer: the error says what came back, and what to do.
func TestExplainDescribesAnswer(t *testing.T) {
	t.Parallel()
	const nginx = "<center>The plain HTTP request was sent to HTTPS port</center>"
	for name, c := range map[string]struct {
		status       int
		answer, says string
	}{
		"other JSON":        {200, `{"hello":1}`, "got status 200 (OK): it is not an MCP endpoint"},
		"a page":            {200, "<p>Hello", "got status 200 (OK): it is not an MCP endpoint"},
		"an MCP server":     {200, `{"jsonrpc":"2.0","id":1,"result":{}}`, "it failed"},
		"a stream":          {200, "event: message\ndata: {\"jsonrpc\":\"2.0\"}\n\n", "it failed"},
		"a server's fault":  {500, "panic", "the server failed with status 500 (Internal Server Error)"},
		"nginx with TLS":    {400, nginx, "the server wants TLS" + instead + "https://"},
		"another challenge": {401, "", "it failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = fmt.Fprint(w, c.answer)
			}))
			t.Cleanup(s.Close)
			config := client.Config{Server: s.URL + "/mcp", Base: s.Client().Transport}
			assert.ErrorContains(t, explain(t.Context(), config, errors.New("it failed")), c.says)
		})
	}
}

// TestExplainSuggestsTLS when a TLS server ends a plain HTTP connection without an answer.
func TestExplainSuggestsTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	address := strings.Replace(s.URL, "https", "http", 1) + "/mcp"
	config := client.Config{Server: address, Base: http.DefaultTransport}
	got := explain(t.Context(), config, fmt.Errorf("read: %w", io.EOF))
	assert.ErrorContains(t, got, "the server wants TLS"+instead+s.URL+"/mcp")
}
