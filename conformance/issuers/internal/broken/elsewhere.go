package broken

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"slices"

	"mcpentra/conformance/issuers/internal/bench"
)

// SignsInElsewhere makes a server that lets people sign in at a third party. That breaks no rule.
const SignsInElsewhere Fault = "lets people sign in at a third party"

// Faults of the sign-in at a third party.
const (
	BindsNoBrowser       Fault = "continues a sign-in in any browser"
	ChecksNoState        Fault = "continues a browser's sign-in without its state"
	RepeatsSignIns       Fault = "takes the answer of the third party twice"
	PassesStateOn        Fault = "sends the client's state to the third party"
	PassesParametersOn   Fault = "sends the client's parameters to the third party"
	RedeemsForeignCodes  Fault = "accepts the third party's code of another sign-in"
	ShowsThirdPartyError Fault = "writes the third party's error without escapes"
)

var elsewhereFaults = []Fault{
	SignsInElsewhere, BindsNoBrowser, ChecksNoState, RepeatsSignIns, PassesStateOn, PassesParametersOn,
	RedeemsForeignCodes, ShowsThirdPartyError,
}

// An elsewhere is the third party where people sign in.
type elsewhere struct {
	issuer  *Issuer
	client  string // this server's client ID there
	signIns map[string]*signIn
}

// A signIn is a sign-in that waits for the third party's answer.
type signIn struct {
	tx       *transaction
	verifier string
	browser  string
	used     bool
}

const signInCookie = "sign-in"

// startElsewhere starts the third party and registers this server there.
func (s *Issuer) startElsewhere() {
	isElsewhere := func(fault Fault) bool { return slices.Contains(elsewhereFaults, fault) }
	if !slices.ContainsFunc(s.faults, isElsewhere) {
		return
	}
	s.cookie = "facade"
	s.elsewhere = &elsewhere{issuer: Start(), client: secret(), signIns: map[string]*signIn{}}
	third := s.elsewhere.issuer
	third.clients[s.elsewhere.client] = &client{
		id:        s.elsewhere.client,
		name:      "Facade",
		method:    "none",
		redirects: []string{s.URL + "/callback"},
	}
}

// sendElsewhere sends a browser whose person has approved the client to the third party.
func (s *Issuer) sendElsewhere(w http.ResponseWriter, r *http.Request, tx *transaction) {
	made := &signIn{tx: tx, verifier: secret(), browser: secret()}
	state := secret()
	if s.has(PassesStateOn) {
		state = tx.state
	}
	s.elsewhere.signIns[state] = made
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
	http.Redirect(w, r, s.elsewhere.issuer.URL+"/authorize?"+query.Encode(), http.StatusSeeOther)
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
	if query.Get("code") == "" {
		message := html.EscapeString(query.Get("error_description"))
		if s.has(ShowsThirdPartyError) {
			message = query.Get("error_description")
		}
		s.show(w, http.StatusBadRequest, "<p>The sign-in failed: "+message+"</p>")
		return
	}
	isNew := !found.used
	found.used = true
	if isNew && !s.has(RedeemsForeignCodes) && !s.redeemsElsewhere(query.Get("code"), found.verifier) {
		s.showProblem(w, "The sign-in failed.", "")
		return
	}
	response := url.Values{"code": {s.newCode(found.tx)}}
	http.Redirect(w, r, s.responseURL(found.tx, response), http.StatusSeeOther)
}

// redeemsElsewhere reports whether the third party redeems a code with a verifier.
func (s *Issuer) redeemsElsewhere(code, verifier string) bool {
	form := url.Values{
		"grant_type":    {"authorization_code"},
		"client_id":     {s.elsewhere.client},
		"redirect_uri":  {s.URL + "/callback"},
		"code":          {code},
		"code_verifier": {verifier},
	}
	const kind = "application/x-www-form-urlencoded"
	client := s.elsewhere.issuer.server.Client()
	answer, err := client.Post(s.elsewhere.issuer.URL+"/token", kind, bytes.NewReader([]byte(form.Encode())))
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	var tokens bench.Tokens
	return json.NewDecoder(answer.Body).Decode(&tokens) == nil && tokens.Access != ""
}
