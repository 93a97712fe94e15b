package rig

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Config describes a provider.
type Config struct {
	// Address to listen at, host:port. Port 0 means a free one.
	Address string
	// Claims of the person are added to each ID token, and replace the provider's own.
	Claims map[string]any
}

// A Provider signs one person in, without a page. It knows every client, and takes any secret. Each
// path below its URL is an issuer of its own, whose metadata is where OpenID Connect Discovery 1.0
// section 4 or RFC 8414 section 3 wants it.
type Provider struct {
	// URL is the issuer identifier without a path.
	URL string

	config Config
	key    *rsa.PrivateKey
	other  *rsa.PrivateKey // that the key set does not name
	server *http.Server

	mu      sync.Mutex
	rename  func(issuer string) string // or nil
	signIns map[string]*SignIn         // by code
}

const (
	keyBits = 2048
	// keyID names the provider's key.
	keyID = "rig"
)

// keys makes the keys of all providers of the process once, because RSA keys take time.
var keys = sync.OnceValues(func() (made [2]*rsa.PrivateKey, err error) {
	for i := range made {
		made[i], err = rsa.GenerateKey(rand.Reader, keyBits)
		if err != nil {
			return made, err
		}
	}
	return made, nil
})

// Listen starts a provider. The caller closes it.
func Listen(config Config) (*Provider, error) {
	made, err := keys()
	if err != nil {
		return nil, fmt.Errorf("rig: %w", err)
	}
	p := &Provider{config: config, key: made[0], other: made[1], signIns: map[string]*SignIn{}}
	listener, err := net.Listen("tcp", config.Address)
	if err != nil {
		return nil, fmt.Errorf("rig: %w", err)
	}
	host, _, err := net.SplitHostPort(config.Address)
	if err != nil || host == "" {
		host = "localhost"
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	p.URL = "http://" + net.JoinHostPort(host, port)
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = p.server.Serve(listener) }()
	return p, nil
}

// Another starts another provider with the same person, at a free port of the same host. The caller
// closes it.
func (p *Provider) Another() (*Provider, error) {
	config := p.config
	host, _, err := net.SplitHostPort(config.Address)
	if err != nil {
		return nil, fmt.Errorf("rig: %w", err)
	}
	config.Address = net.JoinHostPort(host, "0")
	return Listen(config)
}

// Close stops the provider.
func (p *Provider) Close() { _ = p.server.Close() }

// The names of metadata documents (OpenID Connect Discovery 1.0 section 4, RFC 8414 section 3).
var wellKnown = []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"}

// ServeHTTP serves the metadata and the endpoints of every issuer.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, name := range wellKnown {
		before, after, found := strings.Cut(r.URL.Path, name)
		if found && (before == "" || after == "") {
			p.serveMetadata(w, p.URL+before+after)
			return
		}
	}
	end := strings.LastIndex(r.URL.Path, "/")
	issuer := p.URL + r.URL.Path[:max(0, end)]
	switch r.URL.Path[end+1:] {
	case "authorize":
		p.serveAuthorize(w, r, issuer)
	case "token":
		p.serveToken(w, r, issuer)
	case "userinfo":
		p.serveUserinfo(w, r)
	case "keys":
		writeJSON(w, http.StatusOK, p.keySet())
	default:
		http.NotFound(w, r)
	}
}

// Rename sets another name for each issuer, in its metadata and in all that it issues.
func (p *Provider) Rename(name func(issuer string) string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rename = name
}

// named returns the name of an issuer.
func (p *Provider) named(issuer string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rename != nil {
		return p.rename(issuer)
	}
	return issuer
}

func (p *Provider) serveMetadata(w http.ResponseWriter, issuer string) {
	document := metadata(issuer)
	document["issuer"] = p.named(issuer)
	writeJSON(w, http.StatusOK, document)
}

// metadata returns the metadata of an issuer whose endpoints are below its URL.
func metadata(issuer string) map[string]any {
	return map[string]any{
		"issuer":                                issuer,
		"authorization_endpoint":                issuer + "/authorize",
		"token_endpoint":                        issuer + "/token",
		"userinfo_endpoint":                     issuer + "/userinfo",
		"jwks_uri":                              issuer + "/keys",
		"scopes_supported":                      []string{"openid", "profile", "email", "offline_access"},
		"response_types_supported":              []string{"code"},
		"response_modes_supported":              []string{"query"},
		"grant_types_supported":                 []string{"authorization_code", "refresh_token"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{string(jose.RS256)},
		"code_challenge_methods_supported":      []string{"S256"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post", "none"},

		"authorization_response_iss_parameter_supported": true,
	}
}

func (p *Provider) keySet() jose.JSONWebKeySet {
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: p.key.Public(), KeyID: keyID, Use: "sig", Algorithm: string(jose.RS256)},
	}}
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	writeHead(w, status)
	_ = json.NewEncoder(w).Encode(value)
}

func writeHead(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
}

// writePadded writes an object of one member at least. Padding is the length in bytes of a member
// in front of the others. It is sent in blocks, so the head does not wait for it.
func writePadded(w http.ResponseWriter, members map[string]any, padding int) {
	text, err := json.Marshal(members)
	if err != nil || padding == 0 || len(members) == 0 {
		writeJSON(w, http.StatusOK, members)
		return
	}
	writeHead(w, http.StatusOK)
	_, err = io.WriteString(w, `{"mcp_auth_conformance":"`)
	block := bytes.Repeat([]byte("x"), 64<<10)
	for padding > 0 && err == nil {
		sent := min(padding, len(block))
		_, err = w.Write(block[:sent])
		padding -= sent
	}
	_, _ = w.Write(append([]byte(`",`), text[1:]...))
}
