package broker

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"mcpentra/server/broker/lookalike"
	"mcpentra/server/clientip"
	"mcpentra/server/entra"
	"mcpentra/server/store"
	"mcpentra/server/token"
)

// A Config says what a broker is. Issuer, Resource, Entra and Store are required.
type Config struct {
	// Issuer is the origin that the broker is served at, such as https://mcp.example.com, without a
	// slash at the end.
	Issuer string
	// Resource is the URL of the MCP endpoint: the audience of every access token.
	Resource string
	// OtherResources are URLs that mean the same endpoint, such as that of an older transport.
	// Clients may name one of them; tokens are for Resource all the same.
	OtherResources []string
	// ResourceName is what the consent page calls the server. Empty means the host of Issuer.
	ResourceName string
	// Scopes are what clients can ask for. Nil means DefaultScopes.
	Scopes []Scope
	// Entra signs people in.
	Entra *entra.Client
	// Store remembers.
	Store store.Store
	// Keys encrypt what is stored. Nil means a key made at the start, so that a store does not
	// outlive the process.
	Keys *Keys
	// SigningKey signs access tokens; a P-256 key. Nil means one that is made once and kept,
	// encrypted, in the store.
	SigningKey *ecdsa.PrivateKey
	// RegistrationsPerMinute bounds the registrations that clients of one network (/24 of IPv4, /48
	// of IPv6) can make, and also the sign-ins that they can begin. Zero means 120; negative means
	// no bound.
	RegistrationsPerMinute int
	// TrustedProxies are the reverse proxies whose X-Forwarded-For is believed. Nil believes none.
	TrustedProxies clientip.Proxies
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// Rand is where codes, tokens and keys come from. Nil means crypto/rand.
	Rand io.Reader
	// Logger hears of sign-ins and refusals, never of a token, code or secret. Nil discards.
	Logger *slog.Logger
}

// A Scope is something that a client can ask for: a name of the server's own, what it means to a
// person, and what it needs of Entra.
type Scope struct {
	Name        string   // such as user.read
	Description string   // completes "… would like to"
	Upstream    []string // delegated Graph permissions, such as User.Read
}

// DefaultScopes is the one scope that the reference server's tools need. The first scope of a
// broker is what a client gets that asks for none.
func DefaultScopes() []Scope {
	return []Scope{{Name: "user.read", Description: "read your name and profile", Upstream: []string{"User.Read"}}}
}

// Lifetimes. Access tokens are short-lived, since they are checked without asking anybody; a grant
// slides with its use.
const (
	accessTokenLifetime = 10 * time.Minute
	codeLifetime        = time.Minute
	transactionLifetime = 15 * time.Minute
	grantLifetime       = 30 * 24 * time.Hour
	sessionLifetime     = 8 * time.Hour
	consentLifetime     = 180 * 24 * time.Hour
	unusedClient        = 24 * time.Hour
	usedClient          = 180 * 24 * time.Hour
	upstreamMargin      = 5 * time.Minute
)

// Kinds of records.
const (
	kindClient      = "client"
	kindTransaction = "transaction"
	kindCode        = "code"
	kindGrant       = "grant"
	kindConsent     = "consent"
	kindSigningKey  = "signing key"
	kindDeployment  = "deployment"
)

// limit bounds the records of a kind that strangers can make without signing in, so that they
// cannot fill the store. A client that a person has signed in with does not count. Zero means the
// store's own bound.
func limit(kind string) int {
	switch kind {
	case kindTransaction, kindCode:
		return 10_000
	case kindClient:
		return 20_000
	}
	return 0
}

// CallbackPath is where Entra sends the browser back to, at the issuer's origin.
const CallbackPath = "/auth/callback"

// A Broker is an authorization server. It is safe for concurrent use and starts no goroutine.
type Broker struct {
	config   Config
	log      *slog.Logger
	secure   bool // the issuer is https, so cookies can say so
	ownHost  string
	ownPort  uint16
	origin   string // of the issuer, as browsers write it
	known    *lookalike.Table
	records  *sealedStore
	signing  *signingKey
	verified *token.Cache[*knownCaller]
	routes   *http.ServeMux

	budgets  *lru.Cache[string, *rate.Limiter] // by budget and network
	guesses  *lru.Cache[string, *rate.Limiter] // by network and client: wrong credentials
	upstream singleflight.Group                // refreshes at Entra, by grant
	signIns  singleflight.Group                // codes at Entra, by transaction
}

// New makes a broker. With a store that has none yet it makes and keeps a signing key, which is why
// it takes a context.
func New(ctx context.Context, config Config) (*Broker, error) {
	issuer, err := url.Parse(config.Issuer)
	if err != nil || issuer.Host == "" || issuer.Path != "" || issuer.RawQuery != "" || issuer.Fragment != "" ||
		issuer.Scheme != "https" && issuer.Scheme != "http" {
		return nil, fmt.Errorf(
			"broker: want an origin such as https://mcp.example.com as issuer, got %q",
			config.Issuer,
		)
	}
	if config.Entra == nil || config.Store == nil || config.Resource == "" {
		return nil, errors.New("broker: Entra, Store and Resource are required")
	}
	if config.Scopes == nil {
		config.Scopes = DefaultScopes()
	}
	if config.ResourceName == "" {
		config.ResourceName = issuer.Host
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Rand == nil {
		config.Rand = rand.Reader
	}
	if config.RegistrationsPerMinute == 0 {
		config.RegistrationsPerMinute = 120
	}
	if config.Keys == nil {
		if config.Keys, err = NewKeys(config.Rand); err != nil {
			return nil, err
		}
	}
	b := &Broker{config: config, log: config.Logger, secure: issuer.Scheme == "https"}
	if b.ownHost, err = browserHost(issuer); err != nil {
		return nil, fmt.Errorf("broker: issuer %q: want a host in IDNA ASCII form", config.Issuer)
	}
	if b.ownPort, err = browserPort(issuer); err != nil {
		return nil, fmt.Errorf("broker: issuer %q: want a port from 1 to 65535", config.Issuer)
	}
	b.origin = issuer.Scheme + "://" + hostAndPort(issuer.Scheme, b.ownHost, b.ownPort)
	if b.known, err = lookalike.Load(); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	b.records = &sealedStore{store: config.Store, keys: config.Keys, random: config.Rand}
	if b.signing, err = b.loadSigningKey(ctx); err != nil {
		return nil, err
	}
	verifier := &token.Verifier{
		Issuer:       config.Issuer,
		Audiences:    []string{config.Resource},
		Algorithms:   []string{"ES256"},
		Types:        []string{"at+jwt"},
		Keys:         token.StaticKeys(b.signing.public()),
		Limit:        token.NewLimit(),
		Now:          config.Now,
		ExpiryLeeway: token.AccessLeeway,
	}
	b.verified = token.NewCache(0, verifier.Verify, readClaims)
	b.budgets = newLimiters()
	b.guesses = newLimiters()
	b.routes = b.newRoutes()
	return b, nil
}

// Bind makes a store belong to one deployment: the authority, tenant and application that its
// grants come from. A store that belongs to another is refused, so that what a fake has vouched for
// never counts in front of a tenant.
func (b *Broker) Bind(ctx context.Context, deployment string) error {
	var bound struct {
		Deployment string `json:"deployment"`
	}
	bound.Deployment = deployment
	err := b.records.create(ctx, kindDeployment, "this", "", bound, b.config.Now().AddDate(100, 0, 0))
	if errors.Is(err, store.ErrConflict) {
		if err = b.records.getLasting(ctx, kindDeployment, "this", &bound); err == nil &&
			bound.Deployment != deployment {
			return fmt.Errorf(
				"broker: the store belongs to %s, and this is %s: use another STORE_URL",
				bound.Deployment,
				deployment,
			)
		}
	}
	return err
}

// newRoutes lists the endpoints, at the paths that a client of MCP 2025-03-26 assumes without
// metadata.
func (b *Broker) newRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/oauth-authorization-server", b.open(b.handleMetadata, http.MethodGet))
	mux.HandleFunc("/.well-known/openid-configuration", b.open(b.handleOpenIDConfiguration, http.MethodGet))
	mux.HandleFunc("/jwks", b.open(b.handleKeys, http.MethodGet))
	mux.HandleFunc("/register", b.open(b.handleRegister, http.MethodPost))
	mux.HandleFunc("/token", b.open(b.handleToken, http.MethodPost))
	mux.HandleFunc("/revoke", b.open(b.handleRevoke, http.MethodPost))
	mux.HandleFunc("GET /authorize", b.navigated(b.handleAuthorize))
	mux.HandleFunc("POST /authorize", b.navigated(b.handleAuthorize))
	mux.HandleFunc("POST "+consentPath, b.handleConsent)
	mux.HandleFunc("GET "+CallbackPath, b.navigated(b.handleCallback))
	mux.HandleFunc("/authorize", b.otherMethod("GET, HEAD, POST"))
	mux.HandleFunc(consentPath, b.otherMethod("POST"))
	mux.HandleFunc(CallbackPath, b.otherMethod("GET, HEAD"))
	return mux
}

// Paths are what the broker has to be mounted at.
func Paths() []string {
	return []string{
		"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", "/jwks", "/register", "/token", "/revoke",
		"/authorize", consentPath, CallbackPath,
	}
}

func (b *Broker) ServeHTTP(w http.ResponseWriter, r *http.Request) { b.routes.ServeHTTP(w, r) }

// open lets scripts of any site use an endpoint, which has no cookies and asks for none. The
// authorization endpoint is not among them (OAuth 2.1 section 3.1).
func (b *Broker) open(next http.HandlerFunc, method string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Access-Control-Allow-Origin", "*")
		header.Set("X-Content-Type-Options", "nosniff")
		switch {
		case r.Method == http.MethodOptions:
			header.Set("Access-Control-Allow-Methods", method+", OPTIONS")
			header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, MCP-Protocol-Version")
			header.Set("Access-Control-Max-Age", "86400")
			w.WriteHeader(http.StatusNoContent)
		case r.Method == method, method == http.MethodGet && r.Method == http.MethodHead:
			next(w, r)
		default:
			header.Set("Allow", method+", OPTIONS")
			problem := badRequest("invalid_request", "this endpoint takes "+method+" only").saw("method", r.Method)
			problem.status = http.StatusMethodNotAllowed
			b.refuse(w, r, problem)
		}
	}
}

// otherMethod refuses the methods that a page of the sign-in does not take.
func (b *Broker) otherMethod(allowed string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", allowed)
		b.showProblem(w, r, http.StatusMethodNotAllowed, "This page takes "+allowed+" only.", sight{"method", r.Method})
	}
}

// scope finds one by its name.
func (b *Broker) scope(name string) *Scope {
	for i := range b.config.Scopes {
		if b.config.Scopes[i].Name == name {
			return &b.config.Scopes[i]
		}
	}
	return nil
}

// upstreamScopes are what Entra is asked for on behalf of the scopes.
func (b *Broker) upstreamScopes(names []string) []string {
	var all []string
	for _, name := range names {
		if found := b.scope(name); found != nil {
			all = append(all, found.Upstream...)
		}
	}
	return all
}

func (b *Broker) now() time.Time { return b.config.Now() }

// secret makes a value that cannot be guessed: 256 bits.
func (b *Broker) secret() (string, error) {
	bytes := make([]byte, 32)
	if _, err := io.ReadFull(b.config.Rand, bytes); err != nil {
		return "", fmt.Errorf("broker: no randomness: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(bytes), nil
}

// hashed is what a secret is stored and found by.
func hashed(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
