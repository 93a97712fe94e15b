package twins

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// clientsOfTwin are those that have registered.
type clientsOfTwin struct {
	mu        sync.Mutex
	redirects [][]string // by the client's number
}

// maxClients bounds them, and maxRegistration is the largest registration, in bytes.
const (
	maxClients      = 1000
	maxRegistration = 16 << 10
)

// serveRegistration registers a client with those of its redirect URIs that are usable.
func (t *Twin) serveRegistration(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		RedirectURIs []string `json:"redirect_uris"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRegistration)).Decode(&asked); err != nil {
		write(w, http.StatusBadRequest, map[string]string{"error": "invalid_client_metadata"})
		return
	}
	usable := slices.DeleteFunc(slices.Clone(asked.RedirectURIs), func(uri string) bool { return !t.mayRegister(uri) })
	spoilt := t.has(RegistersAllOrNothing) && len(usable) < len(asked.RedirectURIs)
	t.clients.mu.Lock()
	defer t.clients.mu.Unlock()
	if len(usable) == 0 || spoilt || len(t.clients.redirects) >= maxClients {
		write(w, http.StatusBadRequest, map[string]string{"error": "invalid_redirect_uri"})
		return
	}
	id := fmt.Sprint(len(t.clients.redirects))
	t.clients.redirects = append(t.clients.redirects, usable)
	write(w, http.StatusCreated, map[string]any{"client_id": id, "redirect_uris": usable})
}

func (t *Twin) mayRegister(uri string) bool {
	switch {
	case strings.HasPrefix(uri, t.origin+"/"):
		return t.has(RegistersOwnOrigin)
	case strings.Contains(uri, "%"):
		return t.has(ShowsHostsDecoded)
	}
	return strings.HasPrefix(uri, "https://") || strings.HasPrefix(uri, "http://127.0.0.1:")
}

// serveAuthorization shows a page that asks for consent.
func (t *Twin) serveAuthorization(w http.ResponseWriter, r *http.Request) {
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

func (t *Twin) isRegistered(id, redirect string) bool {
	t.clients.mu.Lock()
	defer t.clients.mu.Unlock()
	for number, redirects := range t.clients.redirects {
		if fmt.Sprint(number) == id {
			return slices.Contains(redirects, redirect)
		}
	}
	return false
}
