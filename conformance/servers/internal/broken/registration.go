package broken

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// registeredClients are those that have registered.
type registeredClients struct {
	mu  sync.Mutex
	all []*registeredClient // by the client's number
}

type registeredClient struct {
	redirects []string
	secret    string // of a client that wants one
	guesses   int    // wrong secrets
}

// maxClients bounds them, and maxRegistration is the largest registration, in bytes.
const (
	maxClients      = 1000
	maxRegistration = 16 << 10
)

// serveRegistration registers a client with those of its redirect URIs that are usable.
func (t *Server) serveRegistration(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") && !t.has(RegistersText) {
		write(w, http.StatusUnsupportedMediaType, map[string]string{"error": "invalid_client_metadata"})
		return
	}
	var asked struct {
		RedirectURIs []string `json:"redirect_uris"`
		Method       string   `json:"token_endpoint_auth_method"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRegistration)).Decode(&asked); err != nil {
		write(w, http.StatusBadRequest, map[string]string{"error": "invalid_client_metadata"})
		return
	}
	usable := slices.DeleteFunc(slices.Clone(asked.RedirectURIs), func(uri string) bool { return !t.mayRegister(uri) })
	spoilt := t.has(RegistersAllOrNothing) && len(usable) < len(asked.RedirectURIs)
	t.clients.mu.Lock()
	defer t.clients.mu.Unlock()
	if len(usable) == 0 || spoilt || len(t.clients.all) >= maxClients {
		write(w, http.StatusBadRequest, map[string]string{"error": "invalid_redirect_uri"})
		return
	}
	made := &registeredClient{redirects: usable}
	answer := map[string]any{"client_id": fmt.Sprint(len(t.clients.all)), "redirect_uris": usable}
	if asked.Method == "client_secret_basic" {
		made.secret = rand.Text()
		answer["client_secret"] = made.secret
		answer["client_secret_expires_at"] = 0
		answer["token_endpoint_auth_method"] = asked.Method
	}
	t.clients.all = append(t.clients.all, made)
	write(w, http.StatusCreated, answer)
}

func (t *Server) mayRegister(uri string) bool {
	switch {
	case strings.HasPrefix(uri, t.origin+"/"):
		return t.has(RegistersOwnOrigin)
	case strings.Contains(uri, "%"):
		return t.has(ShowsHostsDecoded)
	}
	return strings.HasPrefix(uri, "https://") || strings.HasPrefix(uri, "http://127.0.0.1:")
}

// serveAuthorization shows a page that asks for consent.
func (t *Server) serveAuthorization(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	redirect, err := url.Parse(query.Get("redirect_uri"))
	if err != nil || !t.isRegistered(query.Get("client_id"), query.Get("redirect_uri")) {
		http.Error(w, "The client or its redirect URI is not known.", http.StatusBadRequest)
		return
	}
	if query.Get("response_type") != "code" {
		if t.has(RedirectsErrorsAnywhere) {
			http.Redirect(w, r, redirect.String()+"?error=unsupported_response_type", http.StatusFound)
			return
		}
		http.Error(w, "The only response_type is code.", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprintf(w, "<p>Approve an answer to %s?</p>", html.EscapeString(redirect.Host))
}

func (t *Server) isRegistered(id, redirect string) bool {
	t.clients.mu.Lock()
	defer t.clients.mu.Unlock()
	found := t.clients.find(id)
	return found != nil && slices.Contains(found.redirects, redirect)
}

// find is the client of an ID, or nil. The lock is held.
func (c *registeredClients) find(id string) *registeredClient {
	for number, one := range c.all {
		if fmt.Sprint(number) == id {
			return one
		}
	}
	return nil
}
