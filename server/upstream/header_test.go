package upstream_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/guard"
	"mcpentra/server/upstream"
)

// identityNames are headers in which proxies, platforms and frameworks name a caller, an address or
// another path.
var identityNames = []string{
	"Authorization",
	"Cf-Access-Authenticated-User-Email",
	"Cf-Access-Jwt-Assertion",
	"Cf-Connecting-Ip",
	"Cookie",
	"Forwarded",
	"Front-End-Https",
	"Idempotency-Key",
	"Mcp-Entra-Other",
	"Origin",
	"Proxy-Authorization",
	"Referer",
	"Remote-Email",
	"Remote-Groups",
	"Remote-User",
	"Tailscale-User-Login",
	"Tailscale-User-Name",
	"Te",
	"True-Client-Ip",
	"X-Api-Key",
	"X-Authentik-Username",
	"X-Forwarded-Port",
	"X-Forwarded-Prefix",
	"X-Forwarded-User",
	"X-Goog-Iap-Jwt-Assertion",
	"X-Http-Method-Override",
	"X-Idempotency-Key",
	"X-Ms-Client-Principal",
	"X-Original-Url",
	"X-Real-Ip",
	"X-Rewrite-Url",
	"X-Something-New",
}

// underscored are names that a server behind CGI or WSGI takes for others.
var underscored = []string{
	"Content_Type",
	"Last_Event_Id",
	"Mcp_Entra_Caller",
	"Mcp_Param_a",
	"Mcp-Param-A_b",
	"Mcp_Session_Id",
	"Mcp-Session_Id",
	"Mcp_Session-Id",
	"Mcp.session.id",
	"Remote_User",
	"X_forwarded_for",
	"X_Original_Url",
}

func TestOnlyListedHeadersReachTheUpstream(t *testing.T) {
	t.Parallel()
	listed := map[string]string{
		"Accept":               "application/json",
		"Accept-Encoding":      "br",
		"Accept-Language":      "de",
		"Content-Type":         "application/json",
		"User-Agent":           "probe",
		"Mcp-Protocol-Version": "2025-11-25",
		"Mcp-Method":           "ping",
		"Mcp-Name":             "x",
		"Mcp-Param-Region":     "eu",
		"Mcp-Param-A.b":        "1",
		"Last-Event-Id":        "7",
		"Traceparent":          "00-1-2-03",
		"Tracestate":           "a=b",
		"Baggage":              "c=d",
	}
	own := []string{"Content-Length", "Mcp-Entra-Caller", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"}
	for _, test := range []struct {
		name        string
		added, want []string
	}{
		{"default", nil, nil},
		{"names of the operator", []string{"x-something-new", "X-Request-Id"}, []string{"X-Something-New"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			seen := make(chan http.Header, 1)
			handler := func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header.Clone() }
			e := newEnv(t, http.HandlerFunc(handler), func(c *upstream.Config) { c.Headers = test.added })
			r := e.request(t.Context(), http.MethodPost, ping)
			for name, value := range listed {
				r.Header[name] = []string{value}
			}
			for _, name := range slices.Concat(identityNames, underscored) {
				if r.Header[name] == nil && name != "Origin" {
					r.Header[name] = []string{"canary"}
				}
			}
			r.Header.Set("Origin", "https://mcp.example")
			resp, err := e.client.Do(r)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, http.StatusOK, resp.StatusCode)
			got := <-seen
			want := slices.Sorted(slices.Values(slices.Concat(slices.Collect(maps.Keys(listed)), own, test.want)))
			assert.Equal(t, want, slices.Sorted(maps.Keys(got)))
			for name, value := range listed {
				assert.Equal(t, []string{value}, got[name], name)
			}
		})
	}
}

func TestUpstreamGetsOperatorsQuery(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, own, asked string
		passes           []string
		want             string
	}{
		{"unlisted parameter", "?kind=a", "x=1&kind=b", nil, "kind=a"},
		{"no query of the operator", "", "x=1", nil, ""},
		{"listed parameter", "?kind=a", "x=1&y=2&x=3", []string{"x"}, "kind=a&x=1&x=3"},
		{"listed parameter alone", "", "y=2&x=1", []string{"x"}, "x=1"},
		{"parameter inside another's value", "?kind=a", "x=1%26kind%3Db&y=2", []string{"x"}, "kind=a&x=1%26kind%3Db"},
		{"semicolon", "?kind=a", "x=1;kind=b", []string{"x"}, "kind=a&x=1"},
		{"name in another case", "?kind=a", "X=1&%78=2", []string{"x"}, "kind=a&x=2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			seen := make(chan string, 1)
			e := newEnv(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.URL.RawQuery }),
				func(c *upstream.Config) {
					c.URL = strings.Split(c.URL, "?")[0] + test.own
					c.Query = test.passes
				})
			r := e.request(t.Context(), http.MethodPost, ping)
			r.URL.RawQuery = test.asked
			resp, err := e.client.Do(r)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, test.want, <-seen)
		})
	}
}

func TestOperatorsQueryReachesNoOther(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
	}{
		{"cut off", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		{"401", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }},
		{"redirect to another origin", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://example.com/?q=1", http.StatusFound)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			audience := make(chan string, 1)
			e := newEnv(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				audience <- r.Header.Get(upstream.CallerHeader)
				test.handler(w, r)
			}), func(c *upstream.Config) {
				c.URL += "&code=query-canary"
				c.Logger = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
			})
			resp, body := e.send(http.MethodPost, ping)
			assert.Equal(t, http.StatusBadGateway, resp.StatusCode)
			assert.NotContains(t, body, "canary")
			assert.NotContains(t, jwtPayload(t, <-audience), "canary")
		})
	}
	assert.Contains(t, logged.String(), "the upstream failed")
	assert.NotContains(t, logged.String(), "canary")
}

func TestOnlyListedHeadersComeBack(t *testing.T) {
	t.Parallel()
	listed := []string{
		"Allow",
		"Content-Disposition",
		"Content-Encoding",
		"Content-Language",
		"Content-Type",
		"Date",
		"Etag",
		"Last-Modified",
		"Mcp-Protocol-Version",
		"Retry-After",
		"Traceparent",
		"X-Accel-Buffering",
	}
	others := []string{
		"Access-Control-Allow-Credentials",
		"Access-Control-Allow-Origin",
		"Alt-Svc",
		"Authentication-Info",
		"Clear-Site-Data",
		"Content-Location",
		"Content-Security-Policy",
		"Link",
		"Location",
		"Mcp-Entra-Caller",
		"Nel",
		"Proxy-Authenticate",
		"Refresh",
		"Server",
		"Set-Cookie",
		"Set_cookie",
		"Mcp_Session_Id",
		"Strict-Transport-Security",
		"Www-Authenticate",
		"X-Accel-Redirect",
		"X-Powered-By",
		"X-Sendfile",
	}
	e := newEnv(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, name := range slices.Concat(listed, others) {
			w.Header()[name] = []string{"v"}
		}
		_, _ = io.WriteString(w, "{}")
	}), nil)
	resp, _ := e.send(http.MethodPost, ping)
	want := slices.Sorted(slices.Values(slices.Concat(listed, []string{"Cache-Control", "Content-Length"})))
	assert.Equal(t, want, slices.Sorted(maps.Keys(resp.Header)))
	assert.Equal(t, "no-store", resp.Header.Get("Cache-Control"))
}

func TestTrailersAndInformationalAnswersEndAtTheProxy(t *testing.T) {
	t.Parallel()
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</early>; rel=preload")
		w.Header().Set("Set-Cookie", "early=1")
		w.Header().Set("Mcp-Session-Id", "early")
		w.WriteHeader(http.StatusEarlyHints)
		clear(w.Header())
		w.Header().Set("Trailer", "Set-Cookie, X-Cost")
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, "{}")
		w.Header().Set("Set-Cookie", "late=1")
		w.Header().Set("X-Cost", "3")
		w.Header().Set(http.TrailerPrefix+"Mcp-Session-Id", "late")
	})
	for _, test := range []struct {
		name  string
		added []string
		want  http.Header
	}{
		{"default", nil, nil},
		{"name of the operator", []string{"X-Cost"}, http.Header{"X-Cost": {"3"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, handler, func(c *upstream.Config) { c.Headers = test.added })
			var informational atomic.Int32
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
				Got1xxResponse: func(int, textproto.MIMEHeader) error {
					informational.Add(1)
					return nil
				},
			})
			resp, err := e.client.Do(e.request(ctx, http.MethodPost, ping))
			require.NoError(t, err)
			_, err = io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, test.want, resp.Trailer)
			assert.Empty(t, resp.Header["Trailer"])
			assert.Zero(t, informational.Load())
		})
	}
}

func TestNewRefusesNames(t *testing.T) {
	t.Parallel()
	refused := slices.Concat(identityNames, underscored, []string{
		"",
		"A B",
		"Access-Control-Allow-Origin",
		"Connection",
		"Content-Length",
		"Expect",
		"Host",
		"Keep-Alive",
		"Mcp-New",
		"Proxy-Anything",
		"Sec-Fetch-Site",
		"Set-Cookie",
		"Strict-Transport-Security",
		"Trailer",
		"Transfer-Encoding",
		"Upgrade",
		"Www-Authenticate",
		"X-Forwarded-For",
		"X-Forwarded-Host",
	})
	for _, name := range refused {
		if name == "X-Something-New" || name == "Front-End-Https" || strings.HasSuffix(name, "Idempotency-Key") {
			continue // they name no caller
		}
		_, err := upstream.New(upstream.Config{URL: "http://localhost:9000", Headers: []string{name}})
		assert.ErrorContains(t, err, "Headers has", name)
	}
	for _, name := range []string{"", "access_token", "Access_Token", "a b", "kind", "a&b"} {
		_, err := upstream.New(upstream.Config{URL: "http://localhost:9000?kind=a", Query: []string{name}})
		assert.ErrorContains(t, err, "Query has", name)
	}
}

func TestNewRefusesParametersOfURL(t *testing.T) {
	t.Parallel()
	for query, name := range map[string]string{
		"code=a":       "code",
		"Code=a":       "code",
		"code=b":       "CODE",
		"a=1;code=b":   "code",
		"c%6fde=b&a=1": "code",
	} {
		_, err := upstream.New(upstream.Config{URL: "http://localhost:9000?" + query, Query: []string{name}})
		assert.ErrorContains(t, err, "Query has "+name, query)
	}
}

func TestErrorsDoNotQuoteSecrets(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"ftp://localhost/?code=canary",
		"http://user:canary@localhost/",
		"http://localhost/?code=canary#fragment",
		"http://local host/?code=canary",
		"localhost:9000/mcp?code=canary",
		"http:///mcp?code=canary",
	} {
		_, err := upstream.New(upstream.Config{URL: text, Issuer: "https://mcp.example"})
		require.ErrorContains(t, err, "want a URL", text)
		assert.NotContains(t, err.Error(), "canary", text)
	}
	with, err := url.Parse("https://user:canary@up.example/a%2Fb?code=canary")
	require.NoError(t, err)
	assert.Equal(t, "https://up.example/a%2Fb", upstream.Address(with))
}

func TestForwardedForIsClientAddress(t *testing.T) {
	t.Parallel()
	seen := make(chan []string, 1)
	handler := func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header["X-Forwarded-For"] }
	e := newEnv(t, http.HandlerFunc(handler), func(c *upstream.Config) {
		c.ClientAddress = func(*http.Request) string { return "192.0.2.7" }
	})
	e.send(http.MethodPost, ping, "X-Forwarded-For", "198.51.100.1")
	assert.Equal(t, []string{"192.0.2.7"}, <-seen)
}

// TestRequestTrailersEndAtTheGuard writes the request itself, since net/http refuses to send it.
func TestRequestTrailersEndAtTheGuard(t *testing.T) {
	t.Parallel()
	for _, trailer := range []string{
		"Connection",
		"Authorization",
		"Mcp-Entra-Caller",
		"X-Cost",
		"Transfer-Encoding",
		"Upgrade",
	} {
		t.Run(trailer, func(t *testing.T) {
			t.Parallel()
			var runs atomic.Int32
			e := newEnvWith(t, overHTTP2(t, func(_ http.ResponseWriter, r *http.Request) {
				runs.Add(1)
				_, _ = io.ReadAll(r.Body)
				assert.Empty(t, r.Trailer)
			}), nil)
			connection, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
			require.NoError(t, err)
			defer connection.Close()
			_, err = io.WriteString(connection, "POST / HTTP/1.1\r\nHost: a\r\n"+
				"Authorization: Bearer token-canary\r\nContent-Type: application/json\r\n"+
				"Transfer-Encoding: chunked\r\nTrailer: "+trailer+"\r\n\r\n"+
				"28\r\n"+ping+"\r\n0\r\n"+trailer+": close\r\n\r\n")
			require.NoError(t, err)
			answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
			require.NoError(t, err)
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			require.NoError(t, err)
			if answer.StatusCode == http.StatusBadRequest && runs.Load() == 0 {
				return // net/http's server refuses some trailers
			}
			assert.Equal(t, http.StatusOK, answer.StatusCode, string(text))
			assert.EqualValues(t, 1, runs.Load())
		})
	}
}

// TestBodyOfGetIsDropped sends a body with the methods that have none.
func TestBodyOfGetIsDropped(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		seen := make(chan string, 1)
		e := newEnv(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			seen <- r.Header.Get("Content-Length") + string(body)
		}), nil)
		resp, _ := e.send(method, ping, "Content-Type", "application/json")
		assert.Equal(t, http.StatusOK, resp.StatusCode)
		assert.Contains(t, []string{"", "0"}, <-seen, method)
	}
	w := &countingWriter{header: http.Header{}}
	e := newEnv(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), nil)
	r := e.request(guard.NewContext(context.Background(), &adele), http.MethodGet, ping)
	e.proxy.ServeHTTP(w, r)
	assert.Equal(t, http.StatusOK, w.status, "without a guard")
}

type countingWriter struct {
	header http.Header
	status int
}

func (w *countingWriter) Header() http.Header         { return w.header }
func (w *countingWriter) WriteHeader(status int)      { w.status = status }
func (w *countingWriter) Write(p []byte) (int, error) { return len(p), nil }
