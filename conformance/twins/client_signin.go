package twins

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"slices"
	"strings"

	"mcpentra/conformance/engine"
)

// manyTimes is how often a client that does something for ever does it here.
const manyTimes = 12

// renew gets another token after a 401: a refreshed one first, and then one by a sign-in.
func (r *clientRun) renew(ctx context.Context, challenge map[string]string, renewed *bool) error {
	held := r.grant
	if held != nil && !*renewed {
		*renewed = true
		if r.has(RefreshesAnywhere) {
			if _, issuer, err := r.discover(ctx, challenge); err == nil {
				held.issuer = issuer
			}
		}
		if held.refresh != "" || r.has(RefreshesWithNothing) {
			err := r.refresh(ctx)
			var down statusError
			if errors.As(err, &down) {
				if r.has(ForgetsAtOutage) {
					held.refresh = ""
					r.keep()
				}
				return err
			}
			if err == nil {
				return nil
			}
		}
	}
	if r.signIns++; r.signIns > 2 && !(r.has(SignsInForever) && r.signIns <= manyTimes) {
		return errRefused
	}
	return r.signIn(ctx, challenge, nil)
}

func (r *clientRun) stepUp(ctx context.Context, challenge map[string]string) error {
	if r.stepUps++; r.has(GivesUpAtStepUp) || r.stepUps > 3 && !(r.has(StepsUpForever) && r.stepUps <= manyTimes) {
		return errors.New("the server wants more scopes than it grants")
	}
	more := strings.Fields(challenge["scope"])
	if len(more) > 100 && !r.has(TakesManyScopes) {
		return errors.New("the server wants more scopes than anybody would approve")
	}
	if r.grant != nil && !r.has(ForgetsScopes) {
		for _, one := range r.grant.scopes {
			if !slices.Contains(more, one) {
				more = append(more, one)
			}
		}
	}
	return r.signIn(ctx, challenge, more)
}

// signIn gets a token from whatever authorization server the metadata names now.
func (r *clientRun) signIn(ctx context.Context, challenge map[string]string, scopes []string) error {
	var resource *resourceDocument
	var err error
	issuer := r.found
	if issuer == nil || !r.has(KeepsMetadata) {
		if resource, issuer, err = r.discover(ctx, challenge); err != nil {
			return err
		}
		r.found, r.foundFor = issuer, ""
		if resource != nil {
			r.foundFor, _ = resource.Resource.(string)
		}
	}
	if r.has(OpensDocumentation) && issuer.Documentation != "" {
		_ = r.task.Open(ctx, issuer.Documentation)
	}
	if scopes == nil {
		scopes = r.scopes(challenge, resource, issuer)
	}
	name := r.resourceName(r.foundFor)
	if r.has(KeysTokensByIssuer) && r.grant == nil {
		r.memory.mu.Lock()
		r.grant = r.memory.grants[issuer.Issuer]
		r.memory.mu.Unlock()
		if r.grant != nil {
			return nil
		}
	}
	switch {
	case r.task.Machine:
		return r.machine(ctx, issuer, name, scopes)
	case r.task.Enterprise != nil:
		return r.enterprise(ctx, issuer, name, scopes)
	}
	client, p, err := r.begin(ctx, issuer, name, scopes)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.await(ctx); err != nil {
		return err
	}
	r.grant = &grant{scopes: scopes, issuer: issuer, client: client, resource: name}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {p.code}, "code_verifier": {p.verifier}, "redirect_uri": {p.redirect}}
	if name != "" && !r.has(LeavesOutResourceToken) {
		form.Set("resource", name)
	}
	if r.has(SendsNoPKCE) {
		form.Del("code_verifier")
	}
	if r.has(MixesSignInsUp) {
		r.memory.mu.Lock()
		issuer = r.memory.latest.issuer
		r.memory.mu.Unlock()
	}
	return r.redeem(ctx, issuer, client, form)
}

func (r *clientRun) resourceName(found string) string {
	server, err := url.Parse(r.task.URL)
	switch {
	case err != nil || found == "" && r.task.Revision == engine.R20250326:
		return ""
	case r.has(SendsOriginAsResource):
		return strings.ToLower(server.Scheme + "://" + server.Host)
	case r.has(SendsResourceAsGiven):
		return r.task.URL
	}
	return found
}

func (r *clientRun) scopes(challenge map[string]string, resource *resourceDocument, issuer *issuerDocument) []string {
	asked := strings.Fields(challenge["scope"])
	var listed []string
	if resource != nil {
		listed = resource.Scopes
	}
	if r.has(IgnoresListedScopes) {
		listed = nil
	}
	switch {
	case r.has(IgnoresChallengedScope) || len(asked) == 0:
		asked = listed
	case r.has(DropsUnlistedScopes) && listed != nil:
		asked = slices.DeleteFunc(asked, func(one string) bool { return !slices.Contains(listed, one) })
	case r.has(AsksForAllScopes):
		asked = append(asked, listed...)
	}
	if len(asked) == 0 && r.has(AsksForSomeScope) {
		asked = []string{"openid"}
	}
	if slices.Contains(issuer.Scopes, "offline_access") || r.has(AddsOfflineAccess) {
		asked = append(asked, "offline_access")
	}
	return asked
}

// pending is a sign-in that is under way.
type pending struct {
	run      *clientRun
	issuer   *issuerDocument
	client   identity
	redirect string
	state    string
	verifier string
	resource string
	code     string

	server  *httptest.Server
	page    string
	answers chan url.Values
}

func (p *pending) close() {
	switch {
	case p.server == nil:
	case p.run.has(KeepsListening):
		p.run.left = append(p.run.left, p.server)
	default:
		p.server.Close()
	}
}

// foreignRedirect is where no answer should be sent to.
const foreignRedirect = "http://client.example.com/callback"

// begin registers, and makes the authorization request.
func (r *clientRun) begin(ctx context.Context, issuer *issuerDocument, resource string, scopes []string) (identity, *pending, error) {
	p := &pending{run: r, issuer: issuer, resource: resource, state: rand.Text(), verifier: rand.Text() + rand.Text(), answers: make(chan url.Values, 4)}
	if r.has(ReusesState) {
		p.state = "always-the-same-state"
	}
	if r.has(ReusesVerifier) {
		p.verifier = strings.Repeat("always-the-same-", 4)
	}
	p.server = httptest.NewServer(http.HandlerFunc(p.serve))
	p.redirect = p.server.URL + "/callback"
	if r.has(UsesForeignRedirect) {
		p.redirect = foreignRedirect
	}
	var err error
	if p.client, err = r.identity(ctx, issuer, p.redirect); err != nil {
		p.close()
		return identity{}, nil, err
	}
	query := url.Values{"response_type": {"code"}, "client_id": {p.client.id}, "redirect_uri": {p.redirect}, "state": {p.state}}
	if r.has(MakesUpID) && p.client.redirect != "" { // it has registered
		query.Set("client_id", "twin")
	}
	sum := sha256.Sum256([]byte(p.verifier))
	plain := r.has(UsesPlain) || r.has(FallsBackToPlain) && !slices.Contains(issuer.Methods, "S256")
	switch {
	case r.has(SendsNoPKCE):
	case plain:
		query.Set("code_challenge", p.verifier)
		query.Set("code_challenge_method", "plain")
	default:
		query.Set("code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]))
		query.Set("code_challenge_method", "S256")
	}
	if r.has(FallsBackToImplicit) && !slices.Contains(issuer.Responses, "code") {
		query.Set("response_type", "token")
	}
	if resource != "" && !r.has(LeavesOutResourceAsking) {
		query.Set("resource", resource)
	}
	if len(scopes) > 0 {
		query.Set("scope", strings.Join(scopes, " "))
	}
	separator := "?"
	if strings.Contains(issuer.Authorization, "?") {
		separator = "&"
	}
	p.page = issuer.Authorization + separator + query.Encode()
	r.memory.mu.Lock()
	r.memory.latest = p
	r.memory.mu.Unlock()
	return p.client, p, nil
}

// identity is which client this is at an authorization server.
func (r *clientRun) identity(ctx context.Context, issuer *issuerDocument, redirect string) (identity, error) {
	method := "none"
	if len(issuer.Auth) > 0 {
		method = issuer.Auth[0]
	}
	if r.task.ClientID != "" && !r.has(RegistersAnyway) {
		if r.configured == "" {
			r.configured = issuer.Issuer
		}
		if r.configured != issuer.Issuer && !r.has(SendsConfiguredID) {
			return identity{}, fmt.Errorf("the client ID is for %s, and the server names %s now", r.configured, issuer.Issuer)
		}
		return identity{id: r.task.ClientID, secret: r.task.ClientSecret, method: method}, nil
	}
	document := documentURL
	if r.has(HasDocumentAtRoot) {
		document = documentAtRoot
	}
	if issuer.Documents != nil && (*issuer.Documents || r.has(UsesDocumentDeclined)) && !r.has(PrefersRegistration) {
		return identity{id: document, method: "none"}, nil
	}
	key := issuer.Issuer
	if r.has(KeepsClientID) {
		key = ""
	}
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	if known, found := r.memory.clients[key]; found && known.redirect == redirect || found && r.has(KeepsClientID) {
		return known, nil
	}
	registered, err := r.register(ctx, issuer, redirect, method)
	if err == nil {
		r.memory.clients[key] = registered
	}
	return registered, err
}

func (r *clientRun) register(ctx context.Context, issuer *issuerDocument, redirect, method string) (identity, error) {
	asked := map[string]any{
		"client_name": "twin", "redirect_uris": []string{redirect}, "grant_types": []string{"authorization_code", "refresh_token"}, "response_types": []string{"code"},
		"token_endpoint_auth_method": method, "application_type": "native",
	}
	switch {
	case r.has(RegistersNoRedirect):
		delete(asked, "redirect_uris")
	case r.has(RegistersAnotherRedirect):
		asked["redirect_uris"] = []string{redirect + "/other"}
	case r.has(SaysNoApplicationType):
		delete(asked, "application_type")
	case r.has(SaysWeb):
		asked["application_type"] = "web"
	case r.has(ListsNoRefreshGrant):
		asked["grant_types"] = []string{"authorization_code"}
	}
	text, err := json.Marshal(asked)
	if err != nil {
		return identity{}, err
	}
	if r.has(TriesDefaultEndpoints) {
		_, _, _ = r.post(ctx, origin(issuer.Issuer)+"/register", "application/json", nil, text)
	}
	response, body, err := r.post(ctx, issuer.Registration, "application/json", nil, text)
	if err != nil {
		return identity{}, err
	}
	var answer struct {
		ID          any    `json:"client_id"`
		Secret      string `json:"client_secret"`
		Method      string `json:"token_endpoint_auth_method"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if err := json.Unmarshal(body, &answer); err != nil && response.StatusCode == http.StatusCreated {
		return identity{}, err
	}
	if response.StatusCode != http.StatusCreated {
		switch {
		case r.has(GoesOnUnregistered):
			fmt.Fprintf(r.task.Output, "registration refused: %s\n", answer.Error)
			return identity{id: "twin", method: "none", redirect: redirect}, nil
		case r.has(HidesRejection):
			return identity{}, errors.New("something went wrong")
		}
		return identity{}, fmt.Errorf("registration refused: %s (%s)", answer.Error, answer.Description)
	}
	id, is := answer.ID.(string)
	if r.has(TakesAnyID) {
		id, is = fmt.Sprint(answer.ID), true
	}
	if !is || id == "" || strings.ContainsAny(id, "\r\n") && !r.has(TakesAnyID) {
		return identity{}, errors.New("registration: no client ID that could be used")
	}
	return identity{id: id, secret: answer.Secret, method: answer.Method, redirect: redirect}, nil
}

func origin(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return parsed.Scheme + "://" + parsed.Host
}

// await shows the page and waits for the answer that is taken.
func (p *pending) await(ctx context.Context) error {
	if err := p.run.check(p.page); err != nil {
		return err
	}
	if p.run.has(UsesForeignRedirect) {
		response, _, err := p.run.do(ctx, http.MethodGet, p.page, http.Header{}, nil)
		if err != nil {
			return err
		}
		to, err := url.Parse(response.Header.Get("Location"))
		if err != nil {
			return err
		}
		if to.Query().Get("state") != p.state {
			return errors.New("the answer belongs to another sign-in")
		}
		return p.take(to.Query())
	}
	if p.run.has(OpensWithShell) {
		_ = exec.CommandContext(ctx, "sh", "-c", `: "`+p.raw()+`"`).Run()
	}
	opened := make(chan error, 1)
	go func() { opened <- p.run.task.Open(ctx, p.page) }()
	var failed error
	for {
		select {
		case answer := <-p.answers:
			err := p.take(answer)
			if p.run.has(RedeemsEveryAnswer) && opened != nil {
				<-opened
				for len(p.answers) > 0 {
					one := <-p.answers
					_, _, _ = p.run.post(ctx, p.issuer.Token, "application/x-www-form-urlencoded", nil, []byte(url.Values{"grant_type": {"authorization_code"}, "code": {one.Get("code")}}.Encode()))
				}
			}
			return err
		case failed = <-opened:
			opened = nil
			if len(p.answers) == 0 {
				return fmt.Errorf("no answer came: %w", failed)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// raw is the page as the authorization server wrote it.
func (p *pending) raw() string { return p.issuer.Authorization }

// check says why a page is not opened.
func (r *clientRun) check(page string) error {
	parsed, err := url.Parse(page)
	switch {
	case r.has(OpensAnything):
		return nil
	case r.has(BlocksKnownSchemes) && err == nil && parsed.Scheme != "" && !slices.Contains([]string{"javascript", "data", "file", "vbscript", "http"}, parsed.Scheme):
		return nil
	case err != nil || parsed.Host == "" || parsed.Scheme != "https" && !(parsed.Scheme == "http" && onLoopback(parsed.Hostname())):
		return fmt.Errorf("the authorization page %q is not opened", page)
	}
	return nil
}

// serve is the redirect URI.
func (p *pending) serve(w http.ResponseWriter, request *http.Request) {
	query := request.URL.Query()
	switch {
	case request.URL.Path != "/callback" && !p.run.has(AnswersAnyPath):
		http.NotFound(w, request)
	case query.Get("state") != p.state && !p.run.has(ComparesNoState):
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadRequest)
		p.reflect(w, query)
	default:
		w.Header().Set("Content-Type", "text/html")
		p.reflect(w, query)
		select {
		case p.answers <- query:
		default:
		}
	}
}

func (p *pending) reflect(w io.Writer, query url.Values) {
	text := "You can close this window."
	if p.run.has(ReflectsAnswer) {
		text = query.Get("error_description")
	}
	_, _ = io.WriteString(w, "<p>"+text)
}

// take reads an answer (RFC 9207 section 2.4).
func (p *pending) take(answer url.Values) error {
	r := p.run
	if r.has(ShowsAnyError) && answer.Has("error") {
		return fmt.Errorf("the authorization server refuses: %s", answer.Get("error_description"))
	}
	loosely := func(text string) string {
		decoded, _ := url.PathUnescape(text)
		return strings.ToLower(strings.TrimSuffix(decoded, "/"))
	}
	iss := answer.Get("iss")
	same := iss == p.issuer.Issuer || r.has(ComparesIssLoosely) && loosely(iss) == loosely(p.issuer.Issuer)
	switch {
	case r.task.Revision != engine.R20260728, r.has(ComparesNoIss):
	case iss == "" && p.issuer.Iss && !r.has(TakesMissingIss):
		return errors.New("the answer does not say where it comes from")
	case iss != "" && !same && (p.issuer.Iss || !r.has(ComparesAnnouncedIss)):
		return errors.New("the answer comes from somebody else")
	case iss != "" && !p.issuer.Iss && r.has(RefusesUnannouncedIss):
		return errors.New("the answer says where it comes from, and nobody announced that")
	}
	if answer.Has("error") {
		return fmt.Errorf("the authorization server refuses: %s", answer.Get("error_description"))
	}
	if answer.Has("x_unknown") && r.has(RefusesUnknownInAnswers) {
		return errors.New("the answer has parameters that nobody knows")
	}
	p.code = answer.Get("code")
	return nil
}
