package guard

import (
	"log/slog"
	"net/http"
	"time"

	"mcpentra/server/clientip"
)

// A Guard is an http.Handler that hands requests with good tokens to the handler behind it. It may
// serve many requests at once.
type Guard struct {
	next          http.Handler
	verify        Verify
	scopes        []string
	appRoles      []string
	challenge     challenge
	document      []byte // the metadata
	metadataPath  string
	slashed       slashed
	hosts         []string
	sessionKeys   func() [][]byte
	origins       []string
	maxBody       int64
	maxCall       time.Duration
	recheck       time.Duration
	usage         *Usage
	maxAnswers    int64 // bytes of the answers to a batch
	stateful      bool
	tokenKey      any
	proxies       clientip.Proxies
	log           *slog.Logger
	now           func() time.Time
	rechecks      timeouts // of the tokens of running requests
	bodyTimeouts  timeouts
	writeTimeouts timeouts
}

// ServeHTTP takes a request through the gates of the package comment. The first gate that refuses
// it decides the answer. All gates have returned before the handler runs, so their stack frames do
// not add to a deep handler's.
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, refused := g.admit(w, r)
	if refused != nil {
		g.refuse(w, r, refused)
		return
	}
	if a == nil {
		answerPreflight(w, r)
		return
	}
	defer a.end()
	inner, refused := g.prepare(a)
	switch {
	case refused != nil:
	case a.batch != nil:
		g.serveBatch(a, inner)
	default:
		g.next.ServeHTTP(&a.answer, inner)
		refused = a.stopped()
	}
	if refused != nil {
		g.refuse(&a.answer, r, refused)
	}
}

// admit takes a request through the gates that need no body: Host, Origin, Method, Token, Headers
// and Session. For a preflight request, which has no token, it returns nothing after Method.
func (g *Guard) admit(w http.ResponseWriter, r *http.Request) (*admission, *refusal) {
	if refused := g.checkHost(r); refused != nil {
		return nil, refused
	}
	if refused := g.checkOrigin(r); refused != nil {
		return nil, refused
	}
	shareWithOrigin(w, r)
	if refused := checkMethod(r); refused != nil {
		return nil, refused
	}
	if r.Method == http.MethodOptions {
		return nil, nil
	}
	raw, caller, refused := g.authenticate(r)
	if refused != nil {
		return nil, refused
	}
	header, refused := withoutIdentity(r.Header)
	if refused != nil {
		return nil, refused
	}
	a := g.newAdmission(w, r, header, raw, caller)
	if refused := g.checkSession(a); refused != nil {
		return nil, refused
	}
	a.answer.keepOwn()
	return a, nil
}

// prepare takes a request through the gates Limits and Body, and makes the request that the handler
// gets.
func (g *Guard) prepare(a *admission) (*http.Request, *refusal) {
	kind := kindMessage
	switch a.request.Method {
	case http.MethodGet:
		kind = kindStream
	case http.MethodPost:
		kind = kindBody
	}
	if reached := g.usage.acquire(&a.slot, a.caller.Principal, kind); reached != nil {
		return nil, a.limitRefusal(reached, nil)
	}
	if a.request.Method == http.MethodPost {
		return g.preparePost(a)
	}
	return g.prepareWithoutBody(a)
}

// prepareWithoutBody prepares a GET, which opens a listening stream, or a DELETE, which ends a
// session.
func (g *Guard) prepareWithoutBody(a *admission) (*http.Request, *refusal) {
	if refused := checkVersion(a.header, nil); refused != nil {
		return nil, refused
	}
	if a.answer.sessionless {
		// Older handlers would open a stream that belongs to no session.
		return nil, &refusal{
			status:      http.StatusMethodNotAllowed,
			allow:       "POST, OPTIONS",
			description: "revision " + sessionlessRevision + " has no GET and no DELETE",
			cause:       cause{reason: "method"},
		}
	}
	if refused := g.needSession(a, nil); refused != nil {
		return nil, refused
	}
	if refused := g.discardBody(a); refused != nil {
		return nil, refused
	}
	a.sessionID = line(a.header, sessionHeader)
	inner := a.innerRequest(a.request, a.request.Method == http.MethodGet)
	inner.Body = http.NoBody
	inner.ContentLength = 0
	inner.TransferEncoding = nil
	inner.Header.Del("Content-Length")
	return inner, nil
}
