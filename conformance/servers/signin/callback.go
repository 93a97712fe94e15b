package signin

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"
)

// A callbackServer receives authorization responses on loopback.
type callbackServer struct {
	redirect string // the redirect URI
	path     string // of the redirect URI
	server   *http.Server

	mu     sync.Mutex
	state  string // of the authorization under way
	answer chan callback
}

// A callback is an authorization response.
type callback struct {
	code string
	err  error
}

// listenForCallbacks listens at a redirect URI on loopback. Empty means any.
func listenForCallbacks(redirect string) (*callbackServer, error) {
	if redirect == "" {
		redirect = "http://127.0.0.1/callback"
	}
	at, err := url.Parse(redirect)
	if err != nil || at.Scheme != "http" || !isLoopback(at.Hostname()) {
		return nil, fmt.Errorf("sign-in: want a redirect URI of http on loopback, got %q", redirect)
	}
	port := at.Port()
	if port == "" {
		port = "0"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(at.Hostname(), port))
	if err != nil {
		return nil, fmt.Errorf("sign-in: %w", err)
	}
	_, port, _ = net.SplitHostPort(listener.Addr().String())
	at.Host = net.JoinHostPort(at.Hostname(), port)
	c := &callbackServer{redirect: at.String(), path: at.Path}
	c.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: c}
	go func() { _ = c.server.Serve(listener) }()
	return c, nil
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

func (c *callbackServer) close() { _ = c.server.Close() }

// expect returns a new state, and the channel for the response that has it. The state has 52
// characters, because some servers refuse fewer than 32.
func (c *callbackServer) expect() (state string, answer <-chan callback) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = rand.Text() + rand.Text()
	c.answer = make(chan callback, 1)
	return c.state, c.answer
}

// ServeHTTP takes the first authorization response with the state.
func (c *callbackServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.URL.Path != c.path || c.answer == nil || !isState(query.Get("state"), c.state) {
		http.Error(w, "This is not the expected answer.", http.StatusBadRequest)
		return
	}
	select {
	case c.answer <- readCallback(query):
	default:
	}
	_, _ = io.WriteString(w, "The checks go on. You can close this window.\n")
}

// readCallback reads an authorization response (RFC 6749 section 4.1.2).
func readCallback(query url.Values) callback {
	if code := query.Get("code"); code != "" {
		return callback{code: code}
	}
	return callback{err: &Refused{
		Step:        "authorization",
		Code:        cleaned(query.Get("error")),
		Description: cleaned(query.Get("error_description")),
	}}
}

// isState compares in constant time, because the state is a secret.
func isState(value, state string) bool {
	return subtle.ConstantTimeCompare([]byte(value), []byte(state)) == 1
}
