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

// An APIConfig says which of Entra's access tokens an API takes, and from whom.
type APIConfig struct {
	// IdentifierURI is the registration's Application ID URI. "" means api://{client id}.
	IdentifierURI string
	// Versions are the versions of access tokens that are taken: 1, 2 or both. nil means 2. The
	// registration decides which one Entra issues: api.requestedAccessTokenVersion in its manifest,
	// where null means 1.
	Versions []int
	// Tenants are the directory (tenant) IDs whose people and applications may call, beside
	// Config.TenantID. There is no word for all of them.
	Tenants []string
	// Clients are the application (client) IDs that may call. nil means every one that a tenant
	// gives a token to.
	Clients []string
	// ConfidentialClients refuses the tokens of clients that have not authenticated themselves
	// (azpacr, or appidacr in v1): public ones, such as programs on people's own machines.
	ConfidentialClients bool
	// CacheSize is how many verified tokens are remembered. 0 means token.DefaultCacheSize; a
	// negative one means none.
	CacheSize int
}

// An API is a registration that exposes an API, seen from the resource server: it judges the access
// tokens that Entra issues for it, and exchanges them for Graph's. It may be used by many
// goroutines at once.
type API struct {
	cfg     APIConfig
	home    *Client
	tenants []*Client // home first
	known   map[string]knownIssuer
	refused map[string]bool // issuers of the listed tenants in a version that is not taken
	issuers token.Issuers
	cache   *token.Cache[*verifiedCaller]
	behalf  *behalfCache
}

// knownIssuer is what an issuer's name says.
type knownIssuer struct {
	client  *Client
	version string // as the claim ver has it
}

// NewAPI reads the configuration; it does not touch the network. Of cfg, RedirectURI is not used,
// and ClientSecret is needed only to go on behalf of the caller. TenantID has to be the ID itself:
// tokens name no domain. The error is a
// [*ConfigError].
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
	uri := a.cfg.IdentifierURI
	if !strings.Contains(uri, "://") || strings.HasSuffix(uri, "/") ||
		strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
		return &ConfigError{
			"AUTH_AUDIENCE",
			fmt.Sprintf(
				"is %q: write the Application ID URI from the registration's page Expose an API, such as api://{client id}",
				uri,
			),
		}
	}
	for _, version := range a.cfg.Versions {
		if version != 1 && version != 2 {
			return &ConfigError{"AUTH_TOKEN_VERSION", fmt.Sprintf("is %d: write 1, 2 or both", version)}
		}
	}
	for i, client := range a.cfg.Clients {
		if client = strings.ToLower(client); !guid.MatchString(client) {
			return &ConfigError{
				"AUTH_ALLOWED_CLIENTS",
				fmt.Sprintf("has %q, which is no Application (client) ID", client),
			}
		}
		if i == 0 {
			a.cfg.Clients = slices.Clone(a.cfg.Clients)
		}
		a.cfg.Clients[i] = client
	}
	return nil
}

// readTenants makes a client for each tenant: documents and keys of one are never looked at for
// another.
func (a *API) readTenants(cfg Config) error {
	seen := map[string]bool{}
	for i, id := range append([]string{cfg.TenantID}, a.cfg.Tenants...) {
		id = strings.ToLower(id)
		if seen[id] {
			continue
		}
		seen[id] = true
		one := cfg
		one.TenantID = id
		if i > 0 && !guid.MatchString(id) {
			return &ConfigError{
				"AUTH_ALLOWED_TENANTS",
				fmt.Sprintf(
					"has %q: write the Directory (tenant) ID of each tenant; there is no word for all of them",
					id,
				),
			}
		}
		d, err := one.read()
		if err != nil {
			return err
		}
		if !guid.MatchString(id) {
			return &ConfigError{
				"AUTH_TENANT_ID",
				"is a domain name: write the Directory (tenant) ID, which is what access tokens say",
			}
		}
		client := newClient(one, d)
		a.tenants = append(a.tenants, client)
		client.warnedOfFake = a.tenants[0].warnedOfFake
		for version, name := range map[int]string{1: d.oldIssuer(), 2: d.issuer()} {
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

// issuer is the tenant's name in v2 tokens. The discovery document has to agree, or it is not used.
func (d *deployment) issuer() string { return d.authority + "/" + d.tenant + "/v2.0" }

// oldIssuer is its name in v1 tokens, which has a slash at the end.
func (d *deployment) oldIssuer() string { return "https://" + d.cloud.sts + "/" + d.tenant + "/" }

// issuerKeys finds the keys of this tenant alone. Where its document names a key's issuer, that is
// the tenant's v2 issuer or the template of one; v1 tokens are signed with the same keys.
func (c *Client) issuerKeys(ctx context.Context, kid string, issued time.Time) ([]jose.JSONWebKey, error) {
	_, keys, err := c.discover(ctx)
	if err == nil {
		return keys.Keys(ctx, kid, issued)
	}
	var away *UnavailableError
	if errors.As(err, &away) {
		return nil, &token.UnavailableError{RetryAfter: max(away.RetryAfter, 5*time.Second), Err: err}
	}
	return nil, &token.UnavailableError{RetryAfter: time.Minute, Err: err}
}

// Issuers are the v2 issuers of the tenants, the home tenant's first: where clients get their
// tokens from.
func (a *API) Issuers() []string {
	var all []string
	for _, one := range a.tenants {
		all = append(all, one.deployment.issuer())
	}
	return all
}

// ScopePrefix is what stands before a scope's name when a client asks for it: api://…/ and then the
// name. In tokens the name stands alone.
func (a *API) ScopePrefix() string { return a.cfg.IdentifierURI + "/" }

// Check asks Entra whether the configuration is right: each tenant, its keys, and the secret if
// there is one. The errors are those of [Client.Check].
func (a *API) Check(ctx context.Context) error {
	for _, one := range a.tenants[1:] {
		if _, err := one.checkIssuer(ctx); err != nil {
			return err
		}
	}
	if a.home.cfg.ClientSecret == "" {
		_, err := a.home.checkIssuer(ctx)
		return err
	}
	return a.home.Check(ctx)
}

// Me asks Graph who an access token speaks for, see [Client.Me].
func (a *API) Me(ctx context.Context, accessToken string) (*Profile, error) {
	return a.home.Me(ctx, accessToken)
}
