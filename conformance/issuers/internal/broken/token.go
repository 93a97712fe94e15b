package broken

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// A code is an authorization code. Its record outlives the redemption.
type code struct {
	*transaction
	issued time.Time
	grant  *grant // nil until the code is redeemed
}

// A grant is a person's permission to a client.
type grant struct {
	client   *client
	scopes   []string
	resource string
	signIn   *signIn // at the third party
	ended    bool
}

// A refreshToken is one token of a grant's family.
type refreshToken struct {
	grant *grant
	used  bool
}

// An accessToken is an opaque token.
type accessToken struct {
	grant    *grant
	scopes   []string
	resource string
	expires  time.Time
}

const (
	codeLifetime  = time.Minute
	tokenLifetime = 10 * time.Minute
	maxForm       = 64 << 10 // bytes
)

func (s *Issuer) newCode(tx *transaction) string {
	text := secret()
	if s.has(CountsCodes) {
		text = fmt.Sprintf("code-%08d", len(s.codes))
	}
	s.codes[text] = &code{transaction: tx, issued: s.now()}
	return text
}

// A refusal is an error of the token endpoint.
type refusal struct {
	status int
	code   string
}

func badRequest(code string) *refusal { return &refusal{http.StatusBadRequest, code} }

// serveToken is the token endpoint (OAuth 2.1 section 3.2).
func (s *Issuer) serveToken(w http.ResponseWriter, r *http.Request) {
	form, problem := s.readForm(w, r)
	var found *client
	if problem == nil {
		found, problem = s.authenticate(w, r, form)
	}
	if s.has(LooksAtCodesFirst) && form.Has("code") && s.codes[form.Get("code")] == nil {
		problem = badRequest("invalid_grant")
	}
	var answer map[string]any
	if problem == nil {
		answer, problem = s.issue(found, form)
	}
	if problem != nil {
		s.writeRefusal(w, problem)
		return
	}
	if s.has(LetsCachesStoreTokens) {
		w.Header().Set("Content-Type", "application/json")
		writeJSON(w, answer)
		return
	}
	s.write(w, http.StatusOK, answer)
}

func (s *Issuer) writeRefusal(w http.ResponseWriter, problem *refusal) {
	switch {
	case s.has(RefusesTokensWith500):
		http.Error(w, "internal error", http.StatusInternalServerError)
	case s.has(ExplainsBadly):
		s.write(w, problem.status, map[string]string{"error": problem.code, "error_description": "a \"bad\" request\\"})
	default:
		s.refuse(w, problem.status, problem.code)
	}
}

func (s *Issuer) readForm(w http.ResponseWriter, r *http.Request) (url.Values, *refusal) {
	if r.Method == http.MethodGet && s.has(TakesTokenRequestsByGET) {
		return r.URL.Query(), nil
	}
	if r.Method != http.MethodPost {
		return nil, &refusal{http.StatusMethodNotAllowed, "invalid_request"}
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		if s.has(BreaksOnOtherForms) {
			return nil, &refusal{http.StatusInternalServerError, "server_error"}
		}
		return nil, badRequest("invalid_request")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return nil, badRequest("invalid_request")
	}
	for name, values := range r.PostForm {
		if len(values) > 1 && name != "resource" && !s.has(IgnoresRepetition) {
			return nil, badRequest("invalid_request")
		}
		if s.has(RefusesUnknownParameters) && name == "foo" {
			return nil, badRequest("invalid_request")
		}
	}
	return r.PostForm, nil
}

// raceWait is how long a server with a race waits for a second request.
const raceWait = 100 * time.Millisecond

// races counts the requests that redeem a code at the same time.
type races struct {
	mu      sync.Mutex
	flights map[string]chan struct{} // closed when a second request comes
	raced   map[string]bool
}

// join waits until two requests redeem the same code, or until the first has waited in vain.
func (r *races) join(code string) {
	r.mu.Lock()
	second, found := r.flights[code]
	if found {
		if !r.raced[code] {
			r.raced[code] = true
			close(second)
		}
		r.mu.Unlock()
		return
	}
	second = make(chan struct{})
	r.flights[code] = second
	r.mu.Unlock()
	select {
	case <-second:
	case <-time.After(raceWait):
		r.mu.Lock()
		delete(r.flights, code)
		r.mu.Unlock()
	}
}

// isRace reports whether a server with a race has two requests for a code.
func (s *Issuer) isRace(code string) bool {
	s.races.mu.Lock()
	defer s.races.mu.Unlock()
	return s.races.raced[code]
}

// joinRace lets requests for a code meet before the server locks its state.
func (s *Issuer) joinRace(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.has(RedeemsAtTheSameTime) {
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
			if code := r.PostFormValue("code"); code != "" {
				s.races.join(code)
			}
		}
		next(w, r)
	}
}

// authenticate finds the client of a request and checks its credentials.
func (s *Issuer) authenticate(w http.ResponseWriter, r *http.Request, form url.Values) (*client, *refusal) {
	failed := &refusal{http.StatusUnauthorized, "invalid_client"}
	if form.Get("client_assertion") != "" {
		return s.authenticateByAssertion(form)
	}
	header := r.Header.Get("Authorization")
	id := form.Get("client_id")
	given := form.Get("client_secret")
	if s.has(TakesSecretsInBodyOnly) {
		header = ""
	}
	if header != "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="token"`)
		if s.has(OmitsBasicChallenge) {
			w.Header().Del("WWW-Authenticate")
		}
		if form.Has("client_secret") && !s.has(AcceptsTwoMethods) {
			return nil, badRequest("invalid_request")
		}
		name, value, ok := r.BasicAuth()
		decodedID, errID := url.QueryUnescape(name)
		decoded, errSecret := url.QueryUnescape(value)
		if !ok || errID != nil || errSecret != nil {
			return nil, failed
		}
		id = decodedID
		given = decoded
	}
	found := s.clients[id]
	if found == nil {
		found = s.fetcher.known[id]
	}
	if header == "" && given != "" && s.has(RefusesSecretsInBody) {
		return nil, failed
	}
	switch {
	case found == nil, found.keys != nil && !s.has(AsksForNoAssertion):
		return nil, failed
	case found.secret == "" && given != "":
		return nil, failed
	case found.secret == given, s.has(ChecksNoSecret), found == s.app && s.has(ChecksNoSecretOfApps):
	default:
		return nil, failed
	}
	w.Header().Del("WWW-Authenticate")
	return found, nil
}

func (s *Issuer) issue(found *client, form url.Values) (map[string]any, *refusal) {
	switch grantType := form.Get("grant_type"); grantType {
	case "authorization_code":
		return s.redeemCode(found, form)
	case "refresh_token":
		return s.refresh(found, form)
	case deviceGrant:
		return s.redeemDevice(found, form)
	case appGrant:
		if found == s.app || s.has(TakesPasswords) {
			return s.issueToClient(found), nil
		}
		return nil, badRequest("unauthorized_client")
	case "":
		return nil, badRequest("invalid_request")
	default:
		isExchange := grantType == "urn:ietf:params:oauth:grant-type:token-exchange"
		if s.has(TakesPasswords) && grantType == "password" || s.has(ExchangesAnyToken) && isExchange {
			return s.issueToClient(found), nil
		}
		return nil, badRequest("unsupported_grant_type")
	}
}

// appGrant is the grant type of a client that calls for itself.
const appGrant = "client_credentials"

// issueToClient issues tokens without a person.
func (s *Issuer) issueToClient(found *client) map[string]any {
	made := &grant{client: found, scopes: []string{"read"}, resource: resource}
	return s.respond(made, made.scopes, made.resource)
}

// redeemCode exchanges a code for tokens (OAuth 2.1 section 4.1.3).
func (s *Issuer) redeemCode(found *client, form url.Values) (map[string]any, *refusal) {
	known := s.codes[form.Get("code")]
	if form.Get("code") == "" {
		return nil, badRequest("invalid_request")
	}
	if known == nil {
		return nil, badRequest("invalid_grant")
	}
	isExpired := s.now().After(known.issued.Add(codeLifetime))
	isTaken := s.has(RedeemsForAnyClient) || s.has(RedeemsYoungForeignCodes) && !isExpired
	isOther := known.client != found && !isTaken
	isOther = isOther || form.Has("redirect_uri") && form.Get("redirect_uri") != known.redirect &&
		!s.has(IgnoresRedirectAtToken)
	if isOther {
		return nil, badRequest("invalid_grant")
	}
	if !s.verifies(known, form.Get("code_verifier")) {
		if known.grant != nil && s.has(EndsGrantsOnAnyReplay) {
			known.grant.ended = true
		}
		return nil, badRequest("invalid_grant")
	}
	if s.has(BreaksOnCodes) {
		return nil, &refusal{http.StatusInternalServerError, "server_error"}
	}
	if known.grant != nil && !s.has(RedeemsCodesTwice) && !s.isRace(form.Get("code")) {
		if !s.has(IgnoresReplays) {
			known.grant.ended = true
		}
		return nil, badRequest("invalid_grant")
	}
	if isExpired && !s.has(NeverExpiresCodes) && !s.has(RedeemsYoungForeignCodes) {
		return nil, badRequest("invalid_grant")
	}
	audience := known.resource
	for _, asked := range form["resource"] {
		if s.has(ExchangesResources) && (asked == resource || asked == otherResource) {
			audience = asked
			continue
		}
		if asked != known.resource && !s.has(KnowsEveryResource) && !s.has(IgnoresTokenResource) {
			return nil, badRequest("invalid_target")
		}
	}
	made := &grant{client: found, scopes: known.scopes, resource: audience, signIn: known.signIn}
	known.grant = made
	return s.respond(made, made.scopes, made.resource), nil
}

// verifies reports whether a verifier belongs to the challenge of a code.
func (s *Issuer) verifies(known *code, verifier string) bool {
	switch {
	case s.has(ChecksNoVerifier), s.has(ChecksVerifierIfSent) && verifier == "":
		return true
	case known.challenge == "" && verifier == "":
		return true
	case known.challenge == "":
		return s.has(IgnoresNeedlessVerifiers)
	case known.method != "S256":
		return verifier == known.challenge
	case len(verifier) < 43 || len(verifier) > 128:
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:]) == known.challenge
}

// refresh exchanges a refresh token for a new one (OAuth 2.1 section 4.3).
func (s *Issuer) refresh(found *client, form url.Values) (map[string]any, *refusal) {
	known := s.refreshes[form.Get("refresh_token")]
	switch {
	case form.Get("refresh_token") == "":
		return nil, badRequest("invalid_request")
	case known == nil || known.grant.client != found && !s.has(RefreshesForAnyClient):
		return nil, badRequest("invalid_grant")
	case known.grant.ended && !s.has(RefreshesEndedGrants):
		return nil, badRequest("invalid_grant")
	case known.used && !s.has(NeverRotates) && !s.has(AcceptsUsedRefreshTokens):
		if !s.has(IgnoresStolenRefreshTokens) {
			known.grant.ended = true
		}
		return nil, badRequest("invalid_grant")
	case s.isEndedElsewhere(known.grant.signIn):
		known.grant.ended = true
		return nil, badRequest("invalid_grant")
	}
	scopes := known.grant.scopes
	if form.Get("scope") != "" {
		scopes = s.granted(form.Get("scope"))
		isMore := func(name string) bool { return !slices.Contains(known.grant.scopes, name) }
		if slices.ContainsFunc(scopes, isMore) && !s.has(WidensScopes) {
			return nil, badRequest("invalid_scope")
		}
	}
	audience := known.grant.resource
	for _, asked := range form["resource"] {
		if asked != audience && !s.has(WidensResources) {
			return nil, badRequest("invalid_target")
		}
		audience = asked
	}
	if s.has(NarrowsGrants) {
		known.grant.scopes = scopes
	}
	known.used = true
	answer := s.respond(known.grant, scopes, audience)
	if s.has(NeverRotates) {
		answer["refresh_token"] = form.Get("refresh_token")
	}
	return answer, nil
}

// readable returns a token with the form of a JWT, whose claims anyone can read.
func readable(claims map[string]any) string {
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","typ":"at+jwt"}`))
	text, _ := json.Marshal(claims) // all claims are strings
	return header + "." + base64.RawURLEncoding.EncodeToString(text) + "." + secret()
}

// respond issues tokens of a grant.
func (s *Issuer) respond(made *grant, scopes []string, audience string) map[string]any {
	switch {
	case s.has(IssuesOneAudience):
		audience = "everything"
	case s.has(IssuesForItself):
		audience = s.URL
	}
	access := readable(map[string]any{"aud": audience, "scope": strings.Join(scopes, " ")})
	refresh := secret()
	if made.signIn != nil && made.signIn.tokens != nil && s.has(PassesTokensOn) {
		access = made.signIn.tokens.Access
	}
	lifetime := tokenLifetime
	if s.has(IssuesLongTokens) {
		lifetime = 24 * time.Hour
	}
	s.accesses[access] = &accessToken{made, scopes, audience, s.now().Add(lifetime)}
	s.refreshes[refresh] = &refreshToken{grant: made}
	answer := map[string]any{
		"access_token":  access,
		"token_type":    "Bearer",
		"expires_in":    int(lifetime.Seconds()),
		"refresh_token": refresh,
		"scope":         strings.Join(scopes, " "),
	}
	if s.has(OmitsTokenType) {
		delete(answer, "token_type")
	}
	if s.has(OmitsGrantedScope) {
		delete(answer, "scope")
	}
	return answer
}

// serveRevocation revokes a token (RFC 7009).
func (s *Issuer) serveRevocation(w http.ResponseWriter, r *http.Request) {
	form, problem := s.readForm(w, r)
	var found *client
	if problem == nil {
		found, problem = s.authenticate(w, r, form)
	}
	if problem != nil {
		s.writeRefusal(w, problem)
		return
	}
	text := form.Get("token")
	var owner *grant
	if known := s.refreshes[text]; known != nil {
		owner = known.grant
	} else if known := s.accesses[text]; known != nil {
		owner = known.grant
	}
	switch {
	case text == "":
		s.refuse(w, http.StatusBadRequest, "invalid_request")
		return
	case owner == nil && s.has(RefusesUnknownRevocations):
		s.refuse(w, http.StatusBadRequest, "invalid_request")
		return
	case owner == nil, owner.client != found && !s.has(RevokesForAnyClient):
	case s.has(RevokesNothing):
	case s.has(TrustsRevocationHints) && form.Get("token_type_hint") == "access_token" && s.refreshes[text] != nil:
	default:
		owner.ended = true
	}
	w.WriteHeader(http.StatusOK)
}
