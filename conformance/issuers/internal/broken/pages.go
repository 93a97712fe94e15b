package broken

import (
	"crypto/subtle"
	"html"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// show shows a page that no other site can frame.
func (s *Issuer) show(w http.ResponseWriter, status int, body string) {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer")
	if !s.has(AllowsFrames) {
		header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		header.Set("X-Frame-Options", "DENY")
	}
	if s.has(AllowsInlineScripts) {
		header.Set("Content-Security-Policy", "script-src 'unsafe-inline'; frame-ancestors 'none'")
	}
	if s.has(FillsBrowsers) {
		http.SetCookie(w, &http.Cookie{
			Name:     "transaction-" + secret()[:8],
			Value:    secret() + secret() + secret(),
			Path:     "/issuer",
			HttpOnly: true,
			SameSite: http.SameSiteLaxMode,
		})
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte("<!DOCTYPE html><title>Broken</title>" + body))
}

// user returns the person who is signed in, or "".
func (s *Issuer) user(r *http.Request) string {
	cookie, err := r.Cookie(s.cookie)
	if err != nil {
		return ""
	}
	return s.sessions[cookie.Value]
}

func (s *Issuer) session(r *http.Request) string {
	cookie, err := r.Cookie(s.cookie)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// showSignIn shows the page where a person types a password.
func (s *Issuer) showSignIn(w http.ResponseWriter, id string) {
	s.show(w, http.StatusOK, `<h1>Sign in</h1>`+s.formOf("/issuer/signin", "login", id)+
		`<input name="username"><input type="password" name="password"><button>Sign in</button></form>`)
}

// beginSession signs a browser in, and returns its session.
func (s *Issuer) beginSession(w http.ResponseWriter) string {
	session := secret()
	s.sessions[session] = username
	http.SetCookie(w, &http.Cookie{
		Name:     s.cookie,
		Value:    session,
		Path:     "/issuer",
		HttpOnly: !s.has(ShowsCookiesToScripts),
		Secure:   s.server.TLS != nil && !s.has(SendsCookiesInClear),
		SameSite: s.sameSite(),
		Expires:  time.Now().Add(time.Hour),
	})
	return session
}

// sameSite is the protection of the session against forms of other sites.
func (s *Issuer) sameSite() http.SameSite {
	if s.has(ChecksNoCSRF) {
		return http.SameSiteNoneMode
	}
	return http.SameSiteLaxMode
}

// serveSignIn takes the password.
func (s *Issuer) serveSignIn(w http.ResponseWriter, r *http.Request) {
	id := transactionID(r)
	right := subtle.ConstantTimeCompare([]byte(r.PostFormValue("password")), []byte(password)) == 1
	if !right || r.PostFormValue("username") != username || s.transactions[id] == nil {
		s.showProblem(w, "The name or the password is wrong.", "")
		return
	}
	s.beginSession(w)
	status := http.StatusSeeOther
	if s.has(RedirectsWith307) {
		status = http.StatusTemporaryRedirect
	}
	http.Redirect(w, r, s.URL+"/consent?transaction="+url.QueryEscape(id), status)
}

// serveConsent asks the person for consent.
func (s *Issuer) serveConsent(w http.ResponseWriter, r *http.Request) {
	tx := s.transactions[r.URL.Query().Get("transaction")]
	if tx == nil || s.user(r) == "" {
		s.showProblem(w, "This request is unknown.", "")
		return
	}
	tx.csrf = secret()
	tx.session = s.session(r)
	s.last[tx.session] = tx
	destination := ""
	if target, err := url.Parse(tx.redirect); err == nil && !s.has(HidesRedirectHost) {
		destination = "<p>You will be sent to " + html.EscapeString(target.Host) + ".</p>"
	}
	shown := strings.Map(visible, tx.client.name)
	if s.has(ShowsControls) {
		shown = tx.client.name
	}
	if target, err := url.Parse(tx.redirect); err == nil && isLoopback(target) && !s.has(WarnsOfNoProgram) {
		destination += "<p>That is a program on this computer.</p>"
	}
	if id, err := url.Parse(tx.client.id); err == nil && tx.client.isDocument && !s.has(HidesClientHost) {
		destination += "<p>The program describes itself at " + html.EscapeString(id.Host) + ".</p>"
	}
	name := html.EscapeString(shown)
	if s.has(RunsClientNames) {
		name = tx.client.name
	}
	logo := ""
	if s.has(ShowsLogos) && tx.client.logo != "" {
		logo = `<a href="` + html.EscapeString(tx.client.logo) + `">About</a>`
	}
	deny := `<button name="answer" value="deny">Deny</button>`
	if s.has(OffersNoRefusal) {
		deny = ""
	}
	csrf := `<input type="hidden" name="csrf" value="` + tx.csrf + `">`
	if s.has(NamesTransactionsInPaths) {
		csrf = ""
	}
	s.show(w, http.StatusOK, "<h1>"+name+" wants access</h1>"+logo+
		"<p>"+html.EscapeString(strings.Join(tx.scopes, ", "))+"</p>"+destination+
		s.formOf("/issuer/consent", "consent", html.EscapeString(r.URL.Query().Get("transaction")))+csrf+
		`<button name="answer" value="approve">Approve</button>`+deny+`</form>`)
}

// visible keeps the characters that a person sees.
func visible(r rune) rune {
	if unicode.IsGraphic(r) && !unicode.Is(unicode.Cf, r) {
		return r
	}
	return -1
}

// serveAnswer takes the answer to the consent page.
func (s *Issuer) serveAnswer(w http.ResponseWriter, r *http.Request) {
	id := transactionID(r)
	tx := s.transactions[id]
	isOwn := tx != nil && tx.csrf != "" && (tx.csrf == r.PostFormValue("csrf") || s.has(NamesTransactionsInPaths))
	if s.has(ChecksNoCSRF) {
		tx = s.last[s.session(r)]
		isOwn = tx != nil
	}
	origin := r.Header.Get("Origin")
	isForeign := origin != "" && origin != s.server.URL && !s.has(ChecksNoOrigin) && !s.has(ChecksNoCSRF)
	if !isOwn || isForeign || s.user(r) == "" || tx.session != s.session(r) {
		s.show(w, http.StatusForbidden, "<p>This approval does not count.</p>")
		return
	}
	delete(s.transactions, id)
	if s.has(MixesTransactions) {
		tx = s.last[tx.session]
	}
	s.approved = append(s.approved, tx)
	if tx.device != nil {
		tx.device.approved = r.PostFormValue("answer") == "approve"
		tx.device.denied = !tx.device.approved
		s.show(w, http.StatusOK, "<p>Go back to your device.</p>")
		return
	}
	if s.has(RenewsSessions) {
		s.renewSession(w, r)
	}
	response := url.Values{"error": {"access_denied"}}
	if r.PostFormValue("answer") == "approve" {
		if s.elsewhere != nil {
			s.sendElsewhere(w, r, tx)
			return
		}
		response = url.Values{"code": {s.newCode(tx)}}
	} else if s.has(AnswersDenialsOddly) {
		response.Set("error", "server_error")
	}
	if tx.implicit {
		http.Redirect(w, r, tx.redirect+"#access_token="+secret()+"&token_type=Bearer", http.StatusSeeOther)
		return
	}
	http.Redirect(w, r, s.responseURL(tx, response), http.StatusSeeOther)
}
