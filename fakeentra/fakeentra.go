package fakeentra

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
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

// A Config describes a fake. Its zero value is a whole directory with Entra ID's present behaviour.
type Config struct {
	// Directory holds the tenants, apps and people. The zero value is directory.Default().
	Directory directory.Directory
	// PublicURL is the scheme and host in documents and tokens. Empty means the listener's URL, or
	// Microsoft's hosts without a listener.
	PublicURL string
	// BackchannelURL is the scheme and host of the endpoints that programs call and browsers do
	// not: token, keys, device code and userinfo in discovery documents. Set it for a fake in a
	// container, which has one name inside and another outside. Issuers and pages stay at the
	// public URL. Empty means the public URL for all.
	BackchannelURL string
	// Cloud selects the hosts of a fake without a listener, and the names in documents. Empty means
	// the public cloud.
	Cloud Cloud
	// Face is Entra ID as it is, or as MCP would like it to be. The zero value is Entra ID.
	Face Face
	// ResourceParameter is the rule for the parameter resource (RFC 8707). The zero value is
	// Entra's rule of 2026.
	ResourceParameter ResourceParameter
	// AnyLoopbackPort lets the port of http://127.0.0.1 differ from the registered one, as the port
	// of localhost always may. Microsoft's documentation and reports of its users disagree about
	// it.
	AnyLoopbackPort bool
	// ErrorLines separates the lines of error_description by a carriage return and a line feed, as
	// Entra ID did until the autumn of 2023. Since then it writes a blank.
	ErrorLines bool
	// FederationClient reaches the issuers of federated credentials. Nil means that no issuer can
	// be reached.
	FederationClient *http.Client
	// AutoSignIn signs in the person that login_hint names, or else the first one. It shows no page
	// and takes consent as given.
	AutoSignIn bool
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// Rand is the source of codes, tokens and IDs. Nil means crypto/rand. With a seeded reader and
	// a fixed clock two fakes give the same answers.
	Rand io.Reader
	// Chaos applies faults to a share of all requests, for long runs. The zero value applies none.
	Chaos fault.Chaos
	// Logger receives a line for each request: method, path, status, AADSTS number and fault. Nil
	// discards them.
	Logger *slog.Logger
}

// A ResourceParameter is a rule for the parameter resource.
type ResourceParameter string

const (
	// ResourceMustMatch is Entra's rule since early 2026: resource has to be an identifier URI of
	// the app that owns the scopes, or AADSTS9010010.
	ResourceMustMatch ResourceParameter = ""
	// ResourceRefused is Entra's rule before: any resource is AADSTS901002.
	ResourceRefused ResourceParameter = "refused"
	// ResourceIgnored ignores the parameter. Entra ID never did.
	ResourceIgnored ResourceParameter = "ignored"
)

// A Fake is a fake Entra ID without a listener. It is safe for concurrent use.
type Fake struct {
	config      Config
	directory   directory.Directory
	rules       rules.Rules // over the directory above
	claims      claims.Maker
	cloud       profile
	authority   string // scheme and host, as the rest
	backchannel string
	graphURL    string
	routes      func() *http.ServeMux // made with the first request: making them is most of the work of New
	graph       func() http.Handler
	clock       *clock
	random      *random
	logger      *slog.Logger
	journal     *journal.Journal
	script      *fault.Script
	keys        *signing.Keys
	state       *state.State

	// directoryMu guards the directory, into which the state points. Every request holds it for
	// reading.
	directoryMu sync.RWMutex
}

// New makes a fake without a listener. Its error names the mistake in the Config.
func New(config Config) (*Fake, error) {
	cloud, err := config.Cloud.profile()
	if err != nil {
		return nil, err
	}
	f := &Fake{
		config:    config,
		directory: config.Directory,
		cloud:     cloud,
		authority: cloud.authority,
		graphURL:  cloud.graph,
		random:    &random{source: config.Rand},
		logger:    config.Logger,
		journal:   journal.New(),
		script:    &fault.Script{},
		keys:      signing.NewKeys(),
		state:     state.New(),
	}
	if f.logger == nil {
		f.logger = slog.New(slog.DiscardHandler)
	}
	if config.PublicURL != "" {
		if f.authority, err = originOf("public URL", config.PublicURL); err != nil {
			return nil, err
		}
		f.graphURL = f.authority
	}
	f.backchannel = f.authority
	if config.BackchannelURL != "" {
		if f.backchannel, err = originOf("backchannel URL", config.BackchannelURL); err != nil {
			return nil, err
		}
	}
	if len(f.directory.Tenants) == 0 {
		f.directory = directory.Default()
	}
	if err := f.directory.Check(); err != nil {
		return nil, fmt.Errorf("fakeentra: %w", err)
	}
	if !slices.Contains([]ResourceParameter{
		ResourceMustMatch,
		ResourceRefused,
		ResourceIgnored,
	}, config.ResourceParameter) {
		return nil, fmt.Errorf("fakeentra: want %q or %q for the parameter resource, or nothing; got %q",
			ResourceRefused, ResourceIgnored, config.ResourceParameter)
	}
	if config.Face != EntraFace && config.Face != SpecAlignedFace {
		return nil, fmt.Errorf("fakeentra: want the face %q or none, got %q", SpecAlignedFace, config.Face)
	}
	if err := f.script.SetChaos(config.Chaos); err != nil {
		return nil, fmt.Errorf("fakeentra: %w", err)
	}
	f.rules = rules.Rules{
		Directory:       &f.directory,
		Authority:       f.authority,
		STS:             cloud.sts,
		GraphURL:        f.graphURL,
		AzureADGraph:    cloud.azureADGraph,
		AnyLoopbackPort: config.AnyLoopbackPort,
	}
	f.clock = &clock{source: config.Now}
	if config.Now == nil {
		f.clock.source = time.Now
	}
	f.claims = claims.Maker{Rules: &f.rules, Now: f.clock.now, Random: f.random.bytes}
	f.graph = sync.OnceValue(func() http.Handler {
		return graph.Handler(graph.Config{
			Origin:    f.graphURL,
			Authority: f.authority,
			Caller:    f.graphCaller,
			Now:       f.clock.now,
			NewID:     f.random.guid,
		})
	})
	f.routes = sync.OnceValue(f.newRoutes)
	return f, nil
}

// goBy makes a listener's URL the authority and the address of Graph, unless the Config names
// others.
func (f *Fake) goBy(listener string) {
	if f.config.PublicURL == "" {
		f.authority = listener
		f.graphURL = listener
		f.rules.Authority = listener
		f.rules.GraphURL = listener
	}
	if f.config.BackchannelURL == "" {
		f.backchannel = f.authority
	}
}

// originOf returns the scheme and host of a URL without any other part.
func originOf(name, text string) (string, error) {
	parsed, err := url.Parse(text)
	if err != nil || parsed.Host == "" || parsed.User != nil || parsed.Scheme != "http" && parsed.Scheme != "https" ||
		strings.Trim(parsed.Path, "/") != "" ||
		parsed.RawQuery != "" ||
		parsed.Fragment != "" {
		return "", fmt.Errorf("fakeentra: want a %s of scheme and host, got %q", name, text)
	}
	return parsed.Scheme + "://" + parsed.Host, nil
}

// Authority is the scheme and host that a client is configured with, such as
// https://login.microsoftonline.com.
func (f *Fake) Authority() string { return f.authority }

// GraphURL is the scheme and host of Microsoft Graph.
func (f *Fake) GraphURL() string { return f.graphURL }

// Issuer is the v2 issuer of a tenant, given by its ID.
func (f *Fake) Issuer(tenantID string) string { return f.rules.Issuer(tenantID) }

// Tenant is the first tenant of the directory.
func (f *Fake) Tenant() directory.Tenant { return f.Directory().Tenants[0] }

// graphCaller returns the person and the scopes of a token for Graph.
func (f *Fake) graphCaller(_ context.Context, raw string) (*graph.Caller, error) {
	claims, err := f.keys.Verify(raw, f.clock.now())
	if err != nil {
		return nil, err
	}
	if audience := text(claims, "aud"); audience != f.graphURL && audience != directory.GraphAppID {
		return nil, errors.New("not a token for Graph")
	}
	tenant := f.directory.Tenant(text(claims, "tid"))
	if tenant == nil {
		return nil, errors.New("a token of an unknown tenant")
	}
	client, _ := claims["xms_st"].(map[string]any)
	return &graph.Caller{
		Tenant:          tenant,
		User:            tenant.User(text(claims, "oid")),
		Scopes:          strings.Fields(text(claims, "scp")),
		SubjectAtClient: text(client, "sub"),
	}, nil
}

func text(claims map[string]any, name string) string {
	value, _ := claims[name].(string)
	return value
}
