package broker

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"mcpentra/server/identity"
	"mcpentra/server/store"
)

// CallbackPath is the path at the issuer's origin to which Entra sends the browser back.
const CallbackPath = "/auth/callback"

// callbackStep takes the transactions whose browser was sent to Entra.
var callbackStep = browserStep{
	cookie:     signInCookie,
	cookiePath: CallbackPath,
	awaits:     func(tx *transaction) bool { return tx.Verifier != "" },
	unknown: protocolError{
		status: http.StatusBadRequest,
		code:   "page",
		description: "This sign-in did not begin here, has been used already, or is too old. " +
			"Start again in the program that opened this page.",
	},
	foreign: protocolError{
		status: http.StatusForbidden,
		code:   "page",
		description: "This sign-in was approved in another browser, so it does not count here. " +
			"Start again in the program that opened this page.",
		grave: true,
	},
}

// handleCallback receives the browser that comes back from Entra. The state must belong to a
// sign-in that began in this browser. A state counts once, and gets the same answer for
// answerLifetime.
func (b *Broker) handleCallback(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	if len(r.URL.RawQuery) > maxParameters {
		b.showProblem(w, r, http.StatusBadRequest, "The answer of Microsoft is too long.")
		return
	}
	answer, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || !isCallback(answer) {
		b.showProblem(w, r, http.StatusBadRequest, "This is not an answer of Microsoft to a sign-in that began here.")
		return
	}
	id := hashed(answer.Get("state"))
	_, ok := b.browserTransaction(w, r, id, callbackStep)
	if !ok {
		return
	}
	tx, err := b.settleSignIn(r, id, answer)
	if errors.Is(err, store.ErrNotFound) {
		b.answerAgain(w, r, id, answer)
		return
	} else if err != nil {
		b.storeFailed(w, r, err)
		return
	}
	// If the issuer is on plain-http loopback, browsers send the sign-in cookies to this path only.
	// So this is the place to count them.
	b.pruneCookies(w, r, signInCookie(""), CallbackPath)
	b.keepForSecondClick(w, r, id, callbackStep)
	if tx.goesAgain() {
		b.bindBrowser(w, r, tx.Next)
		http.Redirect(w, r, tx.Next.Address, http.StatusFound)
		return
	}
	if tx.OwnPage != "" {
		b.afterOwnSignIn(w, r, tx)
		return
	}
	if tx.Failure != nil {
		b.sendBack(w, r, tx, tx.Failure.problem())
		return
	}
	b.afterSignIn(w, r, tx)
}

func isCallback(answer url.Values) bool {
	return len(answer["state"]) == 1 && len(answer["code"]) <= 1 && len(answer["error"]) <= 1
}

// afterSignIn sends the browser back to the client, or shows the consent page if this person has
// not approved the client.
func (b *Broker) afterSignIn(w http.ResponseWriter, r *http.Request, tx *transaction) {
	person := tx.SignedIn
	trusted, err := b.trustsSignedIn(r.Context(), person.Principal, tx)
	if err != nil {
		b.storeFailed(w, r, err)
		return
	}
	tx.Trusted = trusted
	shown, err := b.keepForPerson(r.Context(), tx)
	if err != nil {
		b.storeFailed(w, r, err)
		return
	}
	if problem := b.reduceToGranted(tx); problem != nil {
		b.sendBack(w, r, tx, problem)
		return
	}
	consents, err := b.consentCounts(r.Context(), tx, person.Principal)
	consents = consents && shown
	switch {
	case err != nil:
		b.storeFailed(w, r, err)
	case consents:
		b.issueCode(w, r, tx, person, tx.Next.Code)
	case tx.prompts("none"):
		b.sendBack(w, r, tx, badRequest("interaction_required", "the person has to approve this client"))
	default:
		tx.Remembered = nil
		tx.Verifier = ""
		tx.Returned = ""
		b.askConsent(w, r, tx)
	}
}

// consentCounts reports whether the person who has signed in is the one who approved, on the page
// or earlier. An earlier consent may belong to another person, or may have been forgotten since.
func (b *Broker) consentCounts(ctx context.Context, tx *transaction, person identity.Principal) (bool, error) {
	if tx.Remembered == nil {
		return true, nil
	}
	if *tx.Remembered != person {
		return false, nil
	}
	return b.hasConsent(ctx, person, tx)
}

// trustsSignedIn is trusts for the person who has just signed in. The person's click on the consent
// page counts now.
func (b *Broker) trustsSignedIn(ctx context.Context, person identity.Principal, tx *transaction) (bool, error) {
	if tx.Approved {
		return true, nil
	}
	return b.trusts(ctx, &person, tx)
}
