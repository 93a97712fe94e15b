package broker

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcpentra/server/entra"
	"mcpentra/server/store"
)

// A Principal is who somebody is: Entra's issuer, tenant and object ID. Everything is keyed by it; names and addresses
// change, and can be chosen.
type Principal struct {
	Issuer   string `json:"iss"`
	TenantID string `json:"tid"`
	ObjectID string `json:"oid"`
}

func (p Principal) subject() string { return p.TenantID + "." + p.ObjectID }

// A signIn is what came back from Entra: a person, and the tokens that Graph is asked with.
type signIn struct {
	Principal Principal      `json:"principal"`
	Name      string         `json:"name"`
	Username  string         `json:"username"`
	Upstream  upstreamTokens `json:"upstream"`
	// Attributes are nil in what was stored before there were any.
	Attributes *entra.Attributes `json:"attributes,omitempty"`
}

// upstreamTokens are Entra's. They never leave the broker but towards Graph and Entra.
type upstreamTokens struct {
	Access  string    `json:"access"`
	Refresh string    `json:"refresh"`
	Expiry  time.Time `json:"expiry"`
	Scopes  []string  `json:"scopes"`
}

func newUpstreamTokens(tokens *entra.Tokens) upstreamTokens {
	return upstreamTokens{Access: tokens.AccessToken, Refresh: tokens.RefreshToken, Expiry: tokens.Expiry, Scopes: tokens.Scopes}
}

// handleCallback is where Entra sends the browser back to. The state has to be one that was given out, unused, to this
// browser after it approved the client.
func (b *Broker) handleCallback(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	if len(r.URL.RawQuery) > maxParameters {
		b.showProblem(w, r, http.StatusBadRequest, "The answer of Microsoft is too long.")
		return
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(query["state"]) != 1 || len(query["code"]) > 1 || len(query["error"]) > 1 {
		b.showProblem(w, r, http.StatusBadRequest, "This is not an answer of Microsoft to a sign-in that began here.")
		return
	}
	id := hashed(query.Get("state"))
	var tx transaction
	record, err := b.records.get(r.Context(), kindTransaction, id, &tx)
	if errors.Is(err, store.ErrNotFound) || err == nil && tx.Verifier == "" {
		b.showProblem(w, r, http.StatusBadRequest, "This sign-in did not begin here, has been used already, or is too old. Start again in the program that opened this page.")
		return
	} else if err != nil {
		b.storeFailed(w, r, err)
		return
	}
	cookie, err := r.Cookie(b.cookieName(signInCookie(id)))
	if err != nil || !sameSecret(tx.Browser, cookie.Value) {
		problem := &protocolError{
			status: http.StatusForbidden, code: "page",
			description: "This sign-in was approved in another browser, so it does not count here. " +
				"Start again in the program that opened this page.",
		}
		b.showRefusal(w, r, problem.saw("client", tx.ClientID).asWarning())
		return
	}
	if _, err := b.config.Store.Take(r.Context(), record.Kind, record.Key); errors.Is(err, store.ErrNotFound) {
		b.showProblem(w, r, http.StatusBadRequest, "This sign-in has been used already. Start again in the program that opened this page.")
		return
	} else if err != nil {
		b.storeFailed(w, r, err)
		return
	}
	b.clearCookie(w, signInCookie(id), CallbackPath)
	if query.Has("error") {
		refused := entra.AuthorizationError(query.Get("error"), query.Get("error_description"))
		b.sendBack(w, r, &tx, signInError(refused, tx.prompts("none")))
		return
	}
	tokens, err := b.config.Entra.Redeem(r.Context(), entra.Redemption{Code: query.Get("code"), Verifier: tx.Verifier, Nonce: tx.Nonce})
	if err != nil {
		b.sendBack(w, r, &tx, signInError(err, tx.prompts("none")))
		return
	}
	who := &signIn{
		Principal: Principal{tokens.User.Issuer, tokens.User.TenantID, tokens.User.ObjectID},
		Name:      tokens.User.Name, Username: tokens.User.Username, Upstream: newUpstreamTokens(tokens),
		Attributes: &tokens.User.Attributes,
	}
	if tx.Trusted, err = b.trustsSignedIn(r.Context(), who.Principal, &tx); err != nil {
		b.storeFailed(w, r, err)
		return
	}
	if missing := missingScopes(b.upstreamScopes(tx.Scopes), tokens.Scopes); len(missing) > 0 {
		problem := badRequest("access_denied", "Entra ID did not grant "+strings.Join(missing, " "))
		b.sendBack(w, r, &tx, problem.asWarning())
		return
	}
	stands, err := b.consentStands(r.Context(), &tx, who.Principal)
	if err != nil {
		b.storeFailed(w, r, err)
		return
	}
	if !stands {
		if tx.prompts("none") {
			b.sendBack(w, r, &tx, badRequest("interaction_required", "the person has to approve this client"))
			return
		}
		tx.Remembered = nil
		tx.SignedIn = who
		tx.Verifier = ""
		b.askConsent(w, r, &tx)
		return
	}
	code, err := b.secret()
	if err != nil {
		b.storeFailed(w, r, err)
		return
	}
	b.finish(w, r, &tx, who, code)
}

// consentStands reports whether the person who has signed in is the one who approved, on the page or earlier. A consent
// that stood in for the page may have been somebody else's, or have been forgotten meanwhile.
func (b *Broker) consentStands(ctx context.Context, tx *transaction, principal Principal) (bool, error) {
	if tx.Remembered == nil {
		return true, nil
	}
	if *tx.Remembered != principal {
		return false, nil
	}
	return b.hasConsent(ctx, principal, tx)
}

// trustsSignedIn is trusts for the person who has just signed in, whose click on the consent page counts now.
func (b *Broker) trustsSignedIn(ctx context.Context, person Principal, tx *transaction) (bool, error) {
	if tx.Approved {
		return true, nil
	}
	return b.trusts(ctx, &person, tx)
}

func missingScopes(asked, granted []string) []string {
	return slices.DeleteFunc(slices.Clone(asked), func(one string) bool {
		return slices.ContainsFunc(granted, func(other string) bool { return strings.EqualFold(one, other) })
	})
}

// keepClient is markUsed for a client that may have been forgotten meanwhile. Its code is not redeemable then.
func (b *Broker) keepClient(ctx context.Context, id string) error {
	if err := b.markUsed(ctx, id); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

// finish issues the code and sends the browser back to the client.
func (b *Broker) finish(w http.ResponseWriter, r *http.Request, tx *transaction, who *signIn, value string) {
	issued := authorizationCode{
		ClientID: tx.ClientID, ClientName: tx.ClientName, RedirectURI: tx.RedirectURI, Challenge: tx.Challenge, Scopes: tx.Scopes,
		SignIn: *who, Until: b.now().Add(codeLifetime),
	}
	// The record outlives the code, so that one that is redeemed twice is recognised.
	person, expires := b.personSource(who.Principal), b.now().Add(10*codeLifetime)
	err := b.records.create(r.Context(), kindCode, hashed(value), person, issued, expires)
	switch {
	case errors.Is(err, store.ErrConflict):
		err = nil // a second click gets the same code, and changes nothing
	case err == nil:
		err = errors.Join(b.rememberConsent(r.Context(), who.Principal, tx), b.keepClient(r.Context(), tx.ClientID))
	}
	if err = errors.Join(err, b.beginSession(w, who.Principal)); err != nil {
		b.storeFailed(w, r, err)
		return
	}
	b.log.InfoContext(r.Context(), "signed in", "client", tx.ClientID, "client_name", tx.ClientName, "tenant", who.Principal.TenantID, "object", who.Principal.ObjectID, "scopes", tx.Scopes)
	b.deliver(w, r, tx, url.Values{"code": {value}})
}
