package broker

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"time"

	"mcpentra/server/store"
)

// consentPath is where the consent page's form is sent to.
const consentPath = "/authorize/consent"

// consentCookiePath covers the page as well as its form, and the cookie is SameSite=Lax and not
// Strict. So a browser that comes from another site's link still sends the cookies of the pages
// before, which pruneCookies counts. Without that, a site could fill the browser with cookies by
// opening the page again and again. Lax keeps the cookie from forms of other sites, too, and
// sentByOwnPage refuses these by themselves.
const consentCookiePath = "/authorize"

// maxForm bounds the forms that people and clients send.
const maxForm = 64 << 10

// askConsent shows who asks for what, before anybody is sent to Entra. The page is bound to this
// browser by a cookie; the cookie that the callback looks for is set only when the form comes back
// with a yes.
func (b *Broker) askConsent(w http.ResponseWriter, r *http.Request, tx *transaction) {
	id, errID := b.secret()
	csrf, errCSRF := b.secret()
	browser, errBrowser := b.secret()
	if err := errors.Join(errID, errCSRF, errBrowser); err != nil {
		b.storeFailed(w, r, err)
		return
	}
	tx.CSRF = hashed(csrf)
	tx.Browser = hashed(browser)
	network := b.networkSource(r)
	expires := b.now().Add(transactionLifetime)
	if err := b.records.create(r.Context(), kindTransaction, hashed(id), network, tx, expires); err != nil {
		b.storeFailed(w, r, err)
		return
	}
	b.pruneCookies(w, r, consentCookie(""), consentCookiePath)
	b.setCookie(w, consentCookie(hashed(id)), browser, consentCookiePath, transactionLifetime, http.SameSiteLaxMode)
	b.showConsent(w, tx, id, csrf)
}

// handleConsent takes the consent page's form. It has to come from the page, in the browser that
// was shown it. It counts once, and gets the same answer for answerLifetime.
func (b *Broker) handleConsent(w http.ResponseWriter, r *http.Request) {
	if !b.sentByOwnPage(r) {
		problem := &protocolError{
			status:      http.StatusForbidden,
			code:        "page",
			description: "This approval was not sent by this server's own page, so it does not count.",
		}
		b.showRefusal(w, r, problem.saw("origin", strings.Join(r.Header.Values("Origin"), ", ")).
			saw("site", r.Header.Get("Sec-Fetch-Site")).allowedBy(settingPublic))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		b.showProblem(w, r, http.StatusBadRequest, "The form could not be read.")
		return
	}
	id := hashed(r.PostForm.Get("transaction"))
	var tx transaction
	_, err := b.records.get(r.Context(), kindTransaction, id, &tx)
	if errors.Is(err, store.ErrNotFound) {
		b.showProblem(w, r, http.StatusForbidden, approvalUsed)
		return
	} else if err != nil {
		b.storeFailed(w, r, err)
		return
	}
	cookie, err := r.Cookie(b.cookieName(consentCookie(id)))
	if err != nil || !sameSecret(tx.Browser, cookie.Value) || !sameSecret(tx.CSRF, r.PostForm.Get("csrf")) {
		b.showProblem(w, r, http.StatusForbidden, "This approval does not belong to this browser. "+
			"Start again in the program that opened this page.", sight{"client", tx.ClientID})
		return
	}
	// Judged first and settled then: another browser's guess does not end a transaction.
	answer := denied
	if r.PostForm.Get("answer") == approved {
		answer = approved
	}
	switch settled, err := b.settle(r, id, answer); {
	case errors.Is(err, store.ErrNotFound), err == nil && settled.Answer != answer:
		b.showProblem(w, r, http.StatusForbidden, approvalUsed)
	case err != nil:
		b.notBegun(w, r, &tx, err)
	default:
		// A second click has to find the cookie, too.
		b.setCookie(w, consentCookie(id), cookie.Value, consentCookiePath, answerLifetime, http.SameSiteLaxMode)
		b.follow(w, r, settled)
	}
}

// Answers to the consent page.
const (
	approved = "approve"
	denied   = "deny"
)

const approvalUsed = "This approval has been used already or is too old. " +
	"Start again in the program that opened this page."

// answerLifetime is how long the same form from the same browser gets the same answer. People click
// twice, and browsers then show the answer to the second click only.
const answerLifetime = time.Minute

// settle records the answer to a consent page, with what follows from it. Of several requests one
// decides, and the others get its decision. Its error is store.ErrNotFound if the page is too old,
// or one of beginSignIn.
func (b *Broker) settle(r *http.Request, id, answer string) (*transaction, error) {
	ctx := r.Context()
	for {
		var tx transaction
		record, err := b.records.get(ctx, kindTransaction, id, &tx)
		if err != nil || tx.Answer != "" {
			return &tx, err
		}
		tx.Approved = answer == approved
		next := &nextStep{}
		switch {
		case !tx.Approved:
		case tx.SignedIn != nil && tx.Next != nil:
			next = tx.Next // one sign-in gets one code
		case tx.SignedIn != nil:
			next.Code, err = b.secret()
		default:
			next, err = b.beginSignIn(r, &tx)
		}
		if err != nil {
			return nil, err
		}
		tx.Answer = answer
		tx.Next = next
		record.Expires = b.now().Add(answerLifetime)
		if err = b.records.put(ctx, record, tx); !errors.Is(err, store.ErrConflict) {
			return &tx, err
		}
		if next.SignIn != "" {
			// Another request was faster, so no browser comes back from this sign-in.
			if err := b.config.Store.Delete(ctx, kindTransaction, next.SignIn); err != nil {
				return nil, err
			}
		}
	}
}

// follow answers a consent page that was settled, in the same way each time.
func (b *Broker) follow(w http.ResponseWriter, r *http.Request, tx *transaction) {
	switch {
	case tx.Answer == denied:
		b.sendBack(w, r, tx, badRequest("access_denied", "the person declined"))
	case tx.SignedIn != nil:
		b.finish(w, r, tx, tx.SignedIn, tx.Next.Code)
	default:
		b.bindBrowser(w, r, tx.Next)
		b.showOnward(w, tx.Next.Address, "Sign in with Microsoft")
	}
}

// sentByOwnPage reports whether a form was sent by a page of this origin. A browser says so in
// Origin with every POST; what does not say so does not count.
func (b *Broker) sentByOwnPage(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return false
	}
	origins := r.Header.Values("Origin")
	return len(origins) == 1 && origins[0] == b.origin
}

// navigatedHere reports whether somebody came here by himself, or from this origin's own pages: not
// by a link or redirect of another site, which could ride on a consent that was given earlier. A
// browser that does not tell is not believed.
func navigatedHere(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "none" || site == "same-origin"
}

// sameSecret compares a secret with the hash that it was stored as.
func sameSecret(hash, secret string) bool {
	return hash != "" && secret != "" && subtle.ConstantTimeCompare([]byte(hash), []byte(hashed(secret))) == 1
}
