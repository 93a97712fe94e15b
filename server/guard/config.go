package guard

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcpentra/server/clientip"
	"mcpentra/server/loopback"
)

// DefaultMaxBody is the default of Config.MaxBody.
const DefaultMaxBody = 4 << 20

// Config configures a Guard. Resource, AuthorizationServers and Verify are required.
type Config struct {
	// Resource is the URL of the endpoint, exactly as clients write it: https, or http on loopback,
	// without a query, a fragment or a slash at the end of a path.
	Resource string
	// AuthorizationServers are the issuers whose tokens the resource accepts (RFC 9728 section 2).
	AuthorizationServers []string
	// Scopes are the scopes that every request needs. The challenge names them.
	Scopes []string
	// ScopesSupported are the scopes in the metadata; nil means Scopes.
	ScopesSupported []string
	// ScopePrefix comes before the names of scopes in challenges and metadata, but not in tokens.
	// Clients of Entra ID ask for scopes with the prefix api://{client id}/. Most issuers need "".
	ScopePrefix string
	// AppRoles list the app roles that let an application call for itself. It needs one of them,
	// since its tokens have no scopes. nil refuses all applications.
	AppRoles []string
	// ResourceName is shown to people who are asked for consent; "" leaves it out.
	ResourceName string
	// Verify checks the tokens.
	Verify Verify
	// AllowedOrigins are the origins of web pages that may call, besides the resource's own. An
	// example is "https://inspector.example". There is no wildcard.
	AllowedOrigins []string
	// MaxBody is the most bytes that a request's body may have; 0 means DefaultMaxBody.
	MaxBody int64
	// BodyTimeout is how long a client may take to send a body; 0 means DefaultBodyTimeout. A
	// client that is refused may take as long for the rest of its body.
	BodyTimeout time.Duration
	// AnswerTimeout is how long a client may take to read each piece of an answer; 0 means
	// DefaultAnswerTimeout.
	AnswerTimeout time.Duration
	// MaxCall is how long a call may run before its context ends; 0 means DefaultMaxCall, and a
	// negative value means no limit. Listening streams end with their token.
	MaxCall time.Duration
	// Recheck is how often the guard verifies the token of a running request again, so that a
	// revocation ends it; 0 means DefaultRecheck, and a negative value means never.
	Recheck time.Duration
	// Limits bound what a caller, and all callers together, have at once.
	Limits Limits
	// Usage does the counting, if several guards share it; nil means a count of this Guard alone. A
	// Usage has limits already, so only Limits.BatchAnswers is read then.
	Usage *Usage
	// Stateful says that the handler keeps sessions. The guard then refuses requests without a
	// session, except initialize and requests of revisions without sessions.
	Stateful bool
	// SessionKeys bind the handler's session IDs to the caller; see the package comment. The first
	// key seals new sessions; all keys open them. Each needs at least 32 bytes, and all replicas
	// need the same keys. nil means a key made here: sessions then end with this Guard.
	SessionKeys [][]byte
	// CurrentSessionKeys returns keys that change while the Guard runs, in place of SessionKeys.
	// The Guard calls it for each session ID and does not change the result. nil means SessionKeys.
	CurrentSessionKeys func() [][]byte
	// TokenKey, if it is not nil, is the key under which the context of a request holds the
	// caller's token, for a server that exchanges it. Use a type that only that server has, so that
	// no handler finds the token.
	TokenKey any
	// TrustedProxies are the reverse proxies that name clients in X-Forwarded-For or Forwarded; nil
	// trusts none.
	TrustedProxies clientip.Proxies
	// Logger records refusals, without tokens; nil discards them.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// New checks the configuration and puts a guard in front of next.
func New(config Config, next http.Handler) (*Guard, error) {
	resource, err := readResource(config.Resource)
	if err != nil {
		return nil, err
	}
	switch {
	case config.Verify == nil:
		return nil, errors.New("guard: Verify is nil: set the function that checks tokens")
	case next == nil:
		return nil, errors.New("guard: the handler is nil: set the handler to protect")
	case config.MaxBody < 0:
		return nil, fmt.Errorf("guard: MaxBody is %d, want a number of bytes, or 0 for the default", config.MaxBody)
	}
	config = config.withDefaults()
	g := &Guard{
		next:         next,
		verify:       config.Verify,
		scopes:       slices.Clone(config.Scopes),
		appRoles:     slices.Clone(config.AppRoles),
		metadataPath: wellKnown + strings.TrimSuffix(resource.EscapedPath(), "/"),
		hosts:        hostsOf(resource),
		maxBody:      config.MaxBody,
		maxCall:      config.MaxCall,
		recheck:      config.Recheck,
		usage:        config.Usage,
		maxAnswers:   config.Limits.BatchAnswers,
		stateful:     config.Stateful,
		tokenKey:     config.TokenKey,
		proxies:      config.TrustedProxies,
		log:          config.Logger,
		now:          config.Now,
	}
	g.rechecks.after = config.Recheck
	g.rechecks.onExpire = func(a *admission) { go a.recheck() } // Verify may wait for keys
	g.bodyTimeouts.after = config.BodyTimeout
	g.bodyTimeouts.onExpire = (*admission).stopReading
	g.writeTimeouts.after = config.AnswerTimeout
	g.writeTimeouts.onExpire = (*admission).stopWriting
	g.challenge = challenge{
		metadata: resource.Scheme + "://" + resource.Host + g.metadataPath,
		scope:    strings.Join(withPrefix(config.ScopePrefix, config.Scopes), " "),
	}
	g.sessionKeys = config.CurrentSessionKeys
	if g.sessionKeys == nil {
		keys, err := readSessionKeys(config.SessionKeys)
		if err != nil {
			return nil, err
		}
		g.sessionKeys = func() [][]byte { return keys }
	}
	g.origins, err = originsOf(resource, config.AllowedOrigins)
	if err != nil {
		return nil, err
	}
	g.document, err = metadataDocument(config)
	if err != nil {
		return nil, err
	}
	g.slashed, err = newSlashed(resource, config)
	if err != nil {
		return nil, err
	}
	return g, nil
}

func (config Config) withDefaults() Config {
	config.Limits = config.Limits.WithDefaults()
	if config.MaxBody == 0 {
		config.MaxBody = DefaultMaxBody
	}
	if config.MaxCall == 0 {
		config.MaxCall = DefaultMaxCall
	}
	if config.Recheck == 0 {
		config.Recheck = DefaultRecheck
	}
	if config.BodyTimeout <= 0 {
		config.BodyTimeout = DefaultBodyTimeout
	}
	if config.AnswerTimeout <= 0 {
		config.AnswerTimeout = DefaultAnswerTimeout
	}
	if config.Usage == nil {
		config.Usage = NewUsage(config.Limits)
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return config
}

// readSessionKeys checks the keys. Without keys, it makes one.
func readSessionKeys(keys [][]byte) ([][]byte, error) {
	if len(keys) == 0 {
		key := make([]byte, 32)
		if _, err := rand.Read(key); err != nil {
			return nil, fmt.Errorf("guard: make a session key: %w", err)
		}
		return [][]byte{key}, nil
	}
	for _, key := range keys {
		if len(key) < 32 {
			return nil, fmt.Errorf("guard: a session key has %d bytes, want 32 or more", len(key))
		}
	}
	return slices.Clone(keys), nil
}

func readResource(resource string) (*url.URL, error) {
	u, err := url.Parse(resource)
	switch {
	case err != nil || u.Host == "" || u.User != nil || !secure(u):
		return nil, fmt.Errorf("guard: the resource is %q, want an https URL, or http on loopback", resource)
	case strings.ContainsAny(resource, "?#"):
		return nil, fmt.Errorf(
			"guard: the resource %q has a query or a fragment: leave it out (RFC 8707 section 2)",
			resource,
		)
	case strings.HasSuffix(resource, "/"):
		return nil, fmt.Errorf(
			"guard: the resource %q ends with a slash, which clients would have to repeat: leave it out",
			resource,
		)
	case u.String() != resource || strings.ToLower(u.Host) != u.Host:
		return nil, fmt.Errorf(
			"guard: the resource %q is not in canonical form: write the host in lower case, without escapes",
			resource,
		)
	}
	return u, nil
}

// secure reports whether tokens may travel to the URL.
func secure(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && loopback.IsHost(u.Hostname())
}
