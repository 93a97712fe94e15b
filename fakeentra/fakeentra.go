package fakeentra

import (
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/fault"
	"mcpentra/fakeentra/internal/claims"
	"mcpentra/fakeentra/internal/graph"
	"mcpentra/fakeentra/internal/rules"
	"mcpentra/fakeentra/internal/signing"
	"mcpentra/fakeentra/internal/state"
	"mcpentra/fakeentra/journal"
)

// A Config describes a fake. Its zero value has a complete directory and behaves like Entra ID
// today.
type Config struct {
	// Directory holds the tenants, apps and people. The zero value is directory.Default().
	Directory directory.Directory
	// PublicURL is the scheme and host in documents and tokens. Empty means the listener's URL.
	// Without a listener it means Microsoft's hosts.
	PublicURL string
	// BackchannelURL is the scheme and host that discovery documents give for the endpoints that
	// only programs call: token, keys, device code and userinfo. Set it for a fake in a container,
	// which has one name inside and another outside. Issuers and pages stay at the public URL.
	// Empty means the public URL for all.
	BackchannelURL string
	// Cloud selects the hosts of a fake without a listener, and the names in documents. Empty means
	// the public cloud.
	Cloud Cloud
	// Face selects Entra ID's behaviour, or the behaviour that MCP expects. The zero value is Entra
	// ID's.
	Face Face
	// ResourceParameter is the rule for the parameter resource (RFC 8707). The zero value is
	// Entra ID's rule of 2026.
	ResourceParameter ResourceParameter
	// ExactLoopbackPort wants the registered port of http://127.0.0.1. By default a public client
	// may use any port, like the port of localhost. Reports about Entra ID disagree, and most
	// speak for any port (M).
	ExactLoopbackPort bool
	// ErrorLines separates the parts of error_description by CR LF, as Entra ID did until the
	// autumn of 2023. Since then it writes a blank.
	ErrorLines bool
	// PoPChallenge puts a challenge for proof of possession before Bearer in Graph's answer to a
	// revoked token, as recorded in 2024.
	PoPChallenge bool
	// GraphPageSize is the number of entries of a page of Graph if the request has no $top, from 1
	// to 999. 0 means the number in the directory, or else 10. Graph itself has 100.
	GraphPageSize int
	// IdentityHeader is the secret that requests to the managed identity endpoint of App Service
	// send. Empty means a random one. See Fake.IdentityEnvironment.
	IdentityHeader string
	// FederationClient fetches the keys of the issuers of federated credentials. Nil means that the
	// fake refuses these credentials.
	FederationClient *http.Client
	// AutoSignIn signs in the person that login_hint names, or else the first one. It shows no page
	// and asks for no consent.
	AutoSignIn bool
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// Rand is the source of codes, tokens and IDs. Nil means crypto/rand. Two fakes with the same
	// seeded reader and a fixed clock give the same answers.
	Rand io.Reader
	// Chaos applies faults to a share of all requests, for long runs. The zero value applies none.
	Chaos fault.Chaos
	// Portal makes the pages for people at / and below /portal/. Use portal.Handler. The fake shows
	// them to this machine only. Other machines get a list of addresses, and so do all if Portal is
	// nil.
	Portal func(*Fake) http.Handler
	// Logger receives a line for each request: method, path, status, AADSTS number and fault. Nil
	// discards them.
	Logger *slog.Logger
}

// A ResourceParameter is a rule for the parameter resource.
type ResourceParameter string

const (
	// ResourceMustMatch is Entra ID's rule since early 2026: resource must be an identifier URI of
	// the app that owns the scopes. Otherwise the error is AADSTS9010010.
	ResourceMustMatch ResourceParameter = ""
	// ResourceRefused is the rule before: any resource is AADSTS901002.
	ResourceRefused ResourceParameter = "refused"
	// ResourceIgnored ignores the parameter. Entra ID never did.
	ResourceIgnored ResourceParameter = "ignored"
)

// A Fake is a fake Entra ID without a listener. It is safe for concurrent use.
type Fake struct {
	config    Config
	directory directory.Directory
	rules     rules.Rules // over the directory above
	claims    claims.Maker
	cloud     profile
	origins
	routes  func() *http.ServeMux // made at the first request, because this would take most of New's time
	graph   func() http.Handler
	portal  func() http.Handler // nil without Config.Portal
	clock   *clock
	random  *random
	logger  *slog.Logger
	journal *journal.Journal
	script  *fault.Script
	keys    *signing.Keys
	state   *state.State

	// directoryMu guards the directory. The state points into it, so each request holds a read
	// lock.
	directoryMu sync.RWMutex
}

// New makes a fake without a listener. Its error names the mistake in the Config.
func New(config Config) (*Fake, error) {
	if len(config.Directory.Tenants) == 0 {
		config.Directory = directory.Default()
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if err := config.check(); err != nil {
		return nil, err
	}
	cloud, err := config.profile()
	if err != nil {
		return nil, err
	}
	origins, err := config.origins(cloud)
	if err != nil {
		return nil, err
	}
	f := &Fake{
		config:    config,
		directory: config.Directory,
		cloud:     cloud,
		origins:   origins,
		clock:     &clock{source: config.Now},
		random:    &random{source: config.Rand},
		logger:    config.Logger,
		journal:   journal.New(),
		script:    &fault.Script{},
		keys:      signing.NewKeys(),
		state:     state.New(),
	}
	if f.config.IdentityHeader == "" {
		f.config.IdentityHeader = rand.Text()
	}
	if cloud.externalID {
		f.keys = signing.NewExternalKeys()
	}
	if f.logger == nil {
		f.logger = slog.New(slog.DiscardHandler)
	}
	if err := f.script.SetChaos(config.Chaos); err != nil {
		return nil, fmt.Errorf("fakeentra: %w", err)
	}
	f.rules = rules.Rules{
		Directory:         &f.directory,
		Authority:         f.authority,
		STS:               cloud.sts,
		GraphURL:          f.graphURL,
		ExternalID:        cloud.externalID,
		AzureADGraph:      "https://" + cloud.azureADGraph,
		Created:           f.state.CreatedPrincipal,
		ExactLoopbackPort: config.ExactLoopbackPort,
	}
	if config.PublicURL != "" {
		f.rules.AzureADGraph = f.graphURL
	}
	f.claims = claims.Maker{Rules: &f.rules, Now: f.clock.now, Random: f.random.bytes}
	f.graph = sync.OnceValue(func() http.Handler {
		return graph.Handler(graph.Config{
			Origin:    f.graphURL,
			Authority: f.authority,
			Caller:    f.graphCaller,
			Now:       f.clock.now,
			NewID:     f.random.guid,
			PageSize:  f.graphPageSize,
			Batched:   f.batched,
		})
	})
	f.routes = sync.OnceValue(f.newRoutes)
	if config.Portal != nil {
		f.portal = sync.OnceValue(func() http.Handler { return config.Portal(f) })
	}
	return f, nil
}

// check returns the first mistake in the directory, in ResourceParameter or in Face.
func (c *Config) check() error {
	if err := c.Directory.Check(); err != nil {
		return fmt.Errorf("fakeentra: %w", err)
	}
	if err := directory.CheckGraphPageSize(c.GraphPageSize); err != nil {
		return fmt.Errorf("fakeentra: %w", err)
	}
	switch c.ResourceParameter {
	case ResourceMustMatch, ResourceRefused, ResourceIgnored:
	default:
		return fmt.Errorf("fakeentra: want %q, %q or nothing as rule for the parameter resource, got %q",
			ResourceRefused, ResourceIgnored, c.ResourceParameter)
	}
	if c.Face != EntraFace && c.Face != SpecAlignedFace {
		return fmt.Errorf("fakeentra: want %q or nothing as face, got %q", SpecAlignedFace, c.Face)
	}
	return nil
}

// The origins are the scheme and host of the authority, of the endpoints for programs, and of
// Graph.
type origins struct {
	authority   string
	backchannel string
	graphURL    string
}

// origins returns the origins of a fake without a listener.
func (c *Config) origins(cloud profile) (origins, error) {
	found := origins{authority: cloud.authority, graphURL: cloud.graph}
	var err error
	if c.PublicURL != "" {
		found.authority, err = originOf("public URL", c.PublicURL)
		if err != nil {
			return origins{}, err
		}
		found.graphURL = found.authority
	}
	found.backchannel = found.authority
	if c.BackchannelURL != "" {
		found.backchannel, err = originOf("backchannel URL", c.BackchannelURL)
	}
	return found, err
}

// originOf returns the scheme and host of a URL that has no other part.
func originOf(name, text string) (string, error) {
	parsed, err := url.Parse(text)
	if err != nil || !isOrigin(parsed) {
		return "", fmt.Errorf("fakeentra: want a %s of scheme and host, got %q", name, text)
	}
	return parsed.Scheme + "://" + parsed.Host, nil
}

// isOrigin reports whether a URL has a scheme, a host and nothing else.
func isOrigin(u *url.URL) bool {
	isWeb := u.Scheme == "http" || u.Scheme == "https"
	isBare := u.User == nil && strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && u.Fragment == ""
	return isWeb && u.Host != "" && isBare && isPort(u.Port())
}

// isPort reports whether a text is a port, or empty.
func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return text == "" || err == nil
}

// Authority returns the scheme and host to configure in a client, such as
// https://login.microsoftonline.com.
func (f *Fake) Authority() string { return f.authority }

// GraphURL returns the scheme and host of Microsoft Graph.
func (f *Fake) GraphURL() string { return f.graphURL }

// Issuer returns the v2 issuer of a tenant, given by its ID.
func (f *Fake) Issuer(tenantID string) string { return f.rules.Issuer(tenantID) }

// V1Issuer returns the v1 issuer of a tenant, given by its ID.
func (f *Fake) V1Issuer(tenantID string) string { return f.rules.V1Issuer(tenantID) }

// Tenant returns the first tenant of the directory.
func (f *Fake) Tenant() directory.Tenant { return f.Directory().Tenants[0] }
