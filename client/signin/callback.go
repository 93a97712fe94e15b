package signin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"
)

//go:embed callback.html
var callbackFile embed.FS

// tidyAddress takes the answer, and the code in it, out of the browser's address line and history.
const tidyAddress template.JS = `history.replaceState(null, "", location.pathname)`

// callbackPolicy lets a page run that script and nothing else.
func callbackPolicy() string {
	sum := sha256.Sum256([]byte(tidyAddress))
	script := base64.StdEncoding.EncodeToString(sum[:])
	return "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-" + script + "'; " +
		"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
}

var callbackPage = template.Must(template.ParseFS(callbackFile, "callback.html"))

// A Callback waits on loopback for the answer of an authorization server.
type Callback struct {
	// RedirectURI is where it waits.
	RedirectURI string

	listeners []net.Listener
	server    *http.Server
	answers   chan url.Values
	state     string
	path      string
	host      string
}

// maxQuery bounds the answer.
const maxQuery = 16 << 10

// Listen begins to wait at a redirect URI, http on a loopback address. Without a port it takes a
// free one, and localhost is both loopback addresses, so that no other program sits at the one that
// the browser tries.
func Listen(redirectURI string) (*Callback, error) {
	parsed, err := url.Parse(redirectURI)
	if err != nil || parsed.Scheme != "http" || parsed.Host == "" || parsed.RawQuery != "" || parsed.Fragment != "" {
		return nil, fmt.Errorf(
			"redirect URI: want http on a loopback address, such as http://localhost/callback, got %q",
			redirectURI,
		)
	}
	port := parsed.Port()
	if port == "" {
		port = "0"
	}
	c := &Callback{answers: make(chan url.Values, 1), path: parsed.Path}
	if c.listeners, err = listenLoopback(parsed.Hostname(), port); err != nil {
		return nil, fmt.Errorf("redirect URI: %w", err)
	}
	_, port, _ = net.SplitHostPort(c.listeners[0].Addr().String())
	c.host = net.JoinHostPort(parsed.Hostname(), port)
	parsed.Host = c.host
	c.RedirectURI = parsed.String()
	if c.path == "" {
		c.path = "/"
	}
	return c, nil
}

func listenLoopback(host, port string) ([]net.Listener, error) {
	if host != "localhost" {
		if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
			return nil, fmt.Errorf("want a loopback address, got %q", host)
		}
		one, err := net.Listen("tcp", net.JoinHostPort(host, port))
		if err != nil {
			return nil, err
		}
		return []net.Listener{one}, nil
	}
	for attempt := 0; ; attempt++ {
		first, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			return nil, err
		}
		same := strconv.Itoa(first.Addr().(*net.TCPAddr).Port)
		second, err := net.Listen("tcp6", net.JoinHostPort("::1", same))
		switch {
		case err == nil:
			return []net.Listener{first, second}, nil
		case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
			return []net.Listener{first}, nil
		}
		_ = first.Close()
		if port != "0" || attempt == 20 {
			return nil, err
		}
	}
}

// Serve answers the browser from now on. Only a request with the state counts as the answer, and
// only the first one: others, like a page that guesses the port, change nothing.
func (c *Callback) Serve(state string) {
	c.state = state
	c.server = &http.Server{
		Handler:           c,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	for _, listener := range c.listeners {
		go func() { _ = c.server.Serve(listener) }()
	}
}

// Wait returns the parameters of the answer.
func (c *Callback) Wait(ctx context.Context) (url.Values, error) {
	select {
	case answer := <-c.answers:
		return answer, nil
	case <-ctx.Done():
	}
	select {
	case answer := <-c.answers: // a browser that ends right after its answer ends the waiting too
		return answer, nil
	default:
		return nil, ctx.Err()
	}
}

// Close stops waiting. The page that the browser is getting is still sent.
func (c *Callback) Close() {
	if c.server == nil {
		for _, listener := range c.listeners {
			_ = listener.Close()
		}
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if c.server.Shutdown(ctx) != nil {
		_ = c.server.Close()
	}
}

func (c *Callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", callbackPolicy())
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	header.Set("Connection", "close")
	query, err := url.ParseQuery(r.URL.RawQuery)
	switch {
	case r.Host != c.host || r.URL.Path != c.path:
		c.page(
			w,
			http.StatusNotFound,
			"There is nothing here",
			"This address belongs to a sign-in that is under way in another window.",
		)
	case r.Method != http.MethodGet:
		header.Set("Allow", http.MethodGet)
		c.page(
			w,
			http.StatusMethodNotAllowed,
			"There is nothing here",
			"This address belongs to a sign-in that is under way in another window.",
		)
	case err != nil,
		len(r.URL.RawQuery) > maxQuery,
		len(query["state"]) != 1,
		subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(c.state)) != 1:
		c.page(
			w,
			http.StatusBadRequest,
			"This answer was not used",
			"It does not belong to the sign-in that is waiting here. If you did not start one, close this window.",
		)
	default:
		select {
		case c.answers <- query:
		default:
			c.page(w, http.StatusConflict, "This answer was not used", "The sign-in has had its answer already.")
			return
		}
		if query.Has("error") {
			c.page(
				w,
				http.StatusOK,
				"You are not signed in",
				"The server said no. The program that you came from shows the reason.",
			)
			return
		}
		c.page(w, http.StatusOK, "You are signed in", "The program that you came from goes on by itself.")
	}
}

func (c *Callback) page(w http.ResponseWriter, status int, title, text string) {
	w.WriteHeader(status)
	_ = callbackPage.Execute(w, struct {
		Title, Text string
		Script      template.JS
	}{title, text, tidyAddress})
}
