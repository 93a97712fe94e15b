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

	"mcpentra/server/broker/fetch"
	"mcpentra/server/broker/lookalike"
	"mcpentra/server/clientip"
	"mcpentra/server/entra"
	"mcpentra/server/store"
	"mcpentra/server/token"
)

// A Config configures a broker. Issuer, Resource, Entra and Store are required.
type Config struct {
	// Issuer is the broker's origin, such as https://mcp.example.com, without a slash at the end.
	Issuer string
	// Resource is the URL of the MCP endpoint: the audience of every access token.
	Resource string
	// OtherResources are other URLs of the same endpoint, such as the one of an older transport.
	// Clients may ask for a token for one of them. The token is for Resource in any case.
	OtherResources []string
	// ResourceName is the server's name on the consent page. Empty means the host of Issuer.
	ResourceName string
	// Scopes are the scopes of the MCP endpoint. A client that asks for none gets the first one.
	// Nil means DefaultScopes.
	Scopes []Scope
	// Resources are the other resources for which the broker issues access tokens. A client names
	// one with the parameter resource (RFC 8707). A request without it means Resource.
	Resources []Resource
	// Entra signs people in.
	Entra *entra.Client
	// Store keeps the broker's records.
	Store store.Store
	// Keys encrypt the records. Nil means a key made at the start. Then no later process can read
	// the store.
	Keys *Keys
	// SigningKey signs access tokens. It is a P-256 key. Nil means a key that the broker makes once
	// and keeps, encrypted, in the store.
	SigningKey *ecdsa.PrivateKey
	// RegistrationsPerMinute bounds the registrations of clients in one network (/24 of IPv4, /48
	// of IPv6), and separately their sign-ins. Zero means 120; negative means no bound.
	RegistrationsPerMinute int
	// Limits bound what one source may do beyond that.
	Limits Limits
	// Clients decides which clients can use the broker.
	Clients ClientPolicy
	// TrustedProxies are the reverse proxies whose X-Forwarded-For or Forwarded counts. Nil means
	// none.
	TrustedProxies clientip.Proxies
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// Rand is the source of codes, tokens and keys. Nil means crypto/rand.
	Rand io.Reader
	// Logger records sign-ins and refusals, and never a token, code or secret. Nil discards.
	Logger *slog.Logger
}

// A Broker is an authorization server. It is safe for concurrent use and starts no goroutine; see
// Maintain.
type Broker struct {
	config    Config
	resources []*resource // the MCP endpoint comes first
	log       *slog.Logger
	secure    bool // the issuer is https, so cookies are Secure
	ownHost   string
	ownPort   uint16
	origin    string // of the issuer, in the form that browsers send
	known     *lookalike.Table
	records   *sealedStore
	file      *clientFile             // nil without one
	documents *fetch.Fetcher[*client] // nil without client documents
	jwks      *clientKeys
	signing   signingSets
	verified  *token.Cache[*knownCaller]
	routes    *http.ServeMux

	budgets  *lru.Cache[string, *rate.Limiter] // by budget and network
	guesses  *lru.Cache[string, *rate.Limiter] // wrong credentials, by network and client
	upstream singleflight.Group                // refreshes at Entra, by grant
	signIns  singleflight.Group                // codes at Entra, by transaction
}

// New makes a broker. If the Config and the store have no signing key, New makes one and stores it
// with ctx.
func New(ctx context.Context, config Config) (*Broker, error) {
	issuer, err := url.Parse(config.Issuer)
	if err != nil || !isOrigin(issuer) {
		return nil, fmt.Errorf(
			"broker: want an origin such as https://mcp.example.com as issuer, got %q",
			config.Issuer,
		)
	}
	if config.Entra == nil || config.Store == nil || config.Resource == "" {
		return nil, errors.New("broker: Entra, Store and Resource are required")
	}
	config, err = config.withDefaults(issuer)
	if err != nil {
		return nil, err
	}
	resources, err := newResources(config)
	if err != nil {
		return nil, err
	}
	b := &Broker{
		config:    config,
		resources: resources,
		log:       config.Logger,
		secure:    issuer.Scheme == "https",
		records: &sealedStore{
			store:   config.Store,
			keys:    config.Keys,
			random:  config.Rand,
			now:     config.Now,
			pending: config.Limits.Pending,
		},
		budgets: newLimiters(),
		guesses: newLimiters(),
	}
	b.ownHost, err = browserHost(issuer)
	if err != nil {
		return nil, fmt.Errorf("broker: issuer %q: want a host in IDNA ASCII form", config.Issuer)
	}
	b.ownPort, err = browserPort(issuer)
	if err != nil {
		return nil, fmt.Errorf("broker: issuer %q: want a port from 1 to 65535", config.Issuer)
	}
	b.origin = issuer.Scheme + "://" + hostAndPort(issuer.Scheme, b.ownHost, b.ownPort)
	b.known, err = lookalike.Load()
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	if err := b.openClients(); err != nil {
		return nil, err
	}
	if err := b.openDocuments(); err != nil {
		return nil, err
	}
	if err := b.openClientKeys(); err != nil {
		return nil, err
	}
	if err := b.records.createEpoch(ctx); err != nil {
		return nil, fmt.Errorf("broker: the store's epoch: %w", err)
	}
	if err := b.loadSigningKeys(ctx); err != nil {
		return nil, err
	}
	b.verified = token.NewCache(0, b.newVerifier().Verify, readClaims)
	b.routes = b.newRoutes()
	return b, nil
}

func isOrigin(u *url.URL) bool {
	isWeb := u.Scheme == "https" || u.Scheme == "http"
	return isWeb && u.Host != "" && u.Path == "" && u.RawQuery == "" && u.Fragment == ""
}

func (c Config) withDefaults(issuer *url.URL) (Config, error) {
	if c.Scopes == nil {
		c.Scopes = DefaultScopes()
	}
	if c.ResourceName == "" {
		c.ResourceName = issuer.Host
	}
	clients, err := c.Clients.withDefaults()
	if err != nil {
		return c, err
	}
	c.Clients = clients
	if c.RegistrationsPerMinute == 0 {
		c.RegistrationsPerMinute = 120
	}
	c.Limits = c.Limits.withDefaults(c.RegistrationsPerMinute)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Keys == nil {
		keys, err := NewKeys(c.Rand)
		if err != nil {
			return c, err
		}
		c.Keys = keys
	}
	return c, nil
}

// A boundDeployment names the deployment of a store.
type boundDeployment struct {
	Deployment string `json:"deployment"`
}

// Bind makes a store belong to one deployment: an authority, a tenant and an application. It
// refuses a store of another deployment. So a sign-in at a fake never counts for a tenant.
func (b *Broker) Bind(ctx context.Context, deployment string) error {
	bound := boundDeployment{Deployment: deployment}
	err := b.records.create(ctx, kindDeployment, "this", "", bound, lasting(b.now()))
	if !errors.Is(err, store.ErrConflict) {
		return err
	}
	err = b.records.getLasting(ctx, kindDeployment, "this", &bound)
	if err == nil && bound.Deployment != deployment {
		return fmt.Errorf(
			"broker: the store belongs to %s, and this is %s: use another STORE_URL",
			bound.Deployment,
			deployment,
		)
	}
	return err
}

func (b *Broker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if b.secure {
		w.Header().Set("Strict-Transport-Security", "max-age=31536000")
	}
	b.routes.ServeHTTP(w, r)
}

func (b *Broker) now() time.Time { return b.config.Now() }

// secret returns a random value of 256 bits in base64url.
func (b *Broker) secret() (string, error) {
	bytes := make([]byte, 32)
	if _, err := io.ReadFull(b.config.Rand, bytes); err != nil {
		return "", fmt.Errorf("broker: no randomness: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(bytes), nil
}

// idLength is how many characters of a secret make an ID: 132 bits.
const idLength = 22

// hashed returns the hash under which the store keeps a secret.
func hashed(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
