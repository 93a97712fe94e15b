package upstream_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/loopback/loopbacktest"
	"mcpentra/server/guard"
	"mcpentra/server/upstream"
)

func TestUpstreamGetsListedParts(t *testing.T) {
	t.Parallel()
	seen := make(chan *http.Request, 1)
	bodies := make(chan string, 1)
	e := newEnv(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- string(body)
		seen <- r.Clone(context.Background())
	}), nil)
	r := e.request(
		t.Context(),
		http.MethodPost,
		"{ \"jsonrpc\" : \"2.0\",\n\"id\":1, \"method\":\"p\\u0069ng\"}",
		"Accept", "application/json, text/event-stream",
		"Mcp-Protocol-Version", "2025-11-25",
		"Mcp-Param-Region", "eu",
		"Traceparent", "00-1-2-03",
		"Origin", "https://mcp.example",
		"Cookie", "__Host-session=cookie-canary",
		"X-Forwarded-For", "192.0.2.1",
		"X-Forwarded-User", "admin",
		"X-Ms-Client-Principal", "e30=",
		upstream.CallerHeader, "forged",
		"Connection", "upgrade",
		"Upgrade", "websocket",
	)
	r.URL.Path = "/mcp/../admin"
	r.URL.RawQuery = "x=1&access_token=token-canary"
	resp, err := e.client.Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)

	assert.Equal(t, ping, <-bodies, "the guard's encoding")
	got := <-seen
	assert.Equal(t, "/inner?kind=a", got.URL.String(), "the path and query are the configured ones")
	assert.Equal(t, strings.TrimPrefix(e.behind, "http://"), got.Host)
	for name, want := range map[string]string{
		"Accept":               "application/json, text/event-stream",
		"Mcp-Protocol-Version": "2025-11-25",
		"Mcp-Param-Region":     "eu",
		"Traceparent":          "00-1-2-03",
		"X-Forwarded-Host":     "mcp.example",
		"X-Forwarded-Proto":    "https",
		"X-Forwarded-For":      "127.0.0.1",
	} {
		assert.Equal(t, []string{want}, got.Header[name], name)
	}
	for _, name := range []string{
		"Authorization",
		"Cookie",
		"Origin",
		"X-Forwarded-User",
		"X-Ms-Client-Principal",
		"Upgrade",
	} {
		assert.Empty(t, got.Header[name], name)
	}
	got.Body = nil
	got.ContentLength = 0
	var all bytes.Buffer
	require.NoError(t, got.Write(&all))
	assert.NotContains(t, all.String(), "canary", "the caller's credentials")
	require.Len(t, got.Header[upstream.CallerHeader], 1)
}

func TestSignatureNamesCaller(t *testing.T) {
	t.Parallel()
	named := make(chan string, 2)
	e := newEnv(
		t,
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { named <- r.Header.Get(upstream.CallerHeader) }),
		nil,
	)
	e.send(http.MethodPost, ping)
	e.send(http.MethodPost, ping)
	w := httptest.NewRecorder()
	e.proxy.Keys().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/caller/jwks", nil))
	var keys jose.JSONWebKeySet
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &keys))
	require.Len(t, keys.Keys, 1)
	require.True(t, keys.Keys[0].IsPublic())

	first := <-named
	second := <-named
	parsed, err := jwt.ParseSigned(first, []jose.SignatureAlgorithm{jose.ES256})
	require.NoError(t, err)
	assert.Equal(t, keys.Keys[0].KeyID, parsed.Headers[0].KeyID)
	assert.EqualValues(t, upstream.CallerType, parsed.Headers[0].ExtraHeaders[jose.HeaderType])
	claims := map[string]any{}
	require.NoError(t, parsed.Claims(keys.Keys[0].Key, &claims))
	assert.InDelta(t, time.Now().Unix()+60, claims["exp"], 5)
	assert.NotEqual(t, first, second, "each JWT has its own ID")
	for _, name := range []string{"exp", "iat", "jti"} {
		assert.NotEmpty(t, claims[name])
		delete(claims, name)
	}
	assert.Equal(t, map[string]any{
		"iss":                "https://mcp.example",
		"aud":                e.behind + "/inner",
		"sub":                "o.t",
		"kind":               "user",
		"entra_iss":          adele.Issuer,
		"tid":                "t",
		"oid":                "o",
		"azp":                "desk",
		"scp":                "tool.read tool.write",
		"roles":              []any{"Admin"},
		"name":               "Adele Vance",
		"preferred_username": "adele@example.com",
	}, claims)
}

// TestGroupsFitIntoHeader names a caller in more groups than a header can hold, and one whose
// groups Entra left out.
func TestGroupsFitIntoHeader(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		groups     int
		incomplete bool
		want       int
		hasGroups  any
	}{
		{"some", 64, false, 64, nil},
		{"too many", 65, false, 0, true},
		{"left out by Entra", 0, true, 0, true},
		{"no groups", 0, false, 0, nil},
		{"some left out by Entra", 3, true, 3, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			caller := adele
			caller.GroupsIncomplete = test.incomplete
			for i := range test.groups {
				caller.Groups = append(caller.Groups, fmt.Sprintf("5a1e0006-0000-4000-8000-%012d", i))
			}
			named := make(chan string, 1)
			e := newEnv(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				named <- r.Header.Get(upstream.CallerHeader)
			}), nil)
			r := httptest.NewRequest(http.MethodPost, resource, strings.NewReader(ping))
			e.proxy.ServeHTTP(httptest.NewRecorder(), r.WithContext(guard.NewContext(r.Context(), &caller)))
			raw := <-named
			assert.Less(t, len(raw), 6<<10)
			parsed, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256})
			require.NoError(t, err)
			var claims map[string]any
			require.NoError(t, parsed.UnsafeClaimsWithoutVerification(&claims))
			groups, _ := claims["groups"].([]any)
			assert.Len(t, groups, test.want)
			assert.Equal(t, test.hasGroups, claims["hasgroups"])
		})
	}
}

func TestAnswersPassByteForByte(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, _ = writer.Write([]byte(`{"jsonrpc":"2.0","id":1,"result":{}}`))
	require.NoError(t, writer.Close())
	for _, test := range []struct{ name, body string }{
		{"json", "{\"jsonrpc\" : \"2.0\",\r\n \"id\":1,\"result\":{\"a\":1,\"a\":2}}"},
		{"events", ": hello\r\nid: 1\r\ndata: {\"x\": 1}\r\n\r\n"},
		{"gzip", packed.String()},
		{"empty", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "x/y")
				w.Header().Set("Mcp-Own", "kept")
				if test.name == "gzip" {
					w.Header().Set("Content-Encoding", "gzip")
				}
				w.WriteHeader(http.StatusNotFound)
				_, _ = io.WriteString(w, test.body)
			}), nil)
			resp, got := e.send(http.MethodPost, ping, "Accept-Encoding", "gzip")
			assert.Equal(t, http.StatusNotFound, resp.StatusCode)
			assert.Equal(t, test.body, got)
			assert.Equal(t, "kept", resp.Header.Get("Mcp-Own"))
			assert.Equal(t, "x/y", resp.Header.Get("Content-Type"))
			assert.Equal(t, []string{"no-store"}, resp.Header["Cache-Control"])
		})
	}
}

func TestEventsArriveAsTheyAreSent(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			next := make(chan string)
			e := newEnv(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				for event := range next {
					_, _ = io.WriteString(w, event)
					w.(http.Flusher).Flush()
				}
			}), nil)
			sent := make(chan *http.Response, 1)
			go func() {
				resp, err := e.client.Do(e.request(t.Context(), method, ping))
				assert.NoError(t, err)
				sent <- resp
			}()
			next <- "data: 1\n"
			resp := <-sent
			defer resp.Body.Close()
			lines := bufio.NewReader(resp.Body)
			for _, event := range []string{"data: 1\n", "data: 2\n", "data: 3\n"} {
				line, err := lines.ReadString('\n') // the next event is not sent before this one has arrived
				require.NoError(t, err)
				require.Equal(t, event, line)
				if event != "data: 3\n" {
					next <- strings.Replace(event, string(event[6]), string(event[6]+1), 1)
				}
			}
			close(next)
			_, err := lines.ReadString('\n')
			require.ErrorIs(t, err, io.EOF)
		})
	}
}

func TestLeavingCallerEndsUpstreamRequest(t *testing.T) {
	t.Parallel()
	began := make(chan struct{})
	ended := make(chan error, 1)
	e := newEnv(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		close(began)
		<-r.Context().Done()
		ended <- r.Context().Err()
	}), nil)
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		resp, err := e.client.Do(e.request(ctx, http.MethodPost, ping))
		if err == nil {
			_ = resp.Body.Close()
		}
		gone <- err
	}()
	<-began
	cancel()
	require.ErrorIs(t, <-gone, context.Canceled)
	require.ErrorIs(t, <-ended, context.Canceled)
}

func TestUnusableAnswers(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the proxy followed a redirect to another origin")
	}))
	t.Cleanup(elsewhere.Close)
	redirect := func(status int, where string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/end") {
				body, _ := io.ReadAll(r.Body)
				_, _ = w.Write(body)
				return
			}
			w.Header().Set("Location", where)
			w.WriteHeader(status)
		}
	}
	answer := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "inner-canary")
		}
	}
	hangUp := func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = connection.Close()
		}
	}
	otherHost := strings.TrimPrefix(elsewhere.URL, "http:")
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		want    int
		text    string
	}{
		{"401", answer(401), 502, "does not let it in"},
		{"407", answer(407), 502, "does not let it in"},
		{"403", answer(403), 403, "inner-canary"},
		{"500", answer(500), 500, "inner-canary"},
		{"slash at the end", redirect(307, "/inner/end"), 200, ping},
		{"another origin", redirect(307, elsewhere.URL+"/end"), 502, "cannot be reached"},
		{"another origin without scheme", redirect(308, otherHost+"/end"), 502, "cannot be reached"},
		{"method that changes", redirect(302, "/inner/end"), 502, "cannot be reached"},
		{"redirects in a circle", redirect(308, "/inner"), 502, "cannot be reached"},
		{"redirect without a URL", redirect(307, ""), 502, "cannot be reached"},
		{"cut off", hangUp, 502, "cannot be reached"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, test.handler, nil)
			resp, body := e.send(http.MethodPost, ping)
			assert.Equal(t, test.want, resp.StatusCode)
			assert.Contains(t, body, test.text)
			assert.Empty(t, resp.Header.Get("WWW-Authenticate"), "the client would read a challenge as the guard's")
			assert.Empty(t, resp.Header.Get("Location"))
		})
	}
	t.Run("no listener", func(t *testing.T) {
		t.Parallel()
		dead := "http://127.0.0.1:" + loopbacktest.Port(t)
		e := newEnv(t, http.NotFoundHandler(), func(c *upstream.Config) { c.URL = dead })
		resp, body := e.send(http.MethodPost, ping)
		assert.Equal(t, http.StatusBadGateway, resp.StatusCode)
		const want = `{"jsonrpc":"2.0","id":null,"error":{"code":-32603,` +
			`"message":"the MCP server behind this one cannot be reached, or gave no usable answer"}}`
		assert.Equal(t, want+"\n", body, "no address behind this server")
	})
	t.Run("too slow", func(t *testing.T) {
		t.Parallel()
		e := newEnv(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body)
			<-r.Context().Done()
		}), func(c *upstream.Config) {
			c.Transport = nil
			c.ResponseTimeout = 20 * time.Millisecond
		})
		resp, _ := e.send(http.MethodPost, ping)
		assert.Equal(t, http.StatusGatewayTimeout, resp.StatusCode)
	})
}

func TestRequestWithoutCallerIsRefused(t *testing.T) {
	t.Parallel()
	var asked atomic.Bool
	e := newEnv(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Store(true) }), nil)
	w := httptest.NewRecorder()
	e.proxy.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/mcp", strings.NewReader(ping)))
	assert.Equal(t, http.StatusInternalServerError, w.Code)
	assert.False(t, asked.Load())
}

func TestCredentialsEndAtTheProxy(t *testing.T) {
	t.Parallel()
	seen := make(chan http.Header, 1)
	e := newEnv(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header.Clone() }), nil)
	r := httptest.NewRequest(http.MethodPost, resource, strings.NewReader(ping))
	for _, name := range []string{"Authorization", "Proxy-Authorization", "Cookie"} {
		r.Header.Set(name, "canary")
	}
	e.proxy.ServeHTTP(httptest.NewRecorder(), r.WithContext(guard.NewContext(r.Context(), &adele)))
	got := <-seen
	for _, name := range []string{"Authorization", "Proxy-Authorization", "Cookie"} {
		assert.Empty(t, got[name], name)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	for _, test := range []struct {
		name string
		edit func(*upstream.Config)
	}{
		{"no URL", func(c *upstream.Config) { c.URL = "" }},
		{"no scheme", func(c *upstream.Config) { c.URL = "localhost:9000/mcp" }},
		{"user name", func(c *upstream.Config) { c.URL = "http://a:b@localhost:9000/mcp" }},
		{"fragment", func(c *upstream.Config) { c.URL += "#x" }},
		{"no key", func(c *upstream.Config) { c.Keys = nil }},
		{"key of another curve", func(c *upstream.Config) { c.Keys = append(c.Keys, p384) }},
		{"no issuer", func(c *upstream.Config) { c.Issuer = "" }},
	} {
		config := upstream.Config{URL: "http://localhost:9000/mcp", Issuer: "https://mcp.example", Keys: signingKeys()}
		test.edit(&config)
		_, err := upstream.New(config)
		assert.Error(t, err, test.name)
	}
	for _, secret := range []string{
		"http://user:canary@localhost:9000/mcp", "user:canary@localhost/mcp", "http:user:canary@localhost/mcp",
		"https:///user:canary@localhost/mcp", "/user:canary@localhost", "http://user:canary@[::1", "http:/x?key=canary",
		"localhost:9000/mcp?key=canary", "ftp://localhost/?key=canary", "http://localhost:0/?key=canary",
		"http://%zz?canary",
	} {
		_, err := upstream.New(upstream.Config{URL: secret, Issuer: "https://mcp.example", Keys: signingKeys()})
		require.Error(t, err, secret)
		assert.NotContains(t, err.Error(), "canary")
	}
}
