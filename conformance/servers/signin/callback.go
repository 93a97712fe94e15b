package signin

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// A callbackServer receives authorization responses on loopback.
type callbackServer struct {
	redirect string // the redirect URI
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

func listenForCallbacks() (*callbackServer, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("sign-in: %w", err)
	}
	c := &callbackServer{redirect: "http://" + listener.Addr().String() + "/callback"}
	c.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: c}
	go func() { _ = c.server.Serve(listener) }()
	return c, nil
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
	if r.URL.Path != "/callback" || c.answer == nil || !isState(query.Get("state"), c.state) {
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
