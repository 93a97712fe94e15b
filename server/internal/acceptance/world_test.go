package acceptance_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"mcpentra/server/broker"
	"mcpentra/server/entra"
	"mcpentra/server/store"
)

var started = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

const (
	issuer   = "https://mcp.example.com"
	resource = issuer + "/mcp"
)

// A tester is what the world needs of *testing.T and *rapid.T.
type tester interface {
	require.TestingT
	Context() context.Context
}

// A world is some replicas of a broker on one store, and the Entra ID and the clock of all of them.
type world struct {
	t        tester
	options  options
	seconds  atomic.Int64 // since started
	entra    *instantEntra
	client   *entra.Client
	replicas []*broker.Broker
}

// The options of a world.
type options struct {
	// store opens the store of one replica.
	store func(now func() time.Time) store.Store
	// replicas is their number. 0 means 1.
	replicas  int
	keys      *broker.Keys // nil means new ones
	clients   broker.ClientPolicy
	perMinute int // 0 means no bound
	limits    broker.Limits
	log       io.Writer
	realTime  bool // the clock of the machine
}

// newWorld starts the replicas.
func newWorld(t tester, o options) *world {
	w := &world{t: t, options: o}
	w.entra = newInstantEntra(w.now)
	if o.keys == nil {
		keys, err := broker.NewKeys(rand.Reader)
		require.NoError(t, err)
		w.options.keys = keys
	}
	if o.perMinute == 0 {
		w.options.perMinute = -1
	}
	client, err := entra.New(entra.Config{
		TenantID:            tenantID,
		ClientID:            clientID,
		ClientSecret:        "entra-client-secret",
		RedirectURI:         issuer + broker.CallbackPath,
		Now:                 w.now,
		TrustPublicFakeKeys: true,
		HTTPClient:          &http.Client{Transport: w.entra},
	})
	require.NoError(t, err)
	w.client = client
	for i := range max(1, o.replicas) {
		w.replicas = append(w.replicas, nil)
		w.restart(i)
	}
	return w
}

func (w *world) now() time.Time {
	if w.options.realTime {
		return time.Now()
	}
	return started.Add(time.Duration(w.seconds.Load()) * time.Second)
}

// later sets the clock forward, by whole seconds.
func (w *world) later(d time.Duration) { w.seconds.Add(int64(d / time.Second)) }

// logger returns the logger of the replicas.
func (w *world) logger() *slog.Logger {
	if w.options.log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(w.options.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// restart replaces a replica by a new one on the same store.
func (w *world) restart(i int) {
	made, err := broker.New(w.t.Context(), broker.Config{
		Issuer:                 issuer,
		Resource:               resource,
		Entra:                  w.client,
		Store:                  w.options.store(w.now),
		Keys:                   w.options.keys,
		Now:                    w.now,
		RegistrationsPerMinute: w.options.perMinute,
		Limits:                 w.options.limits,
		Clients:                w.options.clients,
		Scopes:                 scopes,
		Logger:                 w.logger(),
	})
	require.NoError(w.t, err)
	w.replicas[i] = made
}

// scopes of the broker. A consent page shows their descriptions.
var scopes = []broker.Scope{
	{Name: "user.read", Description: "read your name", Upstream: []string{"User.Read"}},
	{Name: "notes.read", Description: "read your notes", Upstream: []string{"User.Read"}},
	{Name: "notes.write", Description: "change your notes", Upstream: []string{"User.Read"}},
}

// An answer is the broker's answer to a request.
type answer struct {
	status int
	header http.Header
	body   string
}

// send sends a request to a replica. Headers lists names and values.
func (w *world) send(replica int, method, target, body string, headers ...string) answer {
	return w.sendFrom("192.0.2.1:1234", replica, method, target, body, headers...)
}

// sendFrom is send for a request from an address.
func (w *world) sendFrom(address string, replica int, method, target, body string, headers ...string) answer {
	r, err := http.NewRequestWithContext(w.t.Context(), method, issuer+target, strings.NewReader(body))
	require.NoError(w.t, err)
	r.RemoteAddr = address
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	w.replicas[replica].ServeHTTP(recorder, r)
	return answer{recorder.Code, recorder.Header(), recorder.Body.String()}
}

// post sends a form.
func (w *world) post(replica int, target string, form url.Values, headers ...string) answer {
	headers = append(headers, "Content-Type", "application/x-www-form-urlencoded")
	return w.send(replica, http.MethodPost, target, form.Encode(), headers...)
}

func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// A told is what the endpoints for programs answer.
type told struct {
	status int

	Error      string `json:"error"`
	Access     string `json:"access_token"`
	Refresh    string `json:"refresh_token"`
	Scope      string `json:"scope"`
	Lifetime   int    `json:"expires_in"`
	ClientID   string `json:"client_id"`
	Secret     string `json:"client_secret"`
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"`
	Active     bool   `json:"active"`
}

func (w *world) read(a answer) told {
	got := told{status: a.status}
	if a.body != "" {
		require.NoError(w.t, json.Unmarshal([]byte(a.body), &got), a.body)
	}
	return got
}

// Redirect URIs of the programs.
const (
	loopback = "http://127.0.0.1:5555/cb"
	appURI   = "https://app.example/cb"
)

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// register registers a program.
func (w *world) register(replica int, metadata map[string]any, headers ...string) told {
	text, err := json.Marshal(metadata)
	require.NoError(w.t, err)
	headers = append(headers, "Content-Type", "application/json")
	return w.read(w.send(replica, http.MethodPost, "/register", string(text), headers...))
}

// metadata of a program without a secret.
func metadata() map[string]any {
	return map[string]any{
		"client_name":                "Program",
		"redirect_uris":              []string{loopback},
		"token_endpoint_auth_method": "none",
	}
}

// Clients of the file of clients. They have the same secret.
const (
	resourceServer = "resource-server" // introspects all tokens
	application    = "application"     // calls for itself
)

// clientFile writes the file of clients into a folder, and returns its name and the secret.
func clientFile(t require.TestingT, folder string) (name, secret string) {
	secret, hash, err := broker.NewClientSecret(rand.Reader)
	require.NoError(t, err)
	name = filepath.Join(folder, "clients.json")
	text := fmt.Sprintf(`{"clients": [
		{"client_id": %q, "token_endpoint_auth_method": "client_secret_basic", "client_secret_hashes": [%q],
			"introspection": true},
		{"client_id": %q, "token_endpoint_auth_method": "client_secret_basic", "client_secret_hashes": [%q],
			"grant_types": ["client_credentials"], "scope": "user.read"}
	]}`, resourceServer, hash, application, hash)
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name, secret
}

func basic(id, secret string) string {
	text := url.QueryEscape(id) + ":" + url.QueryEscape(secret)
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(text))
}
