package broker

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/oauth2"

	"mcpentra/server/entra"
)

// A transaction is one authorization under way, from the client's request to the code. It lives in
// the store, so that any replica can go on with it.
type transaction struct {
	ClientID    string   `json:"client_id"`
	ClientName  string   `json:"client_name"`
	RedirectURI string   `json:"redirect_uri"`
	State       string   `json:"state"`
	HasState    bool     `json:"has_state"`
	Challenge   string   `json:"challenge"`
	Scopes      []string `json:"scopes"`
	Prompts     []string `json:"prompts,omitempty"`

	// Trusted says that the browser may go to the redirect URI without a click (RFC 9700 section
	// 4.11.2): it is on loopback, or the person who is signed in has approved it before. Approved
	// says that a person has just approved it in this transaction. That counts once the person has
	// signed in.
	Trusted  bool `json:"trusted,omitempty"`
	Approved bool `json:"approved,omitempty"`

	// CSRF is the hash of the secret that the consent page's form carries, and Browser the one that
	// a cookie of the same browser does.
	CSRF    string `json:"csrf,omitempty"`
	Browser string `json:"browser,omitempty"`

	// Answer is what the person has answered on the consent page, and Next what followed from it.
	// They are kept for answerLifetime.
	Answer string    `json:"answer,omitempty"`
	Next   *nextStep `json:"next,omitempty"`

	// What the broker has made for Entra: its own PKCE, nonce, and the browser that was sent there.
	Verifier string `json:"verifier,omitempty"`
	Nonce    string `json:"nonce,omitempty"`

	// Returned is the hash of Entra's answer. SignedIn and Next, or Failure, are what followed from
	// it. They are kept for answerLifetime.
	Returned string   `json:"returned,omitempty"`
	Failure  *failure `json:"failure,omitempty"`

	// Remembered is the principal whose earlier consent stood in for the page. If another one comes
	// back from Entra, SignedIn waits for that one's consent.
	Remembered *Principal `json:"remembered,omitempty"`
	SignedIn   *signIn    `json:"signed_in,omitempty"`
}

// maxParameters bounds what a client can make the broker remember of one request.
const (
	maxParameters = 16 << 10
	maxState      = 4 << 10
)

// handleAuthorize is the authorization endpoint (OAuth 2.1 section 4.1.1). Until client and
// redirect URI are known to belong together, what is wrong is a page; after that it goes back to
// the client.
func (b *Broker) handleAuthorize(w http.ResponseWriter, r *http.Request) {
	params, ok := b.readParameters(w, r)
	if !ok {
		return
	}
	found, err := b.findClient(r.Context(), params.Get("client_id"))
	if err != nil {
		b.storeFailed(w, r, err)
		return
	}
	if found == nil {
		b.showProblem(w, r, http.StatusBadRequest, "This server knows no client of the ID that was sent. "+
			"The program that opened this page has to register again.",
			sight{"client", params.Get("client_id")})
		return
	}
	tx := &transaction{
		ClientID:    found.ID,
		ClientName:  found.Name,
		RedirectURI: params.Get("redirect_uri"),
		State:       params.Get("state"),
		HasState:    params.Has("state"),
		Challenge:   params.Get("code_challenge"),
		Prompts:     readPrompts(params.Get("prompt")),
	}
	if tx.RedirectURI == "" && len(found.RedirectURIs) == 1 {
		tx.RedirectURI = found.RedirectURIs[0]
	}
	if !b.matchRedirect(found, tx.RedirectURI) {
		b.showProblem(w, r, http.StatusBadRequest, "The address to return to is not one that this client has "+
			"registered, so nobody is sent there.", sight{"client", found.ID},
			sight{"redirect_uri", seenURL(tx.RedirectURI)},
			sight{"registered", seenURLs(found.RedirectURIs)})
		return
	}
	session := b.session(r)
	tx.Trusted, err = b.trusts(r.Context(), session, tx)
	if err != nil {
		b.storeFailed(w, r, err)
		return
	}
	if problem := b.judgeAuthorization(params, tx); problem != nil {
		b.sendBack(w, r, tx, problem)
		return
	}
	if session != nil && navigatedHere(r) && found.provesItself(tx.RedirectURI) && !tx.prompts("consent") {
		granted, err := b.hasConsent(r.Context(), *session, tx)
		if err != nil {
			b.storeFailed(w, r, err)
			return
		}
		if granted {
			if !b.mayBegin(w, r) {
				return
			}
			tx.Remembered = session
			tx.Trusted = true
			next, err := b.beginSignIn(r, tx)
			if err != nil {
				b.notBegun(w, r, tx, err)
				return
			}
			b.bindBrowser(w, r, next)
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("Referrer-Policy", "no-referrer")
			http.Redirect(w, r, next.Address, http.StatusFound)
			return
		}
	}
	if tx.prompts("none") {
		b.sendBack(w, r, tx, badRequest("interaction_required", "a person has to approve this client"))
		return
	}
	if b.mayBegin(w, r) {
		b.askConsent(w, r, tx)
	}
}

// mayBegin reports whether a network may begin another sign-in. If not, the request is answered.
func (b *Broker) mayBegin(w http.ResponseWriter, r *http.Request) bool {
	if b.spend(signIns, r) {
		return true
	}
	w.Header().Set("Retry-After", "30")
	problem := tooMany("Too many sign-ins were begun from this network. Wait a minute and try again.")
	b.showRefusal(w, r, problem.allowedBy(settingLimit))
	return false
}

// readParameters reads an authorization request. A parameter that is there twice makes it nobody's
// request.
func (b *Broker) readParameters(w http.ResponseWriter, r *http.Request) (url.Values, bool) {
	r.Body = http.MaxBytesReader(w, r.Body, maxParameters)
	if len(r.URL.RawQuery) > maxParameters || r.ParseForm() != nil {
		b.showProblem(w, r, http.StatusBadRequest, "The authorization request is too long or not well formed.")
		return nil, false
	}
	params := r.Form
	for name, values := range params {
		if len(values) > 1 && name != "resource" || strings.ContainsRune(values[0], 0) || !utf8.ValidString(values[0]) {
			b.showProblem(w, r, http.StatusBadRequest, "The authorization request has a parameter twice, "+
				"or one that cannot be read.", sight{"parameter", name})
			return nil, false
		}
		if values[0] == "" {
			delete(params, name) // a parameter without a value is as if it were not there (OAuth 2.1 section 3.1)
		}
	}
	return params, true
}

// judgeAuthorization checks everything that may go back to the client.
func (b *Broker) judgeAuthorization(params url.Values, tx *transaction) *protocolError {
	if len(tx.State) > maxState || strings.ContainsFunc(tx.State, unicode.IsControl) {
		tx.State = ""
		tx.HasState = false
		return badRequest("invalid_request", "state is too long, or has control characters (RFC 6749 appendix A.5)")
	}
	if params.Has("request") {
		return badRequest("request_not_supported", "request objects are not supported")
	}
	if params.Has("request_uri") {
		return badRequest("request_uri_not_supported", "request objects are not supported")
	}
	switch kind := params.Get("response_type"); kind {
	case "code":
	case "":
		return badRequest("invalid_request", "response_type is missing")
	default:
		return badRequest("unsupported_response_type", "the only response_type is code").
			saw("response_type", kind)
	}
	if mode := params.Get("response_mode"); mode != "" && mode != "query" {
		return badRequest("invalid_request", "the only response_mode is query").
			saw("response_mode", mode)
	}
	if tx.Challenge == "" {
		return badRequest("invalid_request", "code_challenge is missing: PKCE is required")
	}
	if params.Get("code_challenge_method") != "S256" {
		return badRequest("invalid_request", "the only code_challenge_method is S256").
			saw("code_challenge_method", params.Get("code_challenge_method"))
	}
	if len(tx.Challenge) != 43 || strings.Trim(tx.Challenge, base64URL) != "" {
		return badRequest("invalid_request", "code_challenge is not the base64url of a SHA-256")
	}
	if tx.prompts("none") && len(tx.Prompts) > 1 {
		return badRequest("invalid_request", "prompt has none together with another value").
			saw("prompt", params.Get("prompt"))
	}
	for _, resource := range params["resource"] {
		if !b.isResource(resource) {
			return b.foreignResource(resource)
		}
	}
	// What a client registered with limits nothing: anybody can register, and the person's consent
	// decides.
	tx.Scopes = b.askedScopes(params.Get("scope"), b.defaultScopes())
	return nil
}

const base64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// foreignResource refuses a token for another resource.
func (b *Broker) foreignResource(asked string) *protocolError {
	return badRequest("invalid_target", "this server issues tokens for "+b.config.Resource+" only").
		saw("resource", seenURL(asked)).allowedBy(settingPublic + " and MCP_PATH")
}

// isResource compares a resource indicator with the one that there is (RFC 8707 section 2). The
// case of scheme and host does not count, nor does one slash at the end: URL libraries add it to an
// origin, and people to a path.
func (b *Broker) isResource(asked string) bool {
	return sameResource(asked, b.config.Resource) ||
		slices.ContainsFunc(b.config.OtherResources, func(other string) bool { return sameResource(asked, other) })
}

func sameResource(asked, resource string) bool {
	if asked == resource {
		return true
	}
	one, err := url.Parse(asked)
	own, errOwn := url.Parse(resource)
	if err != nil || errOwn != nil || one.User != nil || one.Fragment != "" || strings.Contains(asked, "#") {
		return false
	}
	path := func(u *url.URL) string { return strings.TrimSuffix(u.EscapedPath(), "/") }
	return strings.EqualFold(one.Scheme, own.Scheme) && strings.EqualFold(one.Host, own.Host) &&
		path(one) == path(own) &&
		one.RawQuery == own.RawQuery
}

// A nextStep is where a browser goes after its person has approved a client: to Entra for a
// sign-in, with the cookie that the callback looks for, or back to the client with a code if the
// person has signed in already.
type nextStep struct {
	Address string `json:"address,omitempty"`
	SignIn  string `json:"sign_in,omitempty"` // the key of the transaction that waits for the callback
	Browser string `json:"browser,omitempty"` // the cookie's secret
	Code    string `json:"code,omitempty"`
}

// beginSignIn remembers the transaction under a state of the broker's own. Nothing of the client's
// request reaches Entra. Its error is a *protocolError if Entra is the reason, and the store's
// otherwise.
func (b *Broker) beginSignIn(r *http.Request, tx *transaction) (*nextStep, error) {
	ctx := r.Context()
	state, errState := b.secret()
	browser, errBrowser := b.secret()
	nonce, errNonce := b.secret()
	verifier, errVerifier := b.secret()
	if err := errors.Join(errState, errBrowser, errNonce, errVerifier); err != nil {
		return nil, err
	}
	waiting := *tx
	waiting.CSRF = ""
	waiting.Answer = ""
	waiting.Next = nil
	waiting.Browser = hashed(browser)
	waiting.Nonce = nonce
	waiting.Verifier = verifier
	address, err := b.config.Entra.AuthorizationURL(ctx, entra.AuthorizationRequest{
		State:         state,
		Nonce:         nonce,
		CodeChallenge: oauth2.S256ChallengeFromVerifier(verifier),
		Scopes:        b.upstreamScopes(tx.Scopes),
		Prompt:        tx.upstreamPrompt(),
	})
	if err != nil {
		return nil, signInError(err, tx.prompts("none"))
	}
	next := &nextStep{Address: address, SignIn: hashed(state), Browser: browser}
	network := b.networkSource(r)
	expires := b.now().Add(transactionLifetime)
	return next, b.records.create(ctx, kindTransaction, next.SignIn, network, waiting, expires)
}

// bindBrowser sets the cookie that binds a sign-in to this browser.
func (b *Broker) bindBrowser(w http.ResponseWriter, r *http.Request, next *nextStep) {
	name := signInCookie(next.SignIn)
	if _, err := r.Cookie(b.cookieName(name)); err != nil {
		b.pruneCookies(w, r, signInCookie(""), CallbackPath)
	}
	b.setCookie(w, name, next.Browser, CallbackPath, transactionLifetime, http.SameSiteLaxMode)
}

// notBegun answers a request whose sign-in could not begin.
func (b *Broker) notBegun(w http.ResponseWriter, r *http.Request, tx *transaction, err error) {
	var problem *protocolError
	if errors.As(err, &problem) {
		b.sendBack(w, r, tx, problem)
		return
	}
	b.storeFailed(w, r, err)
}

// knownPrompts are the values of prompt that mean something here (OpenID Connect Core section
// 3.1.2.1).
var knownPrompts = []string{"none", "login", "consent", "select_account"}

// readPrompts reads the parameter prompt, each value once. All unknown values count as one, which
// only tells that none was not alone: a transaction must not grow with what a stranger sends.
func readPrompts(parameter string) []string {
	var prompts []string
	for one := range strings.FieldsSeq(parameter) {
		if !slices.Contains(knownPrompts, one) {
			one = "unknown"
		}
		if !slices.Contains(prompts, one) {
			prompts = append(prompts, one)
		}
	}
	return prompts
}

// prompts reports whether the client asked for a prompt (OpenID Connect Core section 3.1.2.1).
func (t *transaction) prompts(one string) bool { return slices.Contains(t.Prompts, one) }

// upstreamPrompt passes on what means the same at Entra, which takes one value. Consent is asked
// for here, not there.
func (t *transaction) upstreamPrompt() string {
	for _, one := range []string{"none", "login", "select_account"} {
		if t.prompts(one) {
			return one
		}
	}
	return ""
}

// sendBack returns an error to the client. Anybody can register a site and make a link to here that
// is sure to end with an error, so the browser goes to a site by itself only if it is trusted.
// Otherwise the person reads where the answer would go, and decides (RFC 9700 section 4.11.2).
func (b *Broker) sendBack(w http.ResponseWriter, r *http.Request, tx *transaction, problem *protocolError) {
	b.logRefusal(r, problem.saw("client", tx.ClientID).saw("redirect_uri", seenURL(tx.RedirectURI)))
	if tx.Trusted {
		b.deliver(w, r, tx, errorResponse(problem))
		return
	}
	target := b.responseURL(tx, errorResponse(problem))
	content := page{
		Title:   "This did not work",
		Server:  b.config.ResourceName,
		To:      newDestination(tx.RedirectURI),
		Onward:  target,
		Message: "The request of “" + isolated(tx.displayName()) + "” failed: " + problem.description + ".",
	}
	status := problem.status
	if r.Method == http.MethodPost && problem.code == "access_denied" {
		content.Title = "You declined"
		content.Message = "“" + isolated(tx.displayName()) + "” gets no access."
		status = http.StatusOK
	}
	content.Warnings = b.warnings(tx.ClientName, content.To)
	b.show(w, status, "problem.html", content)
}

// isolated keeps the direction of a text from changing the order of the text around it (Unicode
// Standard Annex 9).
func isolated(text string) string { return "\u2068" + text + "\u2069" }

func errorResponse(problem *protocolError) url.Values {
	return url.Values{"error": {problem.code}, "error_description": {problem.description}}
}

// deliver returns an authorization response, with the issuer in it (RFC 9207). After a POST it is a
// page that goes on by itself and by a link: a redirect would be stopped by form-action at its next
// hop.
func (b *Broker) deliver(w http.ResponseWriter, r *http.Request, tx *transaction, result url.Values) {
	target := b.responseURL(tx, result)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	if r.Method == http.MethodPost {
		b.showOnward(w, target, "Back to “"+isolated(tx.displayName())+"”")
		return
	}
	http.Redirect(w, r, target, http.StatusFound)
}

// responseURL is the redirect URI with the response in its query, next to what was there. The
// redirect URI stays as the client registered it, character by character.
func (b *Broker) responseURL(tx *transaction, result url.Values) string {
	if tx.HasState {
		result.Set("state", tx.State)
	}
	result.Set("iss", b.config.Issuer)
	separator := "?"
	if strings.Contains(tx.RedirectURI, "?") {
		separator = "&"
	}
	return tx.RedirectURI + separator + result.Encode()
}

func (b *Broker) storeFailed(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return
	}
	b.log.ErrorContext(r.Context(), "the store failed", "error", err)
	w.Header().Set("Retry-After", "5")
	b.showProblem(
		w,
		r,
		http.StatusServiceUnavailable,
		"This server cannot reach its store at the moment. Try again in a while.",
	)
}

func (t *transaction) displayName() string {
	if t.ClientName != "" {
		return t.ClientName
	}
	return "the program that asked"
}
