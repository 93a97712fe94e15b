package broker

import (
	"errors"
	"net/http"
	"net/url"

	"mcpentra/server/store"
)

// answerAgain answers a browser that comes back from Entra with another answer to a sign-in that is
// settled. Its person went back to Entra, for example to use another account. As long as the client
// has no code, the person signs in anew. The first answer stays the only one to its state.
func (b *Broker) answerAgain(w http.ResponseWriter, r *http.Request, id string, answer url.Values) {
	const used = "This sign-in has been used already. Start again in the program that opened this page."
	var tx transaction
	_, err := b.records.get(r.Context(), kindTransaction, id, &tx)
	isOther := tx.SignedIn != nil && tx.Next != nil && tx.Returned != hashed(answer.Encode())
	if errors.Is(err, store.ErrNotFound) || err == nil && (!isOther || tx.Device != nil) {
		b.showProblem(w, r, http.StatusBadRequest, used)
		return
	}
	var issued authorizationCode
	if err == nil {
		_, err = b.records.get(r.Context(), kindCode, hashed(tx.Next.Code), &issued)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		b.signInAnew(w, r, &tx)
	case err != nil:
		b.storeFailed(w, r, err)
	case issued.GrantID != "":
		b.showDone(w, &tx)
	default:
		b.showProblem(w, r, http.StatusBadRequest, used)
	}
}

// signInAnew sends the browser to Entra again.
func (b *Broker) signInAnew(w http.ResponseWriter, r *http.Request, tx *transaction) {
	next, err := b.beginSignIn(r, tx)
	if err != nil {
		b.signInNotBegun(w, r, tx, err)
		return
	}
	b.bindBrowser(w, r, next)
	http.Redirect(w, r, next.Address, http.StatusFound)
}
