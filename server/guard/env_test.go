package guard_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/guard"
	"mcpentra/server/identity"
	"mcpentra/server/token"
)

const (
	resource  = "https://mcp.example/mcp"
	challenge = `Bearer resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp", ` +
		`scope="user.read"`
)

// Messages that tests send.
const (
	ping       = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize"}`
	listen     = `{"jsonrpc":"2.0","id":7,"method":"subscriptions/listen"}`
	response   = `{"jsonrpc":"2.0","id":1,"result":{}}`
)

// rpc makes a request, or a notification if id is "".
func rpc(id, method string) string {
	if id == "" {
		return `{"jsonrpc":"2.0","method":"` + method + `"}`
	}
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"` + method + `"}`
}

// noon is the time of baseConfig's clock.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// adele is the caller of the token "good".
var adele = identity.Caller{
	Principal: identity.Principal{Issuer: "https://login.microsoftonline.com/t/v2.0", TenantID: "t", ObjectID: "o"},
	Name:      "Adele Vance",
	ClientID:  "client",
	Scopes:    []string{"user.read", "other"},
	Issued:    noon,
	Expiry:    noon.Add(time.Hour),
}

// verify knows adele's tokens and some that make it fail.
func verify(_ context.Context, raw string) (*identity.Caller, error) {
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
	case "no-identity":
		return nil, nil
	}
	return nil, &token.InvalidError{Reason: token.Expired}
}

// A recorder is a handler that keeps the requests it gets. It answers with answer, or with a
// constant.
type recorder struct {
	requests []*http.Request
	bodies   []string
	identity *identity.Caller
	answer   http.HandlerFunc
}

func (h *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.requests = append(h.requests, r)
	h.bodies = append(h.bodies, string(body))
	h.identity, _ = guard.FromContext(r.Context())
	if h.answer != nil {
		h.answer(w, r)
		return
	}
	_, _ = io.WriteString(w, `{"ok":true}`)
}

// baseConfig is a valid configuration; tests change one thing.
func baseConfig() guard.Config {
	return guard.Config{
		Resource:             resource,
		AuthorizationServers: []string{"https://mcp.example"},
		Scopes:               []string{"user.read"},
		ResourceName:         "Example",
		Verify:               verify,
		AllowedOrigins:       []string{"https://inspector.example"},
		Now:                  func() time.Time { return noon },
	}
}

func newGuard(t *testing.T, config guard.Config, next http.Handler) *guard.Guard {
	t.Helper()
	g, err := guard.New(config, next)
	require.NoError(t, err)
	return g
}

// request makes a request that passes; tests change one thing.
func request(method, body string) *http.Request {
	r := httptest.NewRequest(method, resource, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer good")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// serve sends a request to a guard in front of a recorder.
// serve sends a request to a new guard in front of a recorder.
func serve(t *testing.T, config guard.Config, r *http.Request) (*httptest.ResponseRecorder, *recorder) {
	t.Helper()
	next := &recorder{}
	w := httptest.NewRecorder()
	newGuard(t, config, next).ServeHTTP(w, r)
	return w, next
}

// verifyByName accepts every token. It is an object ID, and after a slash a client ID.
func verifyByName(_ context.Context, raw string) (*identity.Caller, error) {
	id := adele
	id.ObjectID, id.ClientID, _ = strings.Cut(raw, "/")
	return &id, nil
}

// A busyGuard is a guard whose handler runs requests until end is called.
type busyGuard struct {
	t       *testing.T
	guard   *guard.Guard
	log     bytes.Buffer
	mu      sync.Mutex
	running sync.WaitGroup
	release chan struct{}
}

func newBusyGuard(t *testing.T, edit func(*guard.Config)) *busyGuard {
	c := &busyGuard{t: t, release: make(chan struct{})}
	config := baseConfig()
	config.Verify = verifyByName
	config.Recheck = -1
	config.MaxCall = -1
	config.Logger = slog.New(slog.NewTextHandler(&c.log, nil))
	if edit != nil {
		edit(&config)
	}
	c.guard = newGuard(t, config, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusOK)
		started, _ := r.Context().Value(startedKey{}).(func())
		started()
		<-c.release
	}))
	t.Cleanup(c.end)
	return c
}

// end ends all running requests.
func (c *busyGuard) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.release:
	default:
		close(c.release)
	}
	c.running.Wait()
}

// send sends a request. It returns when the request is answered or runs.
func (c *busyGuard) send(who, method, body string) *httptest.ResponseRecorder {
	r := request(method, body)
	r.Header.Set("Authorization", "Bearer "+who)
	w := &flushRecorder{ResponseRecorder: httptest.NewRecorder(), started: make(chan struct{})}
	done := make(chan struct{})
	r = r.WithContext(context.WithValue(r.Context(), startedKey{}, w.Flush))
	c.running.Go(func() {
		defer close(done)
		c.guard.ServeHTTP(w, r)
	})
	select {
	case <-w.started:
	case <-done:
	}
	return w.ResponseRecorder
}

type startedKey struct{}

// A flushRecorder closes started at the first flush.
type flushRecorder struct {
	*httptest.ResponseRecorder
	once    sync.Once
	started chan struct{}
}

func (f *flushRecorder) Flush() { f.once.Do(func() { close(f.started) }) }

// A sessionKeeper is a handler that opens sessions, and knows which are open.
type sessionKeeper struct {
	open map[string]string // ID to the object ID of the caller
	made int
}

func (k *sessionKeeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	caller, _ := guard.FromContext(r.Context())
	body, _ := io.ReadAll(r.Body)
	id := r.Header.Get("Mcp-Session-Id")
	switch {
	case strings.Contains(string(body), "initialize"):
		k.made++
		id = fmt.Sprintf("s%d", k.made)
		k.open[id] = caller.ObjectID
		w.Header().Set("Mcp-Session-Id", id)
	case k.open[id] == "":
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodDelete && k.open[id] == caller.ObjectID:
		delete(k.open, id)
	}
}

// of counts the open sessions of a caller.
func (k *sessionKeeper) of(who string) (count int) {
	for _, owner := range k.open {
		if owner == who {
			count++
		}
	}
	return count
}

// verifyByClient accepts tokens of the form user-client-anything.
func verifyByClient(_ context.Context, raw string) (*identity.Caller, error) {
	parts := strings.Split(raw, "-")
	if len(parts) != 3 {
		return nil, token.NewInvalidError(token.BadSignature)
	}
	id := adele
	id.ObjectID = parts[0]
	id.ClientID = parts[1]
	id.TokenID = parts[2]
	return &id, nil
}

// newSessionHandler makes a handler that opens a session for each initialize. It tries to set
// guarded headers too.
func newSessionHandler() *recorder {
	next := &recorder{}
	next.answer = func(w http.ResponseWriter, r *http.Request) {
		body := next.bodies[len(next.bodies)-1]
		if strings.Contains(body, `"initialize"`) {
			w.Header().Set("Mcp-Session-Id", "inner-1")
		}
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("Cache-Control", "public")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,"result":{"session":%q}}`, r.Header.Get("Mcp-Session-Id"))
	}
	return next
}

// statefulConfig is for a handler with sessions, and tokens as verifyByClient knows them.
func statefulConfig(edit func(*guard.Config)) guard.Config {
	config := baseConfig()
	config.Verify = verifyByClient
	config.Stateful = true
	config.SessionKeys = [][]byte{[]byte(strings.Repeat("k", 32))}
	if edit != nil {
		edit(&config)
	}
	return config
}

// ask sends a request with a token and a session ID, which may be "".
func ask(h http.Handler, method, raw, session, body string, headers ...string) *httptest.ResponseRecorder {
	r := request(method, body)
	r.Header.Set("Authorization", "Bearer "+raw)
	if session != "" {
		r.Header.Set("Mcp-Session-Id", session)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// answerTo returns a handler's answer to a request.
func answerTo(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// A pipeListener is a listener whose connections buffer nothing: a write waits until the other side
// reads.
type pipeListener struct {
	opened chan net.Conn
	closed context.Context
	cancel context.CancelFunc
}

func (p *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-p.opened:
		return c, nil
	case <-p.closed.Done():
		return nil, net.ErrClosed
	}
}

func (p *pipeListener) Close() error {
	p.cancel()
	return nil
}

func (p *pipeListener) Addr() net.Addr { return &net.UnixAddr{} }

// serveSlow serves a handler behind a guard, and returns the client's end of a connection. Call it
// in a synctest bubble.
func serveSlow(t *testing.T, next http.HandlerFunc) net.Conn {
	p := &pipeListener{opened: make(chan net.Conn)}
	p.closed, p.cancel = context.WithCancel(context.Background())
	server := &http.Server{Handler: newGuard(t, baseConfig(), next)}
	go func() { assert.ErrorIs(t, server.Serve(p), http.ErrServerClosed) }()
	client, accepted := net.Pipe()
	p.opened <- accepted
	t.Cleanup(func() {
		_ = client.Close()
		assert.NoError(t, server.Close())
		<-time.After(time.Hour) // nothing may be left running
	})
	return client
}

// slowHead is the head of a request that passes, without the length of its body.
const slowHead = "POST /mcp HTTP/1.1\r\nHost: mcp.example\r\nAuthorization: Bearer good\r\n" +
	"Content-Type: application/json\r\n"

// postSlowly sends a request, with a pause after the first half of the body.
func postSlowly(t *testing.T, client net.Conn, body string, pause time.Duration) {
	half := len(body) / 2
	_, err := fmt.Fprintf(client, "%sContent-Length: %d\r\n\r\n%s", slowHead, len(body), body[:half])
	require.NoError(t, err)
	<-time.After(pause)
	_, err = io.WriteString(client, body[half:])
	require.NoError(t, err)
}
