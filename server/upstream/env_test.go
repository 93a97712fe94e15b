package upstream_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"mcpentra/server/guard"
	"mcpentra/server/identity"
	"mcpentra/server/token"
	"mcpentra/server/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	resource = "https://mcp.example/mcp"
	ping     = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
)

var adele = identity.Caller{
	Principal:  identity.Principal{Issuer: "https://login.microsoftonline.com/t/v2.0", TenantID: "t", ObjectID: "o"},
	Name:       "Adele Vance",
	Username:   "adele@example.com",
	ClientID:   "desk",
	Scopes:     []string{"tool.read", "tool.write"},
	Attributes: identity.Attributes{Roles: []string{"Admin"}},
}

// An env is a guard and a proxy in front of an upstream, each behind its own socket.
type env struct {
	t      *testing.T
	url    string // URL of the guard
	behind string // URL of the upstream
	proxy  *upstream.Proxy
	client *http.Client
}

var signingKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

func signingKeys() []*ecdsa.PrivateKey { return []*ecdsa.PrivateKey{signingKey()} }

// newEnv starts an upstream with a handler, and a proxy and a guard in front of it.
func newEnv(t *testing.T, handler http.Handler, edit func(*upstream.Config)) *env {
	t.Helper()
	return newEnvWith(t, httptest.NewServer(handler), edit)
}

// overTLS starts an upstream that speaks HTTP/1.1 over TLS.
func overTLS(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	return startTLS(handler, false)
}

// overHTTP2 starts an upstream that speaks HTTP/2 over TLS.
func overHTTP2(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	return startTLS(handler, true)
}

func startTLS(handler http.HandlerFunc, http2 bool) *httptest.Server {
	behind := httptest.NewUnstartedServer(handler)
	behind.EnableHTTP2 = http2
	behind.Config.ErrorLog = log.New(io.Discard, "", 0) // tests cut handshakes off
	behind.StartTLS()
	return behind
}

// newEnvWith is newEnv with an upstream that runs already. The proxy has its default transport.
func newEnvWith(t *testing.T, behind *httptest.Server, edit func(*upstream.Config)) *env {
	t.Helper()
	t.Cleanup(behind.Close)
	transport := upstream.NewTransport()
	if behind.TLS != nil {
		transport.TLSClientConfig = behind.Client().Transport.(*http.Transport).TLSClientConfig
	}
	t.Cleanup(transport.CloseIdleConnections)
	config := upstream.Config{
		URL:       behind.URL + "/inner?kind=a",
		Issuer:    "https://mcp.example",
		Keys:      signingKeys(),
		Transport: transport,
	}
	if edit != nil {
		edit(&config)
	}
	proxy, err := upstream.New(config)
	require.NoError(t, err)
	g, err := guard.New(guard.Config{
		Resource:             resource,
		AuthorizationServers: []string{"https://mcp.example"},
		Recheck:              -1,
		Verify: func(_ context.Context, raw string) (*identity.Caller, error) {
			if raw != "token-canary" {
				return nil, token.NewInvalidError(token.BadSignature)
			}
			id := adele
			return &id, nil
		},
	}, proxy)
	require.NoError(t, err)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = "mcp.example"
		g.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	outer := &http.Transport{DisableCompression: true}
	t.Cleanup(outer.CloseIdleConnections)
	return &env{t: t, url: front.URL, behind: behind.URL, proxy: proxy, client: &http.Client{Transport: outer}}
}

// request makes a request to the guard with a good token.
func (e *env) request(ctx context.Context, method, body string, headers ...string) *http.Request {
	r, err := http.NewRequestWithContext(ctx, method, e.url, strings.NewReader(body))
	require.NoError(e.t, err)
	r.Header.Set("Authorization", "Bearer token-canary")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// send sends a request with a good token, and reads the answer.
func (e *env) send(method, body string, headers ...string) (*http.Response, string) {
	e.t.Helper()
	resp, err := e.client.Do(e.request(e.t.Context(), method, body, headers...))
	require.NoError(e.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(e.t, err)
	return resp, string(text)
}

var everyMethod = []string{http.MethodPost, http.MethodGet, http.MethodDelete}

// overPlainHTTP starts an upstream that speaks HTTP/1.1 without TLS.
func overPlainHTTP(_ *testing.T, handler http.HandlerFunc) *httptest.Server {
	return httptest.NewServer(handler)
}

// A hangUpServer speaks HTTP/1.1. From a request on, it closes the connection without an answer.
type hangUpServer struct {
	url                   string
	requests, connections atomic.Int32
	hangUp                atomic.Int32 // number of that request
}

func newHangUpServer(t *testing.T) *hangUpServer {
	t.Helper()
	s := &hangUpServer{}
	s.url = "http://" + serveConnections(t, func(connection net.Conn) {
		s.connections.Add(1)
		for reader := bufio.NewReader(connection); ; {
			r, err := http.ReadRequest(reader)
			if err != nil {
				return
			}
			_, _ = io.ReadAll(r.Body)
			if s.requests.Add(1) >= s.hangUp.Load() {
				return
			}
			_, _ = io.WriteString(connection, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
		}
	})
	return s
}

// A frameServer speaks HTTP/2 and gives all requests one answer.
type frameServer struct {
	url      string
	trust    *tls.Config
	requests atomic.Int32
}

func newFrameServer(t *testing.T, answer func(f *http2.Framer, stream uint32) error) *frameServer {
	t.Helper()
	keys := httptest.NewTLSServer(nil)
	t.Cleanup(keys.Close)
	s := &frameServer{trust: keys.Client().Transport.(*http.Transport).TLSClientConfig.Clone()}
	own := &tls.Config{Certificates: keys.TLS.Certificates, NextProtos: []string{"h2"}}
	s.url = "https://" + serveConnections(t, func(raw net.Conn) {
		connection := tls.Server(raw, own)
		preface := make([]byte, len(http2.ClientPreface))
		if _, err := io.ReadFull(connection, preface); err != nil {
			return
		}
		f := http2.NewFramer(connection, connection)
		if f.WriteSettings() != nil {
			return
		}
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			if settings, ok := frame.(*http2.SettingsFrame); ok && !settings.IsAck() {
				_ = f.WriteSettingsAck()
			}
			if frame.Header().Flags.Has(http2.FlagDataEndStream) && frame.Header().StreamID != 0 {
				s.requests.Add(1)
				if answer(f, frame.Header().StreamID) != nil {
					return
				}
			}
		}
	})
	return s
}

// serveConnections listens on loopback until the test ends, and returns the address.
func serveConnections(t *testing.T, serve func(net.Conn)) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var open sync.Map
	var all sync.WaitGroup
	all.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			open.Store(connection, nil)
			all.Go(func() {
				defer connection.Close()
				serve(connection)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		open.Range(func(connection, _ any) bool {
			_ = connection.(net.Conn).Close()
			return true
		})
		all.Wait()
	})
	return strings.TrimPrefix(listener.Addr().String(), "http://")
}

// fixedAnswer makes an env whose upstream speaks HTTP/1.1 and gives all requests one answer.
func fixedAnswer(t *testing.T, answer string) *env {
	t.Helper()
	address := serveConnections(t, func(connection net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(connection))
		if err != nil {
			return
		}
		_, _ = io.ReadAll(r.Body)
		_, _ = io.WriteString(connection, answer)
	})
	return newEnv(t, http.NotFoundHandler(), func(c *upstream.Config) { c.URL = "http://" + address })
}

// fixedFrames is fixedAnswer over HTTP/2.
func fixedFrames(t *testing.T, body string, fields ...string) *env {
	t.Helper()
	server := newFrameServer(t, func(f *http2.Framer, stream uint32) error {
		var block bytes.Buffer
		encoder := hpack.NewEncoder(&block)
		for i := 0; i < len(fields); i += 2 {
			_ = encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
		}
		head := http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true}
		if err := f.WriteHeaders(head); err != nil {
			return err
		}
		return f.WriteData(stream, true, []byte(body))
	})
	transport := upstream.NewTransport()
	transport.TLSClientConfig = server.trust
	t.Cleanup(transport.CloseIdleConnections)
	return newEnv(t, http.NotFoundHandler(), func(c *upstream.Config) {
		c.URL = server.url
		c.Transport = transport
	})
}

// proxyToPipes makes a proxy that speaks HTTP/2 without TLS over pipes.
func proxyToPipes(t *testing.T, serve func(net.Conn)) *upstream.Proxy {
	t.Helper()
	transport := upstream.NewTransport()
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetUnencryptedHTTP2(true)
	var theirs []net.Conn
	transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
		ours, other := net.Pipe()
		theirs = append(theirs, other)
		go serve(other)
		return ours, nil
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		for _, connection := range theirs {
			_ = connection.Close()
		}
	})
	proxy, err := upstream.New(upstream.Config{
		URL:       "http://inner.example/mcp",
		Issuer:    "https://mcp.example",
		Keys:      signingKeys(),
		Transport: transport,
	})
	require.NoError(t, err)
	return proxy
}

// answerCalls answers a number of calls and then falls silent; -1 means all calls. A call with the
// user agent "slow" takes five minutes.
func answerCalls(connection net.Conn, calls int) {
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(connection, preface); err != nil {
		return
	}
	writes := make(chan func(*http2.Framer), 100)
	f := http2.NewFramer(connection, connection)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	defer close(writes)
	go func() {
		for write := range writes {
			write(f)
		}
	}()
	writes <- func(f *http2.Framer) { _ = f.WriteSettings() }
	slow := false
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return
		}
		if calls == 0 {
			continue
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				writes <- func(f *http2.Framer) { _ = f.WriteSettingsAck() }
			}
		case *http2.PingFrame:
			data := frame.Data
			writes <- func(f *http2.Framer) { _ = f.WritePing(true, data) }
		case *http2.MetaHeadersFrame:
			for _, field := range frame.RegularFields() {
				slow = slow || field.Name == "user-agent" && field.Value == "slow"
			}
		case *http2.DataFrame:
			if !frame.StreamEnded() {
				continue
			}
			calls--
			stream := frame.StreamID
			answer := func(f *http2.Framer) { writeOK(f, stream) }
			if slow {
				time.AfterFunc(5*time.Minute, func() { writes <- answer })
			} else {
				writes <- answer
			}
		}
	}
}

// writeOK answers a request with {}.
func writeOK(f *http2.Framer, stream uint32) {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	_ = encoder.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	head := http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true}
	_ = f.WriteHeaders(head)
	_ = f.WriteData(stream, true, []byte("{}"))
}

// callThrough sends a ping in adele's name.
func callThrough(proxy *upstream.Proxy) (status int) { return callThroughAs(proxy, "program") }

func callThroughAs(proxy *upstream.Proxy, agent string) (status int) {
	ctx, cancel := context.WithTimeout(guard.NewContext(context.Background(), &adele), time.Hour)
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, resource, strings.NewReader(ping))
	r.Header.Set("User-Agent", agent)
	w := httptest.NewRecorder()
	proxy.ServeHTTP(w, r)
	return w.Code
}

// newExpiringGuard makes a guard in front of a proxy. A token is the time at which it was issued,
// like "2026-11-28T12.00.00Z".
func newExpiringGuard(t *testing.T, inner http.RoundTripper, logger *slog.Logger) http.Handler {
	t.Helper()
	proxy, err := upstream.New(upstream.Config{
		URL:       "http://inner.example/mcp",
		Issuer:    "https://mcp.example",
		Keys:      signingKeys(),
		Transport: inner,
		Logger:    logger,
	})
	require.NoError(t, err)
	g, err := guard.New(guard.Config{
		Resource:             "https://mcp.example/mcp",
		AuthorizationServers: []string{"https://mcp.example"},
		Logger:               logger,
		Verify: func(_ context.Context, raw string) (*identity.Caller, error) {
			issued, err := time.Parse("2006-01-02T15.04.05Z", raw)
			if err != nil {
				return nil, token.NewInvalidError(token.BadSignature)
			}
			id := adele
			id.Expiry = issued.Add(lifetime)
			id.GoodUntil = id.Expiry.Add(leeway)
			if !time.Now().Before(id.GoodUntil) {
				return nil, token.NewInvalidError(token.Expired)
			}
			return &id, nil
		},
	}, proxy)
	require.NoError(t, err)
	return g
}

// A refreshingTransport gets a new token when the guard refuses one as invalid. It counts the
// answers to GETs.
type refreshingTransport struct {
	next     http.RoundTripper
	mu       sync.Mutex
	token    string
	statuses map[int]int
}

func (r *refreshingTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := r.send(request, false)
	if err != nil || answer.StatusCode != http.StatusUnauthorized {
		return answer, err
	}
	_ = answer.Body.Close()
	if !strings.Contains(answer.Header.Get("WWW-Authenticate"), `error="invalid_token"`) {
		return nil, fmt.Errorf("want a challenge with invalid_token, got %v", answer.Header)
	}
	return r.send(request, true)
}

func (r *refreshingTransport) send(request *http.Request, refresh bool) (*http.Response, error) {
	sent := request.Clone(request.Context())
	if request.GetBody != nil {
		body, err := request.GetBody()
		if err != nil {
			return nil, err
		}
		sent.Body = body
	}
	r.mu.Lock()
	if refresh || r.token == "" {
		r.token = time.Now().UTC().Format("2006-01-02T15.04.05Z")
	}
	sent.Header.Set("Authorization", "Bearer "+r.token)
	r.mu.Unlock()
	answer, err := r.next.RoundTrip(sent)
	if err == nil && request.Method == http.MethodGet {
		r.mu.Lock()
		r.statuses[answer.StatusCode]++
		r.mu.Unlock()
	}
	return answer, err
}

// serveInMemory serves a handler without sockets, so that it runs in a synctest bubble. It returns
// a transport that reaches the handler.
func serveInMemory(t *testing.T, handler http.Handler) *http.Transport {
	t.Helper()
	listener := &memoryListener{accepted: make(chan net.Conn), closed: make(chan struct{})}
	httpServer := &http.Server{Handler: handler}
	ended := make(chan error, 1)
	go func() { ended <- httpServer.Serve(listener) }()
	transport := &http.Transport{DialContext: listener.dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = httpServer.Close()
		<-ended
	})
	return transport
}

type memoryListener struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func (l *memoryListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.accepted <- theirs:
		return ours, nil
	case <-l.closed:
	case <-ctx.Done():
	}
	return nil, net.ErrClosed
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case connection := <-l.accepted:
		return connection, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *memoryListener) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }

// jwtPayload decodes the payload of a JWT.
func jwtPayload(t *testing.T, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	return string(text)
}
