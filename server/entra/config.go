package entra

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"mcpentra/server/loopback"
)

// Config names the tenant and the registration that a [Client] speaks for. TenantID, ClientID,
// RedirectURI, and either ClientSecret or Credential are required.
type Config struct {
	// Authority is Entra's host or its URL without a path; "" means login.microsoftonline.com. It
	// must be a host of a known cloud, or a loopback address for a fake. Plain http is accepted on
	// loopback only.
	Authority string
	// TenantID is the directory (tenant) ID, a GUID, or a verified domain of the tenant. The names
	// common, organizations and consumers are refused, because they mean many tenants.
	TenantID string
	// ClientID is the application (client) ID of the web app registration, a GUID.
	ClientID string
	// ClientSecret is the Value (not the ID) of a client secret of the registration.
	ClientSecret string
	// Credential authenticates the registration in place of ClientSecret. A server that may run on
	// several platforms can choose: a certificate, a token of the platform, or a managed identity.
	Credential Credential
	// RedirectURI is the address to which Entra sends the browser back. It must be registered under
	// the platform Web.
	RedirectURI string
	// GraphURL is another address of Microsoft Graph, on loopback only. "" means the cloud's Graph,
	// or the authority if that is a loopback address.
	GraphURL string
	// HTTPClient sends every request; nil means a client of its own, which uses no proxy. It never
	// follows redirects.
	HTTPClient *http.Client
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger records problems with Entra, never a token, code or secret; nil discards.
	Logger *slog.Logger
	// TrustPublicFakeKeys accepts tokens signed with the fake issuer's embedded keys. These keys
	// are public: with a fake that others can reach, every program can sign in as any person. It is
	// not needed for an authority on loopback: a fake there is trusted, and logged once.
	TrustPublicFakeKeys bool
}

// Deployment names the authority, tenant and application of a registration. The name is the same
// however the settings are written, so a program can keep a store for each deployment.
func (cfg Config) Deployment() string {
	authority := strings.ToLower(strings.TrimRight(cfg.Authority, "/"))
	if authority == "" {
		authority = clouds[0].authority
	}
	return strings.Join([]string{
		strings.TrimPrefix(authority, "https://"),
		strings.ToLower(cfg.TenantID),
		strings.ToLower(cfg.ClientID),
	}, " ")
}

// ConfigError reports a setting that cannot work. Key is its name in .env.
type ConfigError struct {
	Key, Problem string
}

func (e *ConfigError) Error() string { return e.Key + " " + e.Problem }

// cloud is a separate instance of Entra.
type cloud struct {
	authority string   // the host that issuers and endpoints name
	aliases   []string // other hosts of the same cloud
	graph     []string // Graph's hosts; the first is the default
	sts       string   // the host that v1 issuers name
	exchange  string   // the audience of foreign tokens (workload identity federation)
}

var clouds = []cloud{
	{
		"login.microsoftonline.com",
		[]string{"login.windows.net", "login.microsoft.com"},
		[]string{"graph.microsoft.com"},
		"sts.windows.net",
		"api://AzureADTokenExchange",
	},
	{
		"login.microsoftonline.us",
		[]string{"login.usgovcloudapi.net"},
		[]string{"graph.microsoft.us", "dod-graph.microsoft.us"},
		"sts.windows.net",
		"api://AzureADTokenExchangeUSGov",
	},
	{
		"login.partner.microsoftonline.cn",
		[]string{"login.chinacloudapi.cn"},
		[]string{"microsoftgraph.chinacloudapi.cn"},
		"sts.chinacloudapi.cn",
		"api://AzureADTokenExchangeChina",
	},
}

// deployment is a validated Config.
type deployment struct {
	authority string // scheme and host, without a slash at the end
	loopback  bool
	tenant    string
	cloud     cloud
	graphURL  string // Graph's base URL, "" if it follows from the cloud
}

var (
	guid   = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	domain = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$`)
)

// readSignIn validates a registration that signs people in.
func (cfg *Config) readSignIn() (*deployment, error) {
	d, err := cfg.read()
	if err != nil {
		return nil, err
	}
	if cfg.credential() == nil {
		return nil, missingCredential("")
	}
	redirect, err := url.Parse(cfg.RedirectURI)
	if err != nil || !secureURL(redirect) || redirect.Fragment != "" {
		return nil, &ConfigError{
			"AUTH_REDIRECT_URI",
			"has to be an https URL, or http on localhost, and registered under the platform Web",
		}
	}
	return d, nil
}

// read validates the fields that every registration needs.
func (cfg *Config) read() (*deployment, error) {
	d := &deployment{tenant: strings.ToLower(cfg.TenantID)}
	switch {
	case d.tenant == "":
		return nil, &ConfigError{
			"AUTH_TENANT_ID",
			"is missing: write the Directory (tenant) ID from the app registration's overview page",
		}
	case d.tenant == "common", d.tenant == "organizations", d.tenant == "consumers":
		return nil, &ConfigError{
			"AUTH_TENANT_ID",
			fmt.Sprintf("is %q, which means many tenants: write the Directory (tenant) ID of yours", d.tenant),
		}
	case !guid.MatchString(d.tenant) && !domain.MatchString(d.tenant):
		return nil, &ConfigError{
			"AUTH_TENANT_ID",
			"is neither a GUID nor a domain name: write the Directory (tenant) ID from the app registration's " +
				"overview page",
		}
	case cfg.ClientID == "":
		return nil, &ConfigError{
			"AUTH_CLIENT_ID",
			"is missing: write the Application (client) ID from the app registration's overview page",
		}
	case !guid.MatchString(strings.ToLower(cfg.ClientID)):
		return nil, &ConfigError{
			"AUTH_CLIENT_ID",
			"is not a GUID: write the Application (client) ID from the app registration's overview page",
		}
	}
	if err := cfg.readCredential(); err != nil {
		return nil, err
	}
	if err := d.readAuthority(cfg.Authority); err != nil {
		return nil, err
	}
	if err := d.readGraph(cfg.GraphURL); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *deployment) readAuthority(authority string) error {
	if authority == "" {
		authority = clouds[0].authority
	}
	if !strings.Contains(authority, "://") {
		authority = "https://" + authority
	}
	u, err := url.Parse(authority)
	if err != nil || !isOrigin(u) {
		return &ConfigError{
			"AUTH_AUTHORITY",
			"has to be a host, or a URL with scheme and host alone: write the tenant to AUTH_TENANT_ID",
		}
	}
	if !secureURL(u) {
		return &ConfigError{"AUTH_AUTHORITY", "has to be https; plain http is accepted on loopback only"}
	}
	host := strings.ToLower(u.Host)
	d.authority = u.Scheme + "://" + host
	d.loopback = loopback.IsHost(u.Hostname())
	for _, c := range clouds {
		for _, name := range append([]string{c.authority}, c.aliases...) {
			if host != name && host != name+":443" {
				continue
			}
			// Issuers name the canonical host, even if an alias was asked.
			d.authority = "https://" + c.authority
			d.cloud = c
			return nil
		}
	}
	if !d.loopback {
		return &ConfigError{
			"AUTH_AUTHORITY",
			fmt.Sprintf("is %q: write a host of Entra's clouds (%s, %s, %s), or a loopback address",
				u.Host, clouds[0].authority, clouds[1].authority, clouds[2].authority),
		}
	}
	d.cloud = clouds[0]
	d.graphURL = d.authority
	return nil
}

func (d *deployment) readGraph(graphURL string) error {
	if graphURL == "" {
		return nil
	}
	u, err := url.Parse(graphURL)
	if err != nil || !isLoopbackURL(u) {
		return &ConfigError{
			"AUTH_GRAPH_URL",
			"has to be an http or https URL on loopback; leave it out for a tenant, because Graph's address " +
				"follows from the cloud",
		}
	}
	d.graphURL = strings.TrimRight(graphURL, "/")
	return nil
}

// isOrigin reports whether a URL has a scheme and a host alone, apart from slashes.
func isOrigin(u *url.URL) bool {
	bare := u.RawQuery == "" && u.Fragment == "" && u.User == nil
	return u.Host != "" && strings.Trim(u.Path, "/") == "" && bare
}

// isLoopbackURL reports whether a URL of http or https leads to this machine. It may have a path.
func isLoopbackURL(u *url.URL) bool {
	web := u.Scheme == "http" || u.Scheme == "https"
	bare := u.RawQuery == "" && u.Fragment == "" && u.User == nil
	return web && bare && loopback.IsHost(u.Hostname())
}

// secureURL reports whether a request to a URL stays secret on the way: over https, or over plain
// http on this machine.
func secureURL(u *url.URL) bool {
	if u.Host == "" || u.User != nil {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && loopback.IsHost(u.Hostname())
}
