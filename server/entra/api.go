package entra

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"mcpentra/server/token"
)

// An APIConfig selects the access tokens that an API accepts, and their tenants and clients.
type APIConfig struct {
	// IdentifierURI is the registration's Application ID URI. "" means api://{client id}.
	IdentifierURI string
	// Versions are the accepted versions of access tokens: 1, 2 or both. nil means 2. The
	// registration decides which version Entra issues: api.requestedAccessTokenVersion in its
	// manifest, where null means 1.
	Versions []int
	// Tenants are the directory (tenant) IDs whose people and applications may call, besides
	// Config.TenantID. No value means all tenants.
	Tenants []string
	// Clients are the application (client) IDs that may call. nil means every client that gets a
	// token from a listed tenant.
	Clients []string
	// ConfidentialClients refuses the tokens of clients that did not authenticate (azpacr, or
	// appidacr in v1). These are public clients, such as programs on people's own machines.
	ConfidentialClients bool
	// CacheSize is the number of verified tokens to remember. 0 means token.DefaultCacheSize; a
	// negative number means none.
	CacheSize int
}

// An API is a registration that exposes an API. It verifies the access tokens that Entra issues for
// the API, and exchanges them for Graph tokens. It is safe for concurrent use.
type API struct {
	cfg     APIConfig
	home    *Client
	tenants []*Client // home first
	known   map[string]knownIssuer
	refused map[string]bool // issuers of the listed tenants in a version that is not accepted
	issuers token.Issuers
	cache   *token.Cache[*verifiedCaller]
	behalf  *behalfCache
}

// knownIssuer is the tenant and the token version of an issuer.
type knownIssuer struct {
	client  *Client
	version string // as the claim ver has it
}

// NewAPI reads the configuration; it sends no request. It ignores cfg.RedirectURI, and only
// [API.OnBehalfOf] needs a credential. cfg.TenantID must be the ID, because tokens name no
// domain. The error is a [*ConfigError].
func NewAPI(cfg Config, api APIConfig) (*API, error) {
	if api.IdentifierURI == "" {
		api.IdentifierURI = "api://" + strings.ToLower(cfg.ClientID)
	}
	if len(api.Versions) == 0 {
		api.Versions = []int{2}
	}
	cfg.ClientID = strings.ToLower(cfg.ClientID)
	a := &API{cfg: api, known: map[string]knownIssuer{}, refused: map[string]bool{}, issuers: token.Issuers{}}
	if err := a.readRules(); err != nil {
		return nil, err
	}
	if err := a.readTenants(cfg); err != nil {
		return nil, err
	}
	limit := token.NewLimit()
	for name, known := range a.known {
		a.issuers[name] = &token.Verifier{
			Issuer:       name,
			Audiences:    []string{cfg.ClientID, api.IdentifierURI},
			Algorithms:   []string{string(jose.RS256)},
			Types:        []string{"JWT"},
			Keys:         known.client.trusted(known.client.issuerKeys),
			Limit:        limit,
			Now:          a.home.now,
			ExpiryLeeway: token.AccessLeeway,
		}
	}
	a.cache = token.NewCache(api.CacheSize, a.issuers.Verify, a.read)
	a.behalf = newBehalfCache()
	return a, nil
}

func (a *API) readRules() error {
	if uri := a.cfg.IdentifierURI; !isIdentifierURI(uri) {
		return &ConfigError{
			"AUTH_AUDIENCE",
			fmt.Sprintf("is %q: write the Application ID URI from the registration's page Expose an API, such as "+
				"api://{client id}", uri),
		}
	}
	for _, version := range a.cfg.Versions {
		if version != 1 && version != 2 {
			return &ConfigError{"AUTH_TOKEN_VERSION", fmt.Sprintf("is %d: write 1, 2 or both", version)}
		}
	}
	a.cfg.Clients = slices.Clone(a.cfg.Clients)
	for i, client := range a.cfg.Clients {
		client = strings.ToLower(client)
		if !guid.MatchString(client) {
			return &ConfigError{
				"AUTH_ALLOWED_CLIENTS",
				fmt.Sprintf("has %q: write the Application (client) ID of each client", client),
			}
		}
		a.cfg.Clients[i] = client
	}
	return nil
}

// isIdentifierURI reports whether a text can be an Application ID URI: an absolute URI in printable
// ASCII that ends without a slash.
func isIdentifierURI(uri string) bool {
	unusable := func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }
	return strings.Contains(uri, "://") && !strings.HasSuffix(uri, "/") && !strings.ContainsFunc(uri, unusable)
}

// readTenants makes a client for each tenant, so that no tenant's document or keys count for
// another.
func (a *API) readTenants(cfg Config) error {
	seen := map[string]bool{}
	for i, id := range append([]string{cfg.TenantID}, a.cfg.Tenants...) {
		id = strings.ToLower(id)
		if seen[id] {
			continue
		}
		seen[id] = true
		registration := cfg
		registration.TenantID = id
		if i > 0 && !guid.MatchString(id) {
			return &ConfigError{
				"AUTH_ALLOWED_TENANTS",
				fmt.Sprintf("has %q: write the Directory (tenant) ID of each tenant; no value allows all tenants", id),
			}
		}
		d, err := registration.read()
		if err != nil {
			return err
		}
		if !guid.MatchString(id) {
			return &ConfigError{
				"AUTH_TENANT_ID",
				"is a domain name: write the Directory (tenant) ID, because access tokens name no domain",
			}
		}
		client := newClient(registration, d)
		a.tenants = append(a.tenants, client)
		client.warnedOfFake = a.tenants[0].warnedOfFake
		for version, name := range map[int]string{1: d.issuerV1(), 2: d.issuer()} {
			if slices.Contains(a.cfg.Versions, version) {
				a.known[name] = knownIssuer{client, fmt.Sprintf("%d.0", version)}
			} else {
				a.refused[name] = true
			}
		}
	}
	a.home = a.tenants[0]
	return nil
}

// issuer returns the tenant's issuer in v2 tokens. The discovery document has to name the same.
func (d *deployment) issuer() string { return d.authority + "/" + d.tenant + "/v2.0" }

// issuerV1 returns the tenant's issuer in v1 tokens. It has a slash at the end.
func (d *deployment) issuerV1() string { return "https://" + d.cloud.sts + "/" + d.tenant + "/" }

// issuerKeys finds keys of this tenant alone. If the document names a key's issuer, it is the
// tenant's v2 issuer or its template. The same keys sign v1 tokens.
func (c *Client) issuerKeys(ctx context.Context, kid string, issued time.Time) ([]jose.JSONWebKey, error) {
	_, keys, err := c.discover(ctx)
	if err == nil {
		return keys.Keys(ctx, kid, issued)
	}
	var unavailable *UnavailableError
	if errors.As(err, &unavailable) {
		return nil, &token.UnavailableError{RetryAfter: max(unavailable.RetryAfter, 5*time.Second), Err: err}
	}
	return nil, &token.UnavailableError{RetryAfter: time.Minute, Err: err}
}

// Issuers returns the v2 issuers of the tenants, the home tenant's first. Clients get their tokens
// from them.
func (a *API) Issuers() []string {
	var all []string
	for _, tenant := range a.tenants {
		all = append(all, tenant.deployment.issuer())
	}
	return all
}

// ScopePrefix returns the text before a scope's name in a client's request, such as api://…/.
// Tokens have the name alone.
func (a *API) ScopePrefix() string { return a.cfg.IdentifierURI + "/" }

// Check asks Entra whether the configuration is right: each tenant, its keys, and the credential if
// there is one. It returns the errors of [Client.Check].
func (a *API) Check(ctx context.Context) error {
	for _, tenant := range a.tenants[1:] {
		if _, err := tenant.checkIssuer(ctx); err != nil {
			return err
		}
	}
	if a.home.cfg.credential() == nil {
		_, err := a.home.checkIssuer(ctx)
		return err
	}
	return a.home.Check(ctx)
}

// Me asks Graph for the person of a Graph token; see [Client.Me].
func (a *API) Me(ctx context.Context, accessToken string) (*Profile, error) {
	return a.home.Me(ctx, accessToken)
}
