package rig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Config describes an issuer.
type Config struct {
	// Address to listen at, host:port. Port 0 means a free one.
	Address string
	// Audience of the tokens. Required.
	Audience string
	// Scopes of a good token.
	Scopes []string
	// Claims are added to each token, and replace its own.
	Claims map[string]any
	// Algorithm that signs the tokens: RS256, PS256, ES256 or HS256. Empty means RS256.
	Algorithm string
	// Secret of HS256, which the server under test has too. Required for HS256 only. The issuer
	// then publishes an empty key set.
	Secret []byte
}

// An Issuer serves its metadata and its key set, and makes tokens. Its authorization and token
// endpoints refuse every request.
type Issuer struct {
	// URL is the issuer identifier. The key set is at its path /keys.
	URL string

	config Config
	key    any // a crypto.Signer, or the secret of HS256
	server *http.Server

	mu        sync.Mutex
	keySet    http.Handler // in place of the issuer's own, or nil
	discovery http.Handler
	fetches   int
}

const (
	keyBits = 2048
	// keyID names the issuer's key.
	keyID = "rig"
)

// Listen starts an issuer. The caller closes it.
func Listen(config Config) (*Issuer, error) {
	if config.Algorithm == "" {
		config.Algorithm = string(jose.RS256)
	}
	key, err := newKey(config)
	if err != nil {
		return nil, fmt.Errorf("rig: %w", err)
	}
	listener, err := net.Listen("tcp", config.Address)
	if err != nil {
		return nil, fmt.Errorf("rig: %w", err)
	}
	host, _, err := net.SplitHostPort(config.Address)
	if err != nil || host == "" {
		host = "localhost"
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	i := &Issuer{URL: "http://" + net.JoinHostPort(host, port), config: config, key: key}
	i.server = &http.Server{Handler: i, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = i.server.Serve(listener) }()
	return i, nil
}

// newKey returns a new key for the algorithm, or the secret of HS256.
func newKey(config Config) (any, error) {
	switch jose.SignatureAlgorithm(config.Algorithm) {
	case jose.RS256, jose.PS256:
		return rsa.GenerateKey(rand.Reader, keyBits)
	case jose.ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.HS256:
		if len(config.Secret) == 0 {
			return nil, errors.New("want a secret for HS256, got none")
		}
		return config.Secret, nil
	}
	return nil, fmt.Errorf("want the algorithm RS256, PS256, ES256 or HS256, got %q", config.Algorithm)
}

// Close stops the issuer.
func (i *Issuer) Close() { _ = i.server.Close() }

// ServeHTTP serves the documents of the issuer.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server":
		i.serve(w, r, i.changed(&i.discovery), i.Discovery())
	case "/keys":
		i.mu.Lock()
		i.fetches++
		i.mu.Unlock()
		i.serve(w, r, i.changed(&i.keySet), i.KeySet())
	case "/authorize", "/token":
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"temporarily_unavailable","error_description":"this issuer signs no one in"}`))
	default:
		http.NotFound(w, r)
	}
}

func (i *Issuer) serve(w http.ResponseWriter, r *http.Request, changed http.Handler, own []byte) {
	if changed != nil {
		changed.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(own)
}

func (i *Issuer) changed(handler *http.Handler) http.Handler {
	i.mu.Lock()
	defer i.mu.Unlock()
	return *handler
}

// KeySet returns the issuer's own key set (RFC 7517 section 5).
func (i *Issuer) KeySet() []byte {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	if signer, isPair := i.key.(crypto.Signer); isPair {
		key := jose.JSONWebKey{Key: signer.Public(), KeyID: keyID, Use: "sig", Algorithm: i.config.Algorithm}
		set.Keys = append(set.Keys, key)
	}
	return written(set)
}

// Discovery returns the issuer's own metadata (OpenID Connect Discovery 1.0 section 3, RFC 8414
// section 2).
func (i *Issuer) Discovery() []byte {
	document := map[string]any{
		"issuer":                                i.URL,
		"authorization_endpoint":                i.URL + "/authorize",
		"token_endpoint":                        i.URL + "/token",
		"jwks_uri":                              i.URL + "/keys",
		"response_types_supported":              []string{"code"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{i.config.Algorithm},
		"code_challenge_methods_supported":      []string{"S256"},
		"token_endpoint_auth_methods_supported": []string{"none"},
	}
	if len(i.config.Scopes) > 0 {
		document["scopes_supported"] = i.config.Scopes
	}
	return written(document)
}

// ServeKeySet sets the handler of requests for the key set. Nil restores the issuer's own.
func (i *Issuer) ServeKeySet(handler http.Handler) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keySet = handler
}

// ServeDiscovery sets the handler of requests for the metadata. Nil restores the issuer's own.
func (i *Issuer) ServeDiscovery(handler http.Handler) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.discovery = handler
}

// KeySetFetches returns how often the key set was requested.
func (i *Issuer) KeySetFetches() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches
}

// scope returns the scopes as the claim scope has them (RFC 9068 section 2.2.3).
func (i *Issuer) scope() string { return strings.Join(i.config.Scopes, " ") }

func written(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // the values are our own
	}
	return text
}
