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

// registeredClients are the clients that have registered.
type registeredClients struct {
	mu  sync.Mutex
	all []*registeredClient // by the client's number
}

type registeredClient struct {
	redirects []string
	secret    string // empty for a public client
	guesses   int    // wrong secrets
}

// maxClients bounds the clients, and maxRegistration the bytes of a registration.
const (
	maxClients      = 1000
	maxRegistration = 16 << 10
)

// serveRegistration registers a client with its usable redirect URIs.
func (s *Server) serveRegistration(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") && !s.has(RegistersText) {
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
	usable := slices.DeleteFunc(slices.Clone(asked.RedirectURIs), func(uri string) bool { return !s.mayRegister(uri) })
	spoilt := s.has(RegistersAllOrNothing) && len(usable) < len(asked.RedirectURIs)
	s.clients.mu.Lock()
	defer s.clients.mu.Unlock()
	if len(usable) == 0 || spoilt || len(s.clients.all) >= maxClients {
		write(w, http.StatusBadRequest, map[string]string{"error": "invalid_redirect_uri"})
		return
	}
	made := &registeredClient{redirects: usable}
	answer := map[string]any{"client_id": fmt.Sprint(len(s.clients.all)), "redirect_uris": usable}
	if asked.Method == "client_secret_basic" {
		made.secret = rand.Text()
		answer["client_secret"] = made.secret
		answer["client_secret_expires_at"] = 0
		answer["token_endpoint_auth_method"] = asked.Method
	}
	s.clients.all = append(s.clients.all, made)
	write(w, http.StatusCreated, answer)
}

func (s *Server) mayRegister(uri string) bool {
	switch {
	case strings.HasPrefix(uri, s.origin+"/"):
		return s.has(RegistersOwnOrigin)
	case strings.Contains(uri, "%"):
		return s.has(ShowsHostsDecoded)
	}
	isInClear := strings.HasPrefix(uri, "http://") && s.has(RegistersPlainHTTP)
	return strings.HasPrefix(uri, "https://") || strings.HasPrefix(uri, "http://127.0.0.1:") || isInClear
}

// serveAuthorization shows a consent page.
func (s *Server) serveAuthorization(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	redirect, err := url.Parse(query.Get("redirect_uri"))
	isRegistered := s.isRegistered(query.Get("client_id"), query.Get("redirect_uri"))
	if s.has(RedirectsAnywhere) && !isRegistered {
		http.Redirect(w, r, query.Get("redirect_uri")+"?error=invalid_request", http.StatusFound)
		return
	}
	if err != nil || !isRegistered {
		http.Error(w, "The client or its redirect URI is unknown.", http.StatusBadRequest)
		return
	}
	if query.Get("response_type") != "code" {
		if s.has(RedirectsErrorsAnywhere) {
			http.Redirect(w, r, redirect.String()+"?error=unsupported_response_type", http.StatusFound)
			return
		}
		http.Error(w, "The only response_type is code.", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprintf(w, "<p>Approve an answer to %s?</p>", html.EscapeString(redirect.Host))
}

func (s *Server) isRegistered(id, redirect string) bool {
	s.clients.mu.Lock()
	defer s.clients.mu.Unlock()
	found := s.clients.find(id)
	return found != nil && slices.Contains(found.redirects, redirect)
}

// find returns the client with an ID, or nil. The caller holds the lock.
func (c *registeredClients) find(id string) *registeredClient {
	for number, client := range c.all {
		if fmt.Sprint(number) == id {
			return client
		}
	}
	return nil
}
