package signin

import (
	"context"
	"crypto/subtle"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	maxQuery        = 16 << 10 // bytes of a response
	callbackTimeout = 10 * time.Second
	closeTimeout    = 2 * time.Second
)

// A Callback waits on a loopback address for the authorization response (RFC 8252 section 7.3).
type Callback struct {
	// RedirectURI is the address with the port that the Callback uses.
	RedirectURI string

	listeners []net.Listener
	server    *http.Server
	responses chan url.Values
	state     string
	path      string
	host      string
}

// Listen opens the port of a redirect URI, which has to be http on a loopback address. Without a
// port it uses a free one. For localhost it opens the port on both loopback addresses, so that no
// other program can listen at the address that the browser tries.
func Listen(redirectURI string) (*Callback, error) {
	parsed, err := url.Parse(redirectURI)
	if err != nil || !isCallbackAddress(parsed) {
		return nil, fmt.Errorf(
			"redirect URI: want http on a loopback address, such as http://localhost/callback, got %q",
			redirectURI,
		)
	}
	port := parsed.Port()
	if port == "" {
		port = "0"
	}
	listeners, err := listenLoopback(parsed.Hostname(), port)
	if err != nil {
		return nil, fmt.Errorf("redirect URI: %w", err)
	}
	c := &Callback{listeners: listeners, responses: make(chan url.Values, 1), path: parsed.Path}
	_, port, _ = net.SplitHostPort(listeners[0].Addr().String())
	c.host = net.JoinHostPort(parsed.Hostname(), port)
	parsed.Host = c.host
	c.RedirectURI = parsed.String()
	if c.path == "" {
		c.path = "/"
	}
	return c, nil
}

func isCallbackAddress(u *url.URL) bool {
	return u.Scheme == "http" && u.Host != "" && u.RawQuery == "" && u.Fragment == ""
}

// Serve starts to answer the browser. It accepts the first request with the right state as the
// response. It ignores other requests, such as requests of a page that guesses the port.
func (c *Callback) Serve(state string) {
	c.state = state
	c.server = &http.Server{
		Handler:           c,
		ReadHeaderTimeout: callbackTimeout,
		ReadTimeout:       callbackTimeout,
		WriteTimeout:      callbackTimeout,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	for _, listener := range c.listeners {
		go func() { _ = c.server.Serve(listener) }()
	}
}

// Wait returns the parameters of the response.
func (c *Callback) Wait(ctx context.Context) (url.Values, error) {
	select {
	case response := <-c.responses:
		return response, nil
	case <-ctx.Done():
	}
	select {
	case response := <-c.responses: // a browser that ends after its response ends the context, too
		return response, nil
	default:
		return nil, ctx.Err()
	}
}

// Close stops the Callback. It still sends the page that a browser is reading.
func (c *Callback) Close() {
	if c.server == nil {
		for _, listener := range c.listeners {
			_ = listener.Close()
		}
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if c.server.Shutdown(ctx) != nil {
		_ = c.server.Close()
	}
}

func (c *Callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setCallbackHeaders(w.Header())
	if r.Host != c.host || r.URL.Path != c.path {
		showPage(w, http.StatusNotFound, pageNothing)
		return
	}
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		showPage(w, http.StatusMethodNotAllowed, pageNothing)
		return
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(r.URL.RawQuery) > maxQuery || !c.hasState(query) {
		showPage(w, http.StatusBadRequest, pageOtherSignIn)
		return
	}
	select {
	case c.responses <- query:
	default:
		showPage(w, http.StatusConflict, pageSecondResponse)
		return
	}
	if query.Has("error") {
		showPage(w, http.StatusOK, pageRefused)
		return
	}
	showPage(w, http.StatusOK, pageSignedIn)
}

// hasState reports whether a query has the state of this sign-in, once.
func (c *Callback) hasState(query url.Values) bool {
	state := query["state"]
	return len(state) == 1 && subtle.ConstantTimeCompare([]byte(state[0]), []byte(c.state)) == 1
}
