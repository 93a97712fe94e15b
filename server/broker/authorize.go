package broker

import (
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"mcpentra/server/identity"
)

// Bounds of an authorization request, in bytes.
const (
	maxParameters = 16 << 10
	maxState      = 4 << 10
)

// handleAuthorize is the authorization endpoint (OAuth 2.1 section 4.1.1). Errors before the check
// of client and redirect URI are shown on a page. Later errors go back to the client.
func (b *Broker) handleAuthorize(w http.ResponseWriter, r *http.Request) {
	params, ok := b.readParameters(w, r)
	if !ok {
		return
	}
	tx, found, ok := b.newTransaction(w, r, params)
	if !ok {
		return
	}
	session := b.session(r)
	trusted, err := b.trusts(r.Context(), session, tx)
	if err != nil {
		b.storeFailed(w, r, err)
		return
	}
	tx.Trusted = trusted
	if problem := b.judgeAuthorization(params, tx); problem != nil {
		b.sendBack(w, r, tx, problem)
		return
	}
	if err := b.noticeDemand(r.Context(), tx, session); err != nil {
		b.storeFailed(w, r, err)
		return
	}
	if err := b.noticeKept(r.Context(), tx, session); err != nil {
		b.storeFailed(w, r, err)
		return
	}
	if tx.prompts("none") && tx.Demand.needsTrip() {
		b.sendBack(w, r, tx, demandNeedsPage())
		return
	}
	remembered, err := b.mayUseEarlierConsent(r, session, found, tx)
	switch {
	case err != nil:
		b.storeFailed(w, r, err)
	case remembered:
		tx.Remembered = session
		tx.Trusted = true
		b.sendToEntra(w, r, tx)
	case tx.prompts("none"):
		b.sendBack(w, r, tx, badRequest("interaction_required", "a person has to approve this client"))
	default:
		b.askFirstConsent(w, r, tx)
	}
}

// newTransaction returns the transaction of an authorization request and its client. If the client
// is unknown or has not registered the redirect URI, it answers the request and returns false.
func (b *Broker) newTransaction(
	w http.ResponseWriter,
	r *http.Request,
	params url.Values,
) (*transaction, *client, bool) {
	found, err := b.findClient(r, params.Get("client_id"))
	if err != nil {
		b.clientFailed(w, r, err)
		return nil, nil, false
	}
	if found == nil {
		b.showProblem(w, r, http.StatusBadRequest, "This server does not know the program "+
			"that opened this page: its client ID is unknown. The program has to register again.",
			sight{"client", params.Get("client_id")})
		return nil, nil, false
	}
	if !found.mayUse(codeGrant) {
		b.showProblem(w, r, http.StatusBadRequest, "The program that opened this page did not register "+
			"for sign-ins in this browser.",
			sight{"client", found.ID}, sight{"grant_types", strings.Join(found.GrantTypes, " ")})
		return nil, nil, false
	}
	tx := &transaction{
		ClientID:    found.ID,
		ClientName:  found.Name,
		RedirectURI: params.Get("redirect_uri"),
		State:       params.Get("state"),
		HasState:    params.Has("state"),
		Challenge:   params.Get("code_challenge"),
		Prompts:     readPrompts(params.Get("prompt")),

		Preregistered: found.origin == fromFile,
	}
	if tx.RedirectURI == "" && len(found.RedirectURIs) == 1 {
		tx.RedirectURI = found.RedirectURIs[0]
	}
	if !b.matchRedirect(found, tx.RedirectURI) {
		b.showProblem(w, r, http.StatusBadRequest, "This client has not registered the address to return to, "+
			"so this server does not send you there.",
			sight{"client", found.ID},
			sight{"redirect_uri", seenURL(tx.RedirectURI)},
			sight{"registered", seenURLs(found.RedirectURIs)})
		return nil, nil, false
	}
	tx.Proven = found.provesItself(tx.RedirectURI)
	return tx, found, true
}

// mayUseEarlierConsent reports whether an earlier consent replaces the consent page. The person who
// is signed in must have approved this client, and must have come here without the help of another
// site. A person without a session has no earlier consent.
func (b *Broker) mayUseEarlierConsent(
	r *http.Request,
	session *identity.Principal,
	found *client,
	tx *transaction,
) (bool, error) {
	switch {
	case session == nil, tx.prompts("consent"):
		return false, nil
	case !navigatedHere(r), !found.provesItself(tx.RedirectURI):
		return false, nil
	}
	return b.hasConsent(r.Context(), *session, tx)
}

// askFirstConsent asks for consent before the sign-in.
func (b *Broker) askFirstConsent(w http.ResponseWriter, r *http.Request, tx *transaction) {
	allowed := b.spendSignIn(w, r, tx.ClientID)
	if allowed {
		b.askConsent(w, r, tx)
	}
}

// sendToEntra begins the sign-in of a person whose earlier consent counts.
func (b *Broker) sendToEntra(w http.ResponseWriter, r *http.Request, tx *transaction) {
	allowed := b.spendSignIn(w, r, tx.ClientID)
	if !allowed {
		return
	}
	next, err := b.beginSignIn(r, tx)
	if err != nil {
		b.signInNotBegun(w, r, tx, err)
		return
	}
	b.bindBrowser(w, r, next)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, next.Address, http.StatusFound)
}

// spendSignIn takes a sign-in from the budgets of a client and its network. If none is left, it
// answers the request and returns false. The client may be empty.
func (b *Broker) spendSignIn(w http.ResponseWriter, r *http.Request, clientID string) bool {
	var by *spender
	if clientID != "" {
		by = &spender{clientID: clientID}
	}
	problem := b.spend(signIns, by, r)
	if problem == nil {
		return true
	}
	w.Header().Set("Retry-After", "30")
	problem.because(problem.description)
	shown := "Too many sign-ins were begun from this network. Wait a minute and try again."
	b.showRefusal(w, r, problem.described(shown))
	return false
}

// readParameters reads an authorization request. A repeated parameter makes the request invalid
// (OAuth 2.1 section 3.1). If it returns false, the request is answered.
func (b *Broker) readParameters(w http.ResponseWriter, r *http.Request) (url.Values, bool) {
	r.Body = http.MaxBytesReader(w, r.Body, maxParameters)
	isTooLong := len(r.URL.RawQuery) > maxParameters
	if isTooLong || r.ParseForm() != nil {
		b.showProblem(w, r, http.StatusBadRequest, "The authorization request is too long or not well formed.")
		return nil, false
	}
	params := r.Form
	for name, values := range params {
		repeated := len(values) > 1 && name != "resource"
		if repeated || !isReadable(values[0]) {
			b.showProblem(w, r, http.StatusBadRequest, "The authorization request has a parameter twice, "+
				"or one that cannot be read.", sight{"parameter", name})
			return nil, false
		}
		if len(values) == 1 && values[0] == "" {
			delete(params, name) // an empty parameter counts as absent (OAuth 2.1 section 3.1)
		}
	}
	return params, true
}

func isReadable(value string) bool { return utf8.ValidString(value) && !strings.ContainsRune(value, 0) }

// judgeAuthorization checks the parameters whose errors go back to the client, and sets the
// transaction's scopes.
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
	if problem := judgeResponse(params); problem != nil {
		return problem
	}
	if problem := judgeChallenge(tx.Challenge, params.Get("code_challenge_method")); problem != nil {
		return problem
	}
	if tx.prompts("none") && len(tx.Prompts) > 1 {
		return badRequest("invalid_request", "prompt has none together with another value").
			saw("prompt", params.Get("prompt"))
	}
	asked, problem := b.selectResource(params["resource"])
	if problem != nil {
		return problem
	}
	// The scope of the registration limits nothing: registration is open to every client, and the
	// person's consent decides.
	tx.Scopes, problem = b.askedScopes(asked, params.Get("scope"), asked.defaultScopes())
	return problem
}

// judgeResponse checks response_type and response_mode.
func judgeResponse(params url.Values) *protocolError {
	switch kind := params.Get("response_type"); kind {
	case "code":
	case "":
		return badRequest("invalid_request", "response_type is missing")
	default:
		return badRequest("unsupported_response_type", "response_type must be code").
			saw("response_type", kind)
	}
	if mode := params.Get("response_mode"); mode != "" && mode != "query" {
		return badRequest("invalid_request", "response_mode must be query").
			saw("response_mode", mode)
	}
	return nil
}

const base64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// judgeChallenge checks the parameters of PKCE (RFC 7636 section 4.3).
func judgeChallenge(challenge, method string) *protocolError {
	switch {
	case challenge == "":
		return badRequest("invalid_request", "code_challenge is missing: PKCE is required")
	case method != "S256":
		return badRequest("invalid_request", "the only code_challenge_method is S256").
			saw("code_challenge_method", method)
	case len(challenge) != 43, strings.Trim(challenge, base64URL) != "":
		return badRequest("invalid_request", "code_challenge is not the base64url of a SHA-256")
	}
	return nil
}
