package broker

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"mcpentra/server/store"
)

// consentPath receives the consent page's form.
const consentPath = "/authorize/consent"

// consentCookiePath covers the page and its form, and the cookie is SameSite=Lax instead of Strict.
// So a browser that follows a link of another site still sends the cookies of earlier pages, and
// pruneCookies can count them. Otherwise a site could fill the browser with cookies by opening the
// page again and again. Other sites' forms do not carry a Lax cookie, and sentByOwnPage refuses
// these forms as well.
const consentCookiePath = "/authorize"

// maxForm bounds the forms of people and clients, in bytes.
const maxForm = 64 << 10

// Answers to the consent page.
const (
	approved = "approve"
	denied   = "deny"
)

const approvalUsed = "This approval has been used already or is too old. " +
	"Start again in the program that opened this page."

// consentStep takes the transactions whose browser was shown the consent page.
var consentStep = browserStep{
	cookie:     consentCookie,
	cookiePath: consentCookiePath,
	awaits:     func(tx *transaction) bool { return tx.CSRF != "" },
	unknown: protocolError{
		status:      http.StatusForbidden,
		code:        "page",
		description: approvalUsed,
	},
	foreign: protocolError{
		status: http.StatusForbidden,
		code:   "page",
		description: "This approval does not belong to this browser. " +
			"Start again in the program that opened this page.",
	},
}

// askConsent shows the consent page, before any browser is sent to Entra. A cookie binds the page
// to this browser. The cookie for the callback is set only after the form has come back with an
// approval.
func (b *Broker) askConsent(w http.ResponseWriter, r *http.Request, tx *transaction) {
	secret, errID := b.secret()
	csrf, errCSRF := b.secret()
	browser, errBrowser := b.secret()
	if err := errors.Join(errID, errCSRF, errBrowser); err != nil {
		b.storeFailed(w, r, err)
		return
	}
	id := hashed(secret)
	tx.CSRF = hashed(csrf)
	tx.Browser = hashed(browser)
	network := b.networkSource(r)
	expires := b.now().Add(transactionLifetime)
	if err := b.records.create(r.Context(), kindTransaction, id, network, tx, expires); err != nil {
		b.storeFailed(w, r, err)
		return
	}
	b.pruneCookies(w, r, consentCookie(""), consentCookiePath)
	b.setCookie(w, consentCookie(id), browser, consentCookiePath, transactionLifetime)
	if tx.Device != nil {
		b.showDeviceConsent(w, r, tx, secret, csrf)
		return
	}
	b.showConsent(w, tx, secret, csrf)
}

// showConsent renders the consent page: the client, the scopes, and the address of the answer.
func (b *Broker) showConsent(w http.ResponseWriter, tx *transaction, secret, csrf string) {
	content := page{
		Title:       "Approve access",
		Server:      b.config.ResourceName,
		Client:      tx.ClientName,
		ClientID:    tx.ClientID,
		DescribedBy: documentHost(tx.ClientID),
		To:          newDestination(tx.RedirectURI),
		Transaction: secret,
		CSRF:        csrf,
		Resource:    b.shownResource(tx.Scopes),
		Scopes:      b.descriptions(without(tx.Scopes, tx.Kept)),
		Kept:        b.descriptions(tx.Kept),

		Preregistered: tx.Preregistered,
		AnyProgram:    !tx.Proven && (tx.Preregistered || isDocumentID(tx.ClientID)),
	}
	if !tx.Preregistered {
		content.Warnings = append(b.warnings(tx.ClientName, content.To), b.documentWarnings(tx.ClientID, content.To)...)
	}
	if tx.SignedIn != nil {
		content.Person = tx.SignedIn.Username
	}
	b.show(w, http.StatusOK, consentPage, content)
}

// handleConsent receives the consent page's form. The form must come from the page, in the browser
// that was shown it. It counts once, and gets the same answer for answerLifetime.
func (b *Broker) handleConsent(w http.ResponseWriter, r *http.Request) {
	if !b.readOwnForm(w, r, "This approval was not sent by this server's own page, so it does not count.") {
		return
	}
	id := hashed(r.PostForm.Get("transaction"))
	tx, ok := b.browserTransaction(w, r, id, consentStep)
	if !ok {
		return
	}
	if !sameSecret(tx.CSRF, r.PostForm.Get("csrf")) {
		problem := consentStep.foreign
		b.showRefusal(w, r, problem.saw("client", tx.ClientID))
		return
	}
	answer := denied
	if r.PostForm.Get("answer") == approved {
		answer = approved
	}
	settled, err := b.settleConsent(r, id, answer)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && settled.Answer != answer:
		b.showRefusal(w, r, &protocolError{status: http.StatusForbidden, code: "page", description: approvalUsed})
	case err != nil:
		b.signInNotBegun(w, r, tx, err)
	default:
		b.keepForSecondClick(w, r, id, consentStep)
		b.afterConsent(w, r, settled)
	}
}

// settleConsent records the answer to a consent page and the next step. The first of several
// requests decides, and the others get its decision. It returns store.ErrNotFound if the page is
// too old, or an error of newSignIn.
func (b *Broker) settleConsent(r *http.Request, id, answer string) (*transaction, error) {
	ctx := r.Context()
	for {
		var tx transaction
		record, err := b.records.get(ctx, kindTransaction, id, &tx)
		if err != nil || tx.Answer != "" {
			return &tx, err
		}
		tx.Approved = answer == approved
		next, waiting, err := b.stepAfterConsent(r, &tx)
		if err != nil {
			return nil, err
		}
		tx.Answer = answer
		tx.Next = next
		record.Expires = b.now().Add(answerLifetime)
		changes := []change{{record, tx}}
		if waiting != nil {
			// The sign-in comes last. A full store forgets records of the network with the most,
			// and must not forget the page while it is needed.
			changes = append(changes, change{b.signInRecord(r, next), waiting})
		}
		_, err = b.records.putInOrder(context.WithoutCancel(ctx), changes...)
		if errors.Is(err, store.ErrConflict) {
			continue // another request was faster, or a full store has forgotten the page
		}
		return &tx, err
	}
}

// stepAfterConsent returns the step that follows an answer: nothing after a denial, a code for a
// person who has signed in, and otherwise a sign-in with its transaction, which is not stored yet.
func (b *Broker) stepAfterConsent(r *http.Request, tx *transaction) (*nextStep, *transaction, error) {
	switch {
	case !tx.Approved:
		return &nextStep{}, nil, nil
	case tx.SignedIn == nil:
		return b.newSignIn(r.Context(), tx)
	case tx.Next != nil:
		return tx.Next, nil, nil // one sign-in gets one code
	}
	code, err := b.secret()
	return &nextStep{Code: code}, nil, err
}

// afterConsent answers a consent page that is settled, the same way each time.
func (b *Broker) afterConsent(w http.ResponseWriter, r *http.Request, tx *transaction) {
	switch {
	case tx.Answer == denied:
		b.sendBack(w, r, tx, badRequest("access_denied", "the person declined"))
	case tx.SignedIn != nil:
		b.issueCode(w, r, tx, tx.SignedIn, tx.Next.Code)
	default:
		b.bindBrowser(w, r, tx.Next)
		b.showOnward(w, tx.Next.Address, "Sign in with Microsoft")
	}
}

// readOwnForm reads a form of one of the broker's own pages. Foreign is the answer to a form that
// another site sent. If it returns false, the request is answered.
func (b *Broker) readOwnForm(w http.ResponseWriter, r *http.Request, foreign string) bool {
	if !b.sentByOwnPage(r) {
		problem := &protocolError{status: http.StatusForbidden, code: "page", description: foreign}
		b.showRefusal(w, r, problem.saw("origin", strings.Join(r.Header.Values("Origin"), ", ")).
			saw("site", r.Header.Get("Sec-Fetch-Site")).allowedBy(settingPublic))
		return false
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		b.showProblem(w, r, http.StatusBadRequest, "The form could not be read.")
		return false
	}
	return true
}

// sentByOwnPage reports whether a page of this origin sent a form. A browser puts the origin of the
// page into every POST. A form without Origin does not count.
func (b *Broker) sentByOwnPage(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return false
	}
	origins := r.Header.Values("Origin")
	return len(origins) == 1 && origins[0] == b.origin
}
