package broken

import (
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A transaction is an authorization request on its way through the pages.
type transaction struct {
	client    *client
	redirect  string
	state     string
	hasState  bool
	implicit  bool
	query     url.Values // of the authorization request
	challenge string
	method    string
	scopes    []string
	resource  string
	csrf      string
	device    *device
	session   string  // the cookie of the browser that was shown the consent page
	signIn    *signIn // at the third party
}

// authorizeParameters are the parameters of an authorization request.
var authorizeParameters = []string{
	"response_type", "client_id", "redirect_uri", "state", "scope", "code_challenge", "code_challenge_method",
}

// maxQuery bounds the authorization requests of a server that breaks on longer ones, in bytes.
const maxQuery = 4 << 10

// serveAuthorize is the authorization endpoint (OAuth 2.1 section 4.1.1).
func (s *Issuer) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	if s.has(AllowsPagesToAuthorize) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
	}
	if s.has(BreaksOnLongRequests) && len(r.URL.RawQuery) > maxQuery {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	if s.has(ClosesLongRequests) && len(r.URL.RawQuery) > maxQuery {
		panic(http.ErrAbortHandler)
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		s.showProblem(w, "The request is malformed.", "")
		return
	}
	for _, name := range authorizeParameters {
		if len(query[name]) > 1 && !s.has(IgnoresRepetition) {
			s.showProblem(w, "The request has a parameter twice.", "")
			return
		}
	}
	tx := &transaction{
		query:     query,
		implicit:  query.Get("response_type") == "token",
		redirect:  query.Get("redirect_uri"),
		state:     query.Get("state"),
		hasState:  query.Get("state") != "",
		challenge: query.Get("code_challenge"),
		method:    query.Get("code_challenge_method"),
	}
	tx.client = s.findClient(query.Get("client_id"))
	if tx.client == nil {
		if s.has(RedirectsUnknownClients) && tx.redirect != "" {
			http.Redirect(w, r, tx.redirect+"?error=unauthorized_client", http.StatusFound)
			return
		}
		s.showProblem(w, "The client is unknown.", "")
		return
	}
	if tx.redirect == "" && (len(tx.client.redirects) == 1 || s.has(UsesFirstRedirect)) {
		tx.redirect = tx.client.redirects[0]
	}
	if s.has(AnswersSilentRequests) && query.Get("prompt") == "none" {
		http.Redirect(w, r, tx.redirect+"?error=login_required", http.StatusFound)
		return
	}
	if !s.matches(tx.client.redirects, tx.redirect) {
		s.showProblem(w, "The client has not registered this redirect URI.", "")
		return
	}
	if problem := s.judge(query, tx); problem != "" {
		s.sendError(w, r, tx, problem)
		return
	}
	id := secret()
	s.transactions[id] = tx
	switch {
	case s.user(r) != "":
	case s.elsewhere != nil:
		s.beginSession(w) // the session of a browser, before its person is known
	default:
		s.showSignIn(w, id)
		return
	}
	if s.isApproved(r, tx) {
		delete(s.transactions, id)
		address := s.responseURL(tx, url.Values{"code": {s.newCode(tx)}})
		http.Redirect(w, r, address, http.StatusSeeOther)
		return
	}
	http.Redirect(w, r, s.URL+"/consent?transaction="+id, http.StatusSeeOther)
}

// isApproved reports whether an earlier consent replaces the consent page. It never does so for a
// server without faults.
func (s *Issuer) isApproved(r *http.Request, tx *transaction) bool {
	if s.has(RemembersPeople) {
		return true
	}
	for _, earlier := range s.approved {
		isSame := earlier.redirect == tx.redirect && slices.Equal(earlier.scopes, tx.scopes)
		isExact := isSame && earlier.resource == tx.resource
		isClient := earlier.client == tx.client && earlier.session == s.session(r)
		isRemembered := s.has(RemembersClients) || s.has(RemembersForResources) && isSame ||
			s.has(RemembersExactly) && isExact
		if isClient && isRemembered {
			return true
		}
	}
	return false
}

// matches reports whether a redirect URI is a registered one. The port of a loopback address may
// differ.
func (s *Issuer) matches(registered []string, asked string) bool {
	if slices.Contains(registered, asked) {
		return true
	}
	got, err := url.Parse(asked)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(registered, func(uri string) bool {
		want, err := url.Parse(uri)
		if err != nil {
			return false
		}
		switch {
		case s.has(MatchesBeginnings) && strings.HasPrefix(asked, uri),
			s.has(MatchesHosts) && got.Scheme == want.Scheme && got.Host == want.Host,
			s.has(MatchesAnyCase) && strings.EqualFold(asked, uri),
			s.has(MatchesAnyPort) && sameButPort(got, want),
			s.has(RedirectsAnywhere),
			s.has(MatchesOtherSpellings) && strings.EqualFold(got.Scheme+got.Host, want.Scheme+want.Host) &&
				got.Path == want.Path && got.RawQuery == want.RawQuery && got.User == nil && got.Fragment == "",
			s.has(MatchesUserinfo) && got.User != nil && strings.HasSuffix(asked, "@"+want.Host+want.Path):
			return true
		case s.has(WantsLoopbackPort):
			return false
		}
		return want.Scheme == "http" && isLoopback(want) && sameButPort(got, want)
	})
}

func sameButPort(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && a.Hostname() == b.Hostname() && a.Path == b.Path && a.RawQuery == b.RawQuery &&
		a.Fragment == b.Fragment && a.User == nil
}

// judge checks the parameters whose errors go back to the client. It returns an error code, or "".
func (s *Issuer) judge(query url.Values, tx *transaction) string {
	switch responseType := query.Get("response_type"); {
	case responseType == "":
		return "invalid_request"
	case responseType == "token" && s.has(AnswersFragmentTokens):
	case responseType != "code" && !s.has(IssuesImplicitTokens):
		return "unsupported_response_type"
	}
	isPublic := tx.client.method == "none"
	needsNone := s.has(WantsPKCEOfPublicClientsOnly) || s.has(IgnoresNeedlessVerifiers)
	wantsPKCE := !s.has(WantsNoPKCE) && (isPublic || !needsNone)
	switch {
	case tx.challenge == "" && !wantsPKCE:
	case tx.challenge == "":
		return "invalid_request"
	case tx.method != "S256" && !s.has(AcceptsAnyMethod):
		return "invalid_request"
	case tx.method == "S256" && !isChallenge(tx.challenge):
		return "invalid_request"
	}
	tx.resource = resource
	if query.Has("resource") && s.has(RefusesResources) {
		return "invalid_target"
	}
	if len(query["resource"]) > 1 && s.has(RefusesTwoResourcesOddly) {
		return "invalid_request"
	}
	for _, asked := range query["resource"] {
		asked = lowerOrigin(asked)
		if s.has(ComparesResourcesByCase) && asked != query.Get("resource") {
			return "invalid_target"
		}
		if asked != resource && asked != otherResource && !s.has(KnowsEveryResource) {
			if s.has(RefusesResourcesOddly) {
				return "invalid_request"
			}
			return "invalid_target"
		}
		tx.resource = asked
	}
	if query.Get("scope") == "" && s.has(BreaksWithoutScope) {
		return "invalid_request"
	}
	scopes := s.granted(query.Get("scope"))
	if scopes == nil {
		return "invalid_scope"
	}
	tx.scopes = scopes
	if s.has(RefusesUnknownParameters) {
		for name := range query {
			if !slices.Contains(authorizeParameters, name) && name != "resource" {
				return "invalid_request"
			}
		}
	}
	return ""
}

// lowerOrigin returns a resource with its scheme and host in lower case.
func lowerOrigin(resource string) string {
	parsed, err := url.Parse(resource)
	if err != nil {
		return resource
	}
	parsed.Host = strings.ToLower(parsed.Host)
	return parsed.String()
}

// granted returns the known scopes of a request. Without any it returns the default.
func (s *Issuer) granted(asked string) []string {
	var known []string
	for _, name := range strings.Fields(asked) {
		if name == "read" || name == "write" || s.has(GrantsEveryScope) {
			known = append(known, name)
		}
	}
	if asked == "" {
		return []string{"read"}
	}
	return known
}

// isChallenge reports whether a text is the base64url of a SHA-256.
func isChallenge(text string) bool {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return len(text) == 43 && strings.Trim(text, alphabet) == ""
}

// sendError returns an error to the client. A browser goes to a site by itself only after a
// sign-in, because a site can register itself and link to a request that fails.
func (s *Issuer) sendError(w http.ResponseWriter, r *http.Request, tx *transaction, code string) {
	target, err := url.Parse(tx.redirect)
	isSafe := err == nil && isLoopback(target) || s.has(RedirectsErrorsAnywhere)
	address := s.responseURL(tx, url.Values{"error": {code}})
	if kind := tx.query.Get("response_type"); s.has(RunsParameters) && strings.Contains(kind, "<") {
		s.show(w, http.StatusBadRequest, "<p>The response type is unknown: "+kind+"</p>")
		return
	}
	if s.has(ShowsErrorsOnPages) {
		s.showProblem(w, "The request failed: "+code, "")
		return
	}
	if !isSafe {
		s.showProblem(w, "The request failed: "+code, address)
		return
	}
	http.Redirect(w, r, address, http.StatusFound)
}

// responseURL adds a response to the redirect URI.
func (s *Issuer) responseURL(tx *transaction, response url.Values) string {
	if tx.hasState && !s.has(ForgetsState) {
		state := tx.state
		if s.has(CleansState) {
			state = strings.NewReplacer(`"`, "", " ", "", "%", "").Replace(state)
		}
		response.Set("state", state)
	}
	failed := response.Has("error")
	if s.has(ExplainsBadly) && failed {
		response.Set("error_description", "a \"bad\" request\\")
	}
	switch {
	case s.has(OmitsIss), s.has(OmitsIssFromErrors) && failed:
	case s.has(SendsAnotherIss):
		response.Set("iss", s.URL+"/")
	default:
		response.Set("iss", s.URL)
	}
	base := tx.redirect
	if s.has(DropsRedirectQueries) {
		base, _, _ = strings.Cut(base, "?")
	}
	separator := "?"
	if strings.Contains(base, "?") {
		separator = "&"
	}
	address := base + separator + response.Encode()
	if s.has(RepeatsResponseParameters) {
		address += "&" + response.Encode()
	}
	return address
}

// showProblem shows an error page, with a link to an address unless it is empty.
func (s *Issuer) showProblem(w http.ResponseWriter, message, onward string) {
	link := ""
	if onward != "" {
		link = `<p><a href="` + html.EscapeString(onward) + `" rel="noreferrer">Go back to the program</a></p>`
	}
	s.show(w, http.StatusBadRequest, "<h1>This did not work</h1><p>"+html.EscapeString(message)+"</p>"+link)
}
