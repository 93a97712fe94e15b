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
)

// DefaultMaxBody is the limit of a request's body in bytes where Config.MaxBody is 0.
const DefaultMaxBody = 4 << 20

// Config says what is guarded. Resource, AuthorizationServers and Verify are required.
type Config struct {
	// Resource is the URL of the endpoint, exactly as clients write it: https, or http on loopback;
	// no query, no fragment, no slash at the end of a path.
	Resource string
	// AuthorizationServers are the issuers that tokens can be had from (RFC 9728 section 2).
	AuthorizationServers []string
	// Scopes are what every request needs; the challenge names them.
	Scopes []string
	// ScopesSupported is what the metadata lists; nil means Scopes.
	ScopesSupported []string
	// ScopePrefix stands before the names of scopes in challenges and metadata, where it is part of
	// how clients ask for them, and in no token: Entra's api://{client id}/. It is "" for most
	// issuers.
	ScopePrefix string
	// AppRoles let in applications that call for themselves, which have no scopes: each needs one
	// of these. nil lets no application in.
	AppRoles []string
	// ResourceName is shown to people who are asked for consent; "" leaves it out.
	ResourceName string
	// Verify judges the tokens.
	Verify Verify
	// AllowedOrigins are the origins of web pages that may call beside the resource's own, such as
	// "https://inspector.example". There is no wildcard.
	AllowedOrigins []string
	// MaxBody is the limit of a request's body in bytes; 0 means DefaultMaxBody.
	MaxBody int64
	// BodyTimeout is how long a caller may take to send a body, and one who is refused to send what
	// is left of it; 0 means DefaultBodyTimeout.
	BodyTimeout time.Duration
	// AnswerTimeout is how long a caller may take to read each piece of an answer; 0 means
	// DefaultAnswerTimeout.
	AnswerTimeout time.Duration
	// MaxCall is how long a call may run before its context ends; 0 means DefaultMaxCall, and a
	// negative value no limit. Listening streams end with their token.
	MaxCall time.Duration
	// Recheck is how often the token of a running request is judged anew, so that a revocation ends
	// it; 0 means DefaultRecheck, and a negative value never.
	Recheck time.Duration
	// Limits bound what a caller, and all callers together, have at once.
	Limits Limits
	// Usage counts it, for several guards together. nil means a count of this Guard's own. A Usage
	// has limits already: only Limits.BatchAnswers is read then.
	Usage *Usage
	// Stateful says that the handler keeps sessions: whatever belongs to none is refused, except
	// initialize and the revisions without sessions.
	Stateful bool
	// SessionKeys bind the handler's session ids to the caller, see the package comment. The first
	// marks new sessions, all of them are recognized; each needs at least 32 bytes. All replicas
	// need the same. nil means a key made here: sessions then end with this Guard.
	SessionKeys [][]byte
	// TokenKey, where it is not nil, is the key under which the context of a request holds the
	// caller's token, for a server that has to exchange it. It should be of a type that only that
	// server has, so that no handler finds the token.
	TokenKey any
	// TrustedProxies are the reverse proxies that name clients in X-Forwarded-For; nil trusts none.
	TrustedProxies clientip.Proxies
	// Logger hears of refusals, without tokens; nil discards.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Guard lets requests with good tokens through to the handler behind it. It may serve many
// requests at once.
type Guard struct {
	next        http.Handler
	verify      Verify
	scopes      []string
	appRoles    []string
	challenge   challenge
	document    []byte
	path        string // of the metadata
	slashed     slashed
	hosts       []string
	sessionKeys [][]byte
	origins     []string
	maxBody     int64
	maxCall     time.Duration
	recheck     time.Duration
	usage       *Usage
	maxAnswers  int64 // of a batch
	stateful    bool
	tokenKey    any
	proxies     clientip.Proxies
	log         *slog.Logger
	now         func() time.Time
	looks       queue // at running requests, each at its token
	reads       queue // of bodies
	writes      queue // of answers
}

// New checks the configuration and puts the guard in front of next.
func New(cfg Config, next http.Handler) (*Guard, error) {
	resource, err := readResource(cfg.Resource)
	if err != nil {
		return nil, err
	}
	switch {
	case cfg.Verify == nil:
		return nil, errors.New("guard: there is no Verify: every token would have to be refused")
	case next == nil:
		return nil, errors.New("guard: there is no handler to guard")
	case cfg.MaxBody < 0:
		return nil, fmt.Errorf("guard: MaxBody is %d, wanted a number of bytes", cfg.MaxBody)
	}
	g := &Guard{
		next:     next,
		verify:   cfg.Verify,
		scopes:   slices.Clone(cfg.Scopes),
		appRoles: slices.Clone(cfg.AppRoles),
		maxBody:  cfg.MaxBody,
		log:      cfg.Logger,
		now:      cfg.Now,
		proxies:  cfg.TrustedProxies,
		path:     wellKnown + strings.TrimSuffix(resource.EscapedPath(), "/"),
		hosts:    hostsOf(resource),
	}
	if g.maxBody == 0 {
		g.maxBody = DefaultMaxBody
	}
	g.maxCall = cfg.MaxCall
	g.recheck = cfg.Recheck
	g.stateful = cfg.Stateful
	g.tokenKey = cfg.TokenKey
	if g.maxCall == 0 {
		g.maxCall = DefaultMaxCall
	}
	if g.recheck == 0 {
		g.recheck = DefaultRecheck
	}
	g.usage = cfg.Usage
	g.maxAnswers = cfg.Limits.Filled().BatchAnswers
	if g.usage == nil {
		g.usage = NewUsage(cfg.Limits)
	}
	g.looks.pause = g.recheck
	g.looks.act = func(x *exchange) { go x.look() } // it may wait for keys
	g.reads.pause = cfg.BodyTimeout
	g.reads.act = (*exchange).stopReading
	if cfg.BodyTimeout <= 0 {
		g.reads.pause = DefaultBodyTimeout
	}
	g.writes.pause = cfg.AnswerTimeout
	g.writes.act = (*exchange).stopWriting
	if cfg.AnswerTimeout <= 0 {
		g.writes.pause = DefaultAnswerTimeout
	}
	if g.sessionKeys, err = readSessionKeys(cfg.SessionKeys); err != nil {
		return nil, err
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	if g.now == nil {
		g.now = time.Now
	}
	if g.origins, err = originsOf(resource, cfg.AllowedOrigins); err != nil {
		return nil, err
	}
	if g.document, err = metadataDocument(cfg); err != nil {
		return nil, err
	}
	if g.slashed, err = newSlashed(resource, cfg); err != nil {
		return nil, err
	}
	g.challenge = challenge{
		metadata: resource.Scheme + "://" + resource.Host + g.path,
		scope:    strings.Join(prefixed(cfg.ScopePrefix, cfg.Scopes), " "),
	}
	return g, nil
}

// ServeHTTP judges a request, and hands it to the guarded handler if it passes. The judging is off
// the stack by then: handlers go deep, and a stack that has to grow for that is copied.
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := g.admit(w, r)
	if x == nil {
		return
	}
	defer x.end()
	if inner := g.understand(x, r); inner != nil {
		g.next.ServeHTTP(&x.answer, inner)
		x.answerEnded(r)
	}
}

// admit judges who calls and from where. A nil means that the request was answered.
func (g *Guard) admit(w http.ResponseWriter, r *http.Request) *exchange {
	if !g.hostAllowed(r) {
		g.refuse(w, r, refusal{
			status:      http.StatusMisdirectedRequest,
			description: "this server does not answer for that host",
			cause:       cause{"host", r.Host, "MCP_PUBLIC_URL"},
		})
		return nil
	}
	if !g.originAllowed(r) {
		g.refuse(w, r, refusal{
			status:      http.StatusForbidden,
			description: "pages of that origin may not call this server",
			cause:       cause{"origin", strings.Join(r.Header["Origin"], ", "), "MCP_ALLOWED_ORIGINS"},
		})
		return nil
	}
	g.shareWithOrigin(w, r)
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodDelete:
	case http.MethodOptions:
		g.preflight(w, r)
		return nil
	default:
		w.Header().Set("Allow", endpointMethods)
		g.refuse(w, r, refusal{
			status:      http.StatusMethodNotAllowed,
			description: "the methods here are " + endpointMethods,
			cause:       cause{reason: "method"},
		})
		return nil
	}
	raw, id, refused := g.authenticate(r)
	if refused != nil {
		g.refuse(w, r, *refused)
		return nil
	}
	header, refused := strippedHeader(r.Header)
	if refused != nil {
		g.refuse(w, r, *refused)
		return nil
	}
	x := g.newExchange(w, header, raw, id)
	if !g.takeSession(header, id, x.answer.sessionless) {
		g.refuseRPC(w, r, http.StatusNotFound, &rpcError{code: codeNoSession, message: sayNoSession})
		return nil
	}
	x.answer.keepOwn()
	return x
}

// understand is the request that the handler gets. A nil means that the request was answered.
func (g *Guard) understand(x *exchange, r *http.Request) *http.Request {
	x.request = r
	kind := useMessage
	switch r.Method {
	case http.MethodGet:
		kind = useStream
	case http.MethodPost:
		kind = useBody
	}
	if reached := g.usage.take(&x.slot, x.caller.Principal, kind); reached != nil {
		if r.ContentLength != 0 {
			// As in refuse.
			_ = http.NewResponseController(x.answer.ResponseWriter).SetReadDeadline(time.Now().Add(g.reads.pause))
		}
		g.refuseLimit(x, reached, nil)
		return nil
	}
	if r.Method == http.MethodPost {
		return g.understandPost(x, r)
	}
	if !takeVersion(x.header) {
		g.refuseVersion(&x.answer, r, nil)
		return nil
	}
	if x.answer.sessionless {
		// It has neither, and a handler that knows only older revisions would open a stream that
		// belongs to no session.
		x.answer.Header().Set("Allow", "POST, OPTIONS")
		g.refuse(&x.answer, r, refusal{
			status:      http.StatusMethodNotAllowed,
			description: "revision " + sessionlessRevision + " has no GET and no DELETE",
			cause:       cause{reason: "method"},
		})
		return nil
	}
	if g.needsSession(x) {
		g.refuseRPC(&x.answer, r, http.StatusBadRequest, &rpcError{code: codeInvalidRequest, message: sayNeedsSession})
		return nil
	}
	if refused := g.discardBody(&x.answer, r); refused != nil {
		g.refuse(&x.answer, r, *refused)
		return nil
	}
	x.named = line(x.header, sessionHeader)
	inner := x.begin(r, r.Method == http.MethodGet)
	inner.Body = http.NoBody
	inner.ContentLength = 0
	inner.TransferEncoding = nil
	inner.Header.Del("Content-Length")
	return inner
}

// readSessionKeys makes a key where there is none.
func readSessionKeys(keys [][]byte) ([][]byte, error) {
	if len(keys) == 0 {
		made := make([]byte, 32)
		if _, err := rand.Read(made); err != nil {
			return nil, fmt.Errorf("guard: a session key: %w", err)
		}
		return [][]byte{made}, nil
	}
	for _, key := range keys {
		if len(key) < 32 {
			return nil, fmt.Errorf("guard: a session key has %d bytes, wanted 32 or more", len(key))
		}
	}
	return slices.Clone(keys), nil
}

func readResource(resource string) (*url.URL, error) {
	u, err := url.Parse(resource)
	switch {
	case err != nil || u.Host == "" || u.User != nil || !secure(u):
		return nil, fmt.Errorf("guard: the resource is %q, wanted an https URL, or http on loopback", resource)
	case strings.ContainsAny(resource, "?#"):
		return nil, fmt.Errorf(
			"guard: the resource %q has a query or a fragment (RFC 8707 section 2 allows neither here)",
			resource,
		)
	case strings.HasSuffix(resource, "/"):
		return nil, fmt.Errorf(
			"guard: the resource %q ends with a slash, which clients would have to repeat to match",
			resource,
		)
	case u.String() != resource || strings.ToLower(u.Host) != u.Host:
		return nil, fmt.Errorf("guard: the resource %q is not in canonical form", resource)
	}
	return u, nil
}

// secure reports whether tokens may travel to the URL.
func secure(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname())
}
