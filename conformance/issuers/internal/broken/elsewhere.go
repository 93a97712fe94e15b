package broken

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"time"

	"mcpentra/conformance/issuers/internal/bench"
	"mcpentra/conformance/issuers/rig"
)

// SignsInElsewhere makes a server that lets people sign in at a third party. That breaks no rule.
const SignsInElsewhere Fault = "lets people sign in at a third party"

// Faults of the sign-in at a third party.
const (
	BindsNoBrowser       Fault = "continues a sign-in in any browser"
	ChecksNoState        Fault = "continues a browser's sign-in without its state"
	KeepsOneSignIn       Fault = "keeps one sign-in for all people"
	RepeatsSignIns       Fault = "takes the answer of the third party twice"
	PassesStateOn        Fault = "sends the client's state to the third party"
	PassesParametersOn   Fault = "sends the client's parameters to the third party"
	RedeemsForeignCodes  Fault = "accepts the third party's code of another sign-in"
	ShowsThirdPartyError Fault = "writes the third party's error without escapes"

	IgnoresNonce            Fault = "accepts an ID token of another sign-in"
	IgnoresIDTokenAudience  Fault = "accepts an ID token for another client"
	IgnoresIDTokenIssuer    Fault = "accepts an ID token of another issuer"
	IgnoresIDTokenExpiry    Fault = "accepts an ID token that has expired"
	IgnoresIDTokenSignature Fault = "accepts an ID token without checking its signature"
	IgnoresThirdPartyIss    Fault = "ignores the third party's iss"
	IgnoresTokenErrors      Fault = "continues a sign-in whose token request has failed"
	ShowsThirdPartyFailures Fault = "shows failures of the third party on pages"
	PassesTokensOn          Fault = "gives the third party's token to the client"
	WaitsForThirdParty      Fault = "waits for the third party without a limit"
	ReadsEndlessTokens      Fault = "reads endless token responses"
	UsesAnyMetadata         Fault = "uses metadata of another issuer"
	KeepsSignInsForever     Fault = "keeps a sign-in that waits without a limit"
	IgnoresEndedGrants      Fault = "refreshes although the third party has ended the grant"
)

var elsewhereFaults = []Fault{
	SignsInElsewhere, KeepsOneSignIn, BindsNoBrowser, ChecksNoState, RepeatsSignIns, PassesStateOn, PassesParametersOn,
	RedeemsForeignCodes, ShowsThirdPartyError, IgnoresNonce, IgnoresIDTokenAudience, IgnoresIDTokenIssuer,
	IgnoresIDTokenExpiry, IgnoresIDTokenSignature, IgnoresThirdPartyIss, IgnoresTokenErrors,
	ShowsThirdPartyFailures, PassesTokensOn, WaitsForThirdParty, ReadsEndlessTokens, UsesAnyMetadata,
	KeepsSignInsForever, IgnoresEndedGrants,
}

// An elsewhere is the third party where people sign in.
type elsewhere struct {
	provider *rig.Provider // nil if another part of the program plays it
	issuer   string
	client   string // this server's client ID there
	signIns  map[string]*signIn
	last     *signIn // of any person
}

// A signIn is a sign-in that waits for the third party's answer, or has got it.
type signIn struct {
	tx       *transaction
	metadata *bench.Metadata // of the third party
	verifier string
	nonce    string
	browser  string
	begun    time.Time
	used     bool
	tokens   *thirdPartyTokens
}

const (
	signInCookie   = "sign-in"
	signInLifetime = 10 * time.Minute
)

// startElsewhere starts the third party, unless an issuer is given.
func (s *Issuer) startElsewhere(issuer string) {
	isElsewhere := func(fault Fault) bool { return slices.Contains(elsewhereFaults, fault) }
	if issuer == "" && !slices.ContainsFunc(s.faults, isElsewhere) {
		return
	}
	s.cookie = "facade"
	s.elsewhere = &elsewhere{issuer: issuer, client: secret(), signIns: map[string]*signIn{}}
	if issuer != "" {
		return
	}
	provider, err := rig.Listen(rig.Config{Address: "127.0.0.1:0"})
	if err != nil {
		panic(fmt.Sprintf("broken: %v", err)) // as httptest.NewServer does
	}
	s.elsewhere.provider = provider
	s.elsewhere.issuer = provider.URL
}

// startBehind starts a server with the same faults, whose people sign in at an issuer.
func (s *Issuer) startBehind(_ context.Context, issuer string) (*bench.Started, error) {
	another := start(issuer, s.faults...)
	return &bench.Started{Target: another.Target(), Close: another.Close}, nil
}

// sendElsewhere sends a browser whose person has approved the client to the third party.
func (s *Issuer) sendElsewhere(w http.ResponseWriter, r *http.Request, tx *transaction) {
	metadata, err := s.readMetadata()
	if err != nil {
		s.sendError(w, r, tx, "server_error")
		return
	}
	made := &signIn{
		tx:       tx,
		metadata: metadata,
		verifier: secret(),
		nonce:    secret(),
		browser:  secret(),
		begun:    s.now(),
	}
	state := secret()
	if s.has(PassesStateOn) {
		state = tx.state
	}
	s.elsewhere.signIns[state] = made
	s.elsewhere.last = made
	http.SetCookie(w, &http.Cookie{
		Name:     signInCookie,
		Value:    made.browser,
		Path:     "/issuer/callback",
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	})
	sum := sha256.Sum256([]byte(made.verifier))
	query := url.Values{
		"response_type":         {"code"},
		"client_id":             {s.elsewhere.client},
		"redirect_uri":          {s.URL + "/callback"},
		"state":                 {state},
		"scope":                 {"openid offline_access"},
		"nonce":                 {made.nonce},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(sum[:])},
		"code_challenge_method": {"S256"},
	}
	if s.has(PassesParametersOn) {
		for name, values := range tx.query {
			if !query.Has(name) && name != "resource" && name != "scope" {
				query[name] = values
			}
		}
	}
	http.Redirect(w, r, metadata.AuthorizationEndpoint+"?"+query.Encode(), http.StatusSeeOther)
}

// ofBrowser returns the sign-in that a browser has begun, or nil.
func (e *elsewhere) ofBrowser(cookie string) *signIn {
	for _, made := range e.signIns {
		if made.browser == cookie {
			return made
		}
	}
	return nil
}

// serveCallback takes the third party's answer.
func (s *Issuer) serveCallback(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	found := s.elsewhere.signIns[query.Get("state")]
	cookie, err := r.Cookie(signInCookie)
	if err == nil && s.has(ChecksNoState) {
		found = s.elsewhere.ofBrowser(cookie.Value)
	}
	isOnce := len(query["state"]) == 1 || s.has(ChecksNoState)
	if found == nil || !isOnce || found.used && !s.has(RepeatsSignIns) {
		s.showProblem(w, "This sign-in is unknown.", "")
		return
	}
	isOwn := err == nil && cookie.Value == found.browser
	if !isOwn && !s.has(BindsNoBrowser) {
		s.showProblem(w, "This sign-in belongs to another browser.", "")
		return
	}
	if s.now().Sub(found.begun) > signInLifetime && !s.has(KeepsSignInsForever) {
		s.showProblem(w, "This sign-in is too old.", "")
		return
	}
	isForeign := query.Get("iss") != found.metadata.Issuer && !s.has(IgnoresThirdPartyIss)
	switch {
	case isForeign:
		s.sendError(w, r, found.tx, "server_error")
	case query.Get("code") == "":
		s.failSignIn(w, r, found, query)
	default:
		s.finishSignIn(w, r, found, query.Get("code"))
	}
}

// failSignIn takes an error of the third party.
func (s *Issuer) failSignIn(w http.ResponseWriter, r *http.Request, found *signIn, answer url.Values) {
	found.used = true
	message := answer.Get("error_description")
	switch {
	case s.has(ShowsThirdPartyError):
		s.show(w, http.StatusBadRequest, "<p>The sign-in failed: "+message+"</p>")
	case s.has(ShowsThirdPartyFailures):
		s.show(w, http.StatusBadRequest, "<p>The sign-in failed: "+html.EscapeString(message)+"</p>")
	case answer.Get("error") == "access_denied":
		s.sendError(w, r, found.tx, "access_denied")
	default:
		s.sendError(w, r, found.tx, "server_error")
	}
}

// finishSignIn redeems the third party's code, and gives the client its own.
func (s *Issuer) finishSignIn(w http.ResponseWriter, r *http.Request, found *signIn, code string) {
	isNew := !found.used
	found.used = true
	if isNew && !s.has(RedeemsForeignCodes) {
		used := found
		if s.has(KeepsOneSignIn) {
			used = s.elsewhere.last
		}
		s.mu.Unlock() // the third party may take its time
		tokens, err := s.redeemElsewhere(r.Context(), used, code)
		s.mu.Lock()
		if err != nil {
			s.failSignIn(w, r, found, url.Values{"error": {"server_error"}})
			return
		}
		found.tokens = tokens
	}
	found.tx.signIn = found
	response := url.Values{"code": {s.newCode(found.tx)}}
	http.Redirect(w, r, s.responseURL(found.tx, response), http.StatusSeeOther)
}
