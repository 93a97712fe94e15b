package guard_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/guard"
	"mcpentra/server/token"
)

const (
	resource  = "https://mcp.example/mcp"
	challenge = `Bearer resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp", scope="user.read"`
	ping      = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// adele is who the token "good" speaks for.
var adele = guard.Identity{
	Principal: guard.Principal{Issuer: "https://login.microsoftonline.com/t/v2.0", TenantID: "t", ObjectID: "o"},
	Name:      "Adele Vance", ClientID: "client", Scopes: []string{"user.read", "other"}, Issued: noon, Expiry: noon.Add(time.Hour),
}

func verify(_ context.Context, raw string) (*guard.Identity, error) {
	switch raw {
	case "good", "good==":
		id := adele
		return &id, nil
	case "scopeless":
		id := adele
		id.Scopes = []string{"User.Read", "user.read.all"}
		return &id, nil
	case "unavailable":
		return nil, &token.UnavailableError{RetryAfter: 1500 * time.Millisecond, Err: errors.New("canary")}
	case "broken":
		return nil, errors.New("canary")
	case "nobody":
		return nil, nil
	}
	return nil, &token.InvalidError{Reason: token.Expired}
}

// recorder is the guarded handler: it keeps what reached it.
type recorder struct {
	requests []*http.Request
	bodies   []string
	identity *guard.Identity
	answer   http.HandlerFunc
}

func (h *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.requests, h.bodies = append(h.requests, r), append(h.bodies, string(body))
	h.identity, _ = guard.FromContext(r.Context())
	if h.answer != nil {
		h.answer(w, r)
		return
	}
	_, _ = io.WriteString(w, `{"ok":true}`)
}

func config() guard.Config {
	return guard.Config{
		Resource: resource, AuthorizationServers: []string{"https://mcp.example"}, Scopes: []string{"user.read"}, ResourceName: "Example",
		Verify: verify, AllowedOrigins: []string{"https://inspector.example"}, Now: func() time.Time { return noon },
	}
}

func newGuard(t *testing.T, cfg guard.Config, next http.Handler) *guard.Guard {
	t.Helper()
	g, err := guard.New(cfg, next)
	require.NoError(t, err)
	return g
}

// request is a good one; tests change one thing.
func request(method, body string) *http.Request {
	r := httptest.NewRequest(method, resource, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer good")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

func serve(t *testing.T, cfg guard.Config, r *http.Request) (*httptest.ResponseRecorder, *recorder) {
	t.Helper()
	next := &recorder{}
	w := httptest.NewRecorder()
	newGuard(t, cfg, next).ServeHTTP(w, r)
	return w, next
}

func TestAGoodRequestPassesWithItsIdentity(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			w, next := serve(t, config(), request(method, ping))
			require.Equal(t, http.StatusOK, w.Code)
			require.Len(t, next.requests, 1)
			require.NotNil(t, next.identity)
			assert.Equal(t, adele, *next.identity)
			assert.Equal(t, "o", next.identity.ObjectID, "the principal is promoted")
			assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		})
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	const (
		bare    = challenge
		invalid = challenge + `, error="invalid_token", error_description="the access token is expired, revoked, malformed or not meant for this server"`
		request = challenge + `, error="invalid_request", error_description="the Authorization header has to be exactly one, of the form: Bearer <token>"`
		scope   = challenge + `, error="insufficient_scope", error_description="the access token lacks a scope that this needs"`
	)
	tests := map[string]struct {
		lines  []string
		status int
		want   string
	}{
		"none":                           {nil, 401, bare},
		"an empty line":                  {[]string{""}, 401, bare},
		"good":                           {[]string{"Bearer good"}, 200, ""},
		"the scheme in lower case":       {[]string{"bearer good"}, 200, ""},
		"the scheme in capitals":         {[]string{"BEARER good"}, 200, ""},
		"the scheme in both":             {[]string{"BeArEr good"}, 200, ""},
		"two blanks":                     {[]string{"Bearer  good"}, 200, ""},
		"equals signs at the end":        {[]string{"Bearer good=="}, 200, ""},
		"a bad token":                    {[]string{"Bearer bad"}, 401, invalid},
		"a token of three bad parts":     {[]string{"Bearer a.b.c"}, 401, invalid},
		"a token without the scope":      {[]string{"Bearer scopeless"}, 403, scope},
		"the scheme alone":               {[]string{"Bearer"}, 400, request},
		"the scheme and a blank":         {[]string{"Bearer "}, 400, request},
		"a tab for a blank":              {[]string{"Bearer\tgood"}, 401, bare},
		"two tokens":                     {[]string{"Bearer good bad"}, 400, request},
		"a quoted token":                 {[]string{`Bearer "good"`}, 400, request},
		"a list, good and bad":           {[]string{"Bearer good, Bearer bad"}, 400, request},
		"a list without blanks":          {[]string{"Bearer good,bad"}, 400, request},
		"a list behind another scheme":   {[]string{"Basic eDp4, Bearer good"}, 401, bare},
		"two lines, good and bad":        {[]string{"Bearer good", "Bearer bad"}, 400, request},
		"two lines, bad and good":        {[]string{"Bearer bad", "Bearer good"}, 400, request},
		"two lines, both good":           {[]string{"Bearer good", "Bearer good"}, 400, request},
		"equals signs alone":             {[]string{"Bearer =="}, 400, request},
		"a byte outside the alphabet":    {[]string{"Bearer go\xffod"}, 400, request},
		"a backslash":                    {[]string{`Bearer go\od`}, 400, request},
		"another scheme":                 {[]string{"Basic eDp4"}, 401, bare},
		"DPoP":                           {[]string{"DPoP good"}, 401, bare},
		"Negotiate":                      {[]string{"Negotiate good"}, 401, bare},
		"a scheme that begins as Bearer": {[]string{"Bearerx good"}, 401, bare},
		"a colon for a blank":            {[]string{"Bearer:good"}, 401, bare},
		"the token alone":                {[]string{"good"}, 401, bare},
	}
	for name, test := range tests {
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
			t.Run(name+" "+method, func(t *testing.T) {
				t.Parallel()
				r := httptest.NewRequest(method, resource, strings.NewReader(ping))
				r.Header.Set("Content-Type", "application/json")
				if test.lines != nil {
					r.Header["Authorization"] = test.lines
				}
				w, next := serve(t, config(), r)
				assert.Equal(t, test.status, w.Code)
				assert.Equal(t, test.want, w.Header().Get("WWW-Authenticate"))
				assert.Equal(t, test.status == 200, len(next.requests) == 1)
				if test.status != 200 {
					assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
					assert.NotContains(t, w.Body.String(), "good", "nothing of the token comes back")
				}
			})
		}
	}
}

func TestATokenElsewhereIsNone(t *testing.T) {
	t.Parallel()
	tests := map[string]func(r *http.Request){
		"in the query":              func(r *http.Request) { r.URL.RawQuery = "access_token=good&token=good" },
		"in a cookie":               func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "access_token", Value: "good"}) },
		"in its own header":         func(r *http.Request) { r.Header.Set("X-Access-Token", "good") },
		"forwarded by a proxy":      func(r *http.Request) { r.Header.Set("X-Forwarded-Access-Token", "good") },
		"as a forwarded user":       func(r *http.Request) { r.Header.Set("X-Forwarded-User", "admin") },
		"as a principal of Azure's": func(r *http.Request) { r.Header.Set("X-Ms-Client-Principal", "e30=") },
		"as a probe":                func(r *http.Request) { r.Header.Set("User-Agent", "kube-probe/1.0") },
		"in a form": func(r *http.Request) {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Body = io.NopCloser(strings.NewReader("access_token=good"))
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := request(http.MethodPost, ping)
			r.Header.Del("Authorization")
			change(r)
			w, next := serve(t, config(), r)
			assert.Equal(t, http.StatusUnauthorized, w.Code)
			assert.Equal(t, challenge, w.Header().Get("WWW-Authenticate"))
			assert.Empty(t, next.requests)
		})
	}
}

func TestAQueryTokenBesideTheHeaderDecidesNothing(t *testing.T) {
	t.Parallel()
	r := request(http.MethodPost, ping)
	r.URL.RawQuery = "access_token=bad"
	w, _ := serve(t, config(), r)
	assert.Equal(t, http.StatusOK, w.Code)
}

func TestWhatCannotBeToldIs503(t *testing.T) {
	t.Parallel()
	for raw, retry := range map[string]string{"unavailable": "2", "broken": "5", "nobody": "5"} {
		t.Run(raw, func(t *testing.T) {
			t.Parallel()
			r := request(http.MethodPost, ping)
			r.Header.Set("Authorization", "Bearer "+raw)
			w, next := serve(t, config(), r)
			assert.Equal(t, http.StatusServiceUnavailable, w.Code)
			assert.Equal(t, retry, w.Header().Get("Retry-After"))
			assert.Empty(t, w.Header().Get("WWW-Authenticate"), "clients would throw good tokens away")
			assert.NotContains(t, w.Body.String(), "canary")
			assert.Empty(t, next.requests)
		})
	}
}

func TestWhoTheCallerIsComesFromTheGuardAlone(t *testing.T) {
	t.Parallel()
	r := request(http.MethodPost, ping)
	gone := []string{
		"Proxy-Authorization", "X-Original-Authorization", "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Access-Token",
		"X-Ms-Client-Principal", "X-Ms-Client-Principal-Name", "X-Ms-Token-Aad-Access-Token", "X_Forwarded_User", "x_ms_client_principal_id",
		"X-Auth-Request-User", "Remote-User", "X-Http-Method-Override",
	}
	for _, name := range gone {
		r.Header[name] = []string{"admin"}
	}
	kept := map[string]string{"Accept": "application/json", "Mcp-Session-Id": "s", "Traceparent": "00-1-2-03", "X-Forwarded-For": "192.0.2.1"}
	for name, value := range kept {
		r.Header.Set(name, value)
	}
	_, next := serve(t, config(), r)
	require.Len(t, next.requests, 1)
	for _, name := range append(gone, "Authorization") {
		assert.NotContains(t, next.requests[0].Header, name)
	}
	for name, value := range kept {
		assert.Equal(t, value, next.requests[0].Header.Get(name))
	}
	assert.Equal(t, "Bearer good", r.Header.Get("Authorization"), "the caller's request is left as it was")
}

func TestABodyIsNotReadForStrangers(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*http.Request){
		"no token":       func(r *http.Request) { r.Header.Del("Authorization") },
		"a bad token":    func(r *http.Request) { r.Header.Set("Authorization", "Bearer bad") },
		"a scope short":  func(r *http.Request) { r.Header.Set("Authorization", "Bearer scopeless") },
		"another host":   func(r *http.Request) { r.Host = "evil.example" },
		"another origin": func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"too long":       func(r *http.Request) { r.ContentLength = guard.DefaultMaxBody + 1 },
		"compressed":     func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := request(http.MethodPost, "")
			r.Body = io.NopCloser(readerFunc(func([]byte) (int, error) {
				t.Error("the body was read")
				return 0, io.EOF
			}))
			change(r)
			w, next := serve(t, config(), r)
			assert.GreaterOrEqual(t, w.Code, 400)
			assert.Empty(t, next.requests)
		})
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestABodyHasALimit(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.MaxBody = int64(len(ping))
	w, _ := serve(t, cfg, request(http.MethodPost, ping))
	assert.Equal(t, http.StatusOK, w.Code)
	for name, length := range map[string]int64{"declared": int64(len(ping)) + 1, "chunked": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := request(http.MethodPost, ping+" ")
			r.ContentLength = length
			w, next := serve(t, cfg, r)
			assert.Equal(t, http.StatusRequestEntityTooLarge, w.Code)
			assert.Empty(t, next.requests)
		})
	}
}

func TestNothingOfATokenReachesTheLog(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	cfg := config()
	cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, line := range []string{"Bearer token-canary", "Bearer token-canary, x", "Basic token-canary", "Bearer good"} {
		r := request(http.MethodPost, `{"jsonrpc":"2.0","id":1,"method":"x","Method":"body-canary"}`)
		r.Header.Set("Authorization", line)
		serve(t, cfg, r)
	}
	assert.NotEmpty(t, log.String())
	assert.NotContains(t, log.String(), "canary")
}

func TestAStreamFlushesThroughAndEndsWithItsToken(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.Verify = func(context.Context, string) (*guard.Identity, error) {
		id := adele
		id.Expiry = noon.Add(50 * time.Millisecond)
		return &id, nil
	}
	ended := make(chan error, 1)
	g := newGuard(t, cfg, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "data: 1\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		ended <- r.Context().Err()
	}))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = "mcp.example"
		g.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	for name, r := range map[string]*http.Request{
		"GET":                  request(http.MethodGet, ""),
		"subscriptions/listen": request(http.MethodPost, `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen"}`),
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), r.Method, server.URL, r.Body)
			require.NoError(t, err)
			r.Header.Set("Authorization", "Bearer good")
			r.Header.Set("Content-Type", "application/json")
			resp, err := server.Client().Do(r)
			require.NoError(t, err)
			defer resp.Body.Close()
			first := make([]byte, 9)
			_, err = io.ReadFull(resp.Body, first)
			require.NoError(t, err)
			assert.Equal(t, "data: 1\n\n", string(first))
			assert.ErrorIs(t, <-ended, context.DeadlineExceeded)
		})
	}
}

func TestAConfigurationThatCannotWork(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*guard.Config){
		"no resource":                     func(c *guard.Config) { c.Resource = "" },
		"plain http":                      func(c *guard.Config) { c.Resource = "http://mcp.example/mcp" },
		"a slash at the end":              func(c *guard.Config) { c.Resource += "/" },
		"a query":                         func(c *guard.Config) { c.Resource += "?x" },
		"a fragment":                      func(c *guard.Config) { c.Resource += "#x" },
		"a host in capitals":              func(c *guard.Config) { c.Resource = "https://MCP.example/mcp" },
		"a user":                          func(c *guard.Config) { c.Resource = "https://user@mcp.example/mcp" },
		"no verify":                       func(c *guard.Config) { c.Verify = nil },
		"no authorization server":         func(c *guard.Config) { c.AuthorizationServers = nil },
		"an authorization server of http": func(c *guard.Config) { c.AuthorizationServers = []string{"http://as.example"} },
		"a scope with a quote":            func(c *guard.Config) { c.Scopes = []string{`a"b`} },
		"an empty scope":                  func(c *guard.Config) { c.Scopes = []string{""} },
		"offline_access":                  func(c *guard.Config) { c.ScopesSupported = []string{"offline_access"} },
		"every origin":                    func(c *guard.Config) { c.AllowedOrigins = []string{"*"} },
		"an origin with a path":           func(c *guard.Config) { c.AllowedOrigins = []string{"https://a.example/"} },
		"a negative limit":                func(c *guard.Config) { c.MaxBody = -1 },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config()
			change(&cfg)
			_, err := guard.New(cfg, &recorder{})
			require.Error(t, err)
		})
	}
	_, err := guard.New(config(), nil)
	require.Error(t, err)
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	g := newGuard(t, config(), &recorder{})
	require.Equal(t, "/.well-known/oauth-protected-resource/mcp", g.MetadataPath())
	get := func(method string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		g.Metadata().ServeHTTP(w, httptest.NewRequest(method, "https://mcp.example"+g.MetadataPath(), nil))
		return w
	}
	w := get(http.MethodGet)
	require.Equal(t, http.StatusOK, w.Code)
	var document map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &document))
	assert.Equal(t, map[string]any{
		"resource": resource, "authorization_servers": []any{"https://mcp.example"}, "scopes_supported": []any{"user.read"},
		"bearer_methods_supported": []any{"header"}, "resource_name": "Example",
	}, document)
	assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
	assert.Equal(t, "*", w.Header().Get("Access-Control-Allow-Origin"))
	assert.Contains(t, w.Header().Get("Cache-Control"), "max-age=")
	assert.Empty(t, w.Header().Get("Access-Control-Allow-Credentials"))

	head := get(http.MethodHead)
	assert.Equal(t, http.StatusOK, head.Code)
	assert.Empty(t, head.Body.String())
	assert.Equal(t, http.StatusNoContent, get(http.MethodOptions).Code)
	post := get(http.MethodPost)
	assert.Equal(t, http.StatusMethodNotAllowed, post.Code)
	assert.NotEmpty(t, post.Header().Get("Allow"))
}

func TestMetadataOfAResourceAtTheOrigin(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.Resource, cfg.Scopes, cfg.ResourceName = "https://mcp.example", nil, ""
	g := newGuard(t, cfg, &recorder{})
	require.Equal(t, "/.well-known/oauth-protected-resource", g.MetadataPath())
	w := httptest.NewRecorder()
	g.Metadata().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://mcp.example"+g.MetadataPath(), nil))
	assert.NotContains(t, w.Body.String(), "scopes_supported", "an empty list would say that there are none")
	assert.NotContains(t, w.Body.String(), "resource_name")

	w = httptest.NewRecorder()
	g.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "https://mcp.example/", nil))
	assert.Equal(t, `Bearer resource_metadata="https://mcp.example/.well-known/oauth-protected-resource"`, w.Header().Get("WWW-Authenticate"))
}

func TestTheHostHasToBeOurs(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		resource    string
		fine, wrong []string
	}{
		"a public name": {
			resource,
			[]string{"mcp.example", "MCP.EXAMPLE", "mcp.example:443"},
			[]string{"evil.example", "mcp.example.evil.example", "mcp.example:80", "mcp.example:8443", "localhost", ""},
		},
		"loopback": {
			"http://localhost:8000/mcp",
			[]string{"localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST:8000"},
			[]string{"localhost", "localhost:8001", "evil.example:8000", "localhost.evil.example:8000", "127.0.0.1.evil.example:8000", "2130706433:8000", "[::1]:x", "0.0.0.0:8000", "127.0.0.2:8000"},
		},
		"loopback on the usual port": {"http://127.0.0.1/mcp", []string{"127.0.0.1", "localhost:80", "[::1]"}, []string{"[::1]:8000"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config()
			cfg.Resource = test.resource
			for _, host := range slices.Concat(test.fine, test.wrong) {
				r := request(http.MethodPost, ping)
				r.Host = host
				r.Header.Set("X-Forwarded-Host", "mcp.example")
				w, _ := serve(t, cfg, r)
				want := http.StatusOK
				if slices.Contains(test.wrong, host) {
					want = http.StatusMisdirectedRequest
				}
				assert.Equal(t, want, w.Code, "Host: %s", host)
			}
		})
	}
}

func TestTheOriginHasToBeKnown(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		lines []string
		fine  bool
	}{
		"the resource's own": {[]string{"https://mcp.example"}, true},
		"a listed one":       {[]string{"https://inspector.example"}, true},
		"a stranger":         {[]string{"https://evil.example"}, false},
		"null":               {[]string{"null"}, false},
		"an empty one":       {[]string{""}, false},
		"another port":       {[]string{"https://mcp.example:8443"}, false},
		"another scheme":     {[]string{"http://mcp.example"}, false},
		"a longer name":      {[]string{"https://inspector.example.evil.example"}, false},
		"a file":             {[]string{"file://"}, false},
		"two, good and bad":  {[]string{"https://mcp.example", "https://evil.example"}, false},
		"two good ones":      {[]string{"https://mcp.example", "https://mcp.example"}, false},
	}
	for name, test := range tests {
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete, http.MethodOptions} {
			t.Run(name+" "+method, func(t *testing.T) {
				t.Parallel()
				r := request(method, ping)
				r.Header["Origin"] = test.lines
				r.Header.Set("Access-Control-Request-Method", "POST")
				w, next := serve(t, config(), r)
				if !test.fine {
					assert.Equal(t, http.StatusForbidden, w.Code)
					assert.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
					assert.Empty(t, next.requests)
					return
				}
				assert.Less(t, w.Code, 300)
				assert.Equal(t, test.lines[0], w.Header().Get("Access-Control-Allow-Origin"))
				assert.Empty(t, w.Header().Get("Access-Control-Allow-Credentials"))
				assert.Contains(t, w.Header().Values("Vary"), "Origin")
			})
		}
	}
}

func TestAPreflightNamesWhatClientsSend(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodOptions, resource, nil)
	r.Header.Set("Origin", "https://inspector.example")
	r.Header.Set("Access-Control-Request-Method", "POST")
	r.Header.Set("Access-Control-Request-Headers", "authorization, mcp-param-city, x-evil")
	w, next := serve(t, config(), r)
	require.Equal(t, http.StatusNoContent, w.Code)
	allowed := strings.Split(w.Header().Get("Access-Control-Allow-Headers"), ", ")
	assert.Subset(t, allowed, []string{"Authorization", "Content-Type", "MCP-Protocol-Version", "Mcp-Method", "Mcp-Name", "Mcp-Session-Id", "mcp-param-city"})
	assert.NotContains(t, allowed, "x-evil")
	assert.Empty(t, next.requests)
}

func TestOtherMethodsAreNotThere(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodTrace, http.MethodOptions, "BREW"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			w, next := serve(t, config(), request(method, ""))
			assert.Equal(t, http.StatusMethodNotAllowed, w.Code)
			assert.NotEmpty(t, w.Header().Get("Allow"))
			assert.Empty(t, next.requests)
		})
	}
}
