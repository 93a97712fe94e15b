package broker

import (
	"crypto/subtle"
	"errors"
	"net/http"

	"mcpentra/server/store"
)

// maxForm bounds the forms that people and clients send.
const maxForm = 64 << 10

// askConsent shows who asks for what, before anybody is sent to Entra. The page is bound to this browser by a cookie;
// the cookie that the callback looks for is set only when the form comes back with a yes.
func (b *Broker) askConsent(w http.ResponseWriter, r *http.Request, tx *transaction) {
	id, errID := b.secret()
	csrf, errCSRF := b.secret()
	browser, errBrowser := b.secret()
	if err := errors.Join(errID, errCSRF, errBrowser); err != nil {
		b.storeFailed(w, r, err)
		return
	}
	tx.CSRF, tx.Browser = hashed(csrf), hashed(browser)
	network, expires := b.networkSource(r), b.now().Add(transactionLifetime)
	if err := b.records.create(r.Context(), kindTransaction, hashed(id), network, tx, expires); err != nil {
		b.storeFailed(w, r, err)
		return
	}
	b.pruneCookies(w, r, consentCookie(""), "/authorize/consent")
	b.setCookie(w, consentCookie(hashed(id)), browser, "/authorize/consent", transactionLifetime, http.SameSiteStrictMode)
	b.showConsent(w, tx, id, csrf)
}

// handleConsent takes the consent page's form. It has to come from the page, in the browser that was shown it, once.
func (b *Broker) handleConsent(w http.ResponseWriter, r *http.Request) {
	if !b.sentByOwnPage(r) {
		b.showProblem(w, r, http.StatusForbidden, "This approval was not sent by this server's own page, so it does not count.")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		b.showProblem(w, r, http.StatusBadRequest, "The form could not be read.")
		return
	}
	id := hashed(r.PostForm.Get("transaction"))
	var tx transaction
	record, err := b.records.get(r.Context(), kindTransaction, id, &tx)
	if errors.Is(err, store.ErrNotFound) {
		b.showProblem(w, r, http.StatusForbidden, "This approval has been used already or is too old. Start again in the program that opened this page.")
		return
	} else if err != nil {
		b.storeFailed(w, r, err)
		return
	}
	cookie, err := r.Cookie(b.cookieName(consentCookie(id)))
	if err != nil || !sameSecret(tx.Browser, cookie.Value) || !sameSecret(tx.CSRF, r.PostForm.Get("csrf")) {
		b.showProblem(w, r, http.StatusForbidden, "This approval does not belong to this browser. Start again in the program that opened this page.")
		return
	}
	// Judged first and taken then: somebody else's guess does not end a transaction, and of two clicks one counts.
	if _, err := b.config.Store.Take(r.Context(), record.Kind, record.Key); errors.Is(err, store.ErrNotFound) {
		b.showProblem(w, r, http.StatusForbidden, "This approval has been used already. Start again in the program that opened this page.")
		return
	} else if err != nil {
		b.storeFailed(w, r, err)
		return
	}
	b.clearCookie(w, consentCookie(id), "/authorize/consent")
	if r.PostForm.Get("answer") != "approve" {
		b.sendBack(w, r, &tx, badRequest("access_denied", "the person declined"))
		return
	}
	tx.Approved = true
	if tx.SignedIn != nil {
		b.finish(w, r, &tx, tx.SignedIn)
		return
	}
	b.sendToEntra(w, r, &tx, func(address string) { b.showOnward(w, address, "Sign in with Microsoft") })
}

// sentByOwnPage reports whether a form was sent by a page of this origin. A browser says so in Origin with every POST;
// what does not say so does not count.
func (b *Broker) sentByOwnPage(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return false
	}
	origins := r.Header.Values("Origin")
	return len(origins) == 1 && origins[0] == b.config.Issuer
}

// navigatedHere reports whether somebody came here by himself, or from this origin's own pages: not by a link or
// redirect of another site, which could ride on a consent that was given earlier. A browser that does not tell is not
// believed.
func navigatedHere(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "none" || site == "same-origin"
}

// sameSecret compares a secret with the hash that it was stored as.
func sameSecret(hash, secret string) bool {
	return hash != "" && secret != "" && subtle.ConstantTimeCompare([]byte(hash), []byte(hashed(secret))) == 1
}
