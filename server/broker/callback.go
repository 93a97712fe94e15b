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

// A Principal is who somebody is: Entra's issuer, tenant and object ID. Everything is keyed by it;
// names and addresses change, and can be chosen.
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
	return upstreamTokens{
		Access:  tokens.AccessToken,
		Refresh: tokens.RefreshToken,
		Expiry:  tokens.Expiry,
		Scopes:  tokens.Scopes,
	}
}

// handleCallback is where Entra sends the browser back to. The state has to be one that was given
// out, unused, to this browser after it approved the client.
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
	var begun transaction
	_, err = b.records.get(r.Context(), kindTransaction, id, &begun)
	if errors.Is(err, store.ErrNotFound) || err == nil && begun.Verifier == "" {
		b.showProblem(
			w,
			r,
			http.StatusBadRequest,
			"This sign-in did not begin here, has been used already, or is too old. Start again in the program that opened this page.",
		)
		return
	} else if err != nil {
		b.storeFailed(w, r, err)
		return
	}
	cookie, err := r.Cookie(b.cookieName(signInCookie(id)))
	if err != nil || !sameSecret(begun.Browser, cookie.Value) {
		problem := &protocolError{
			status: http.StatusForbidden,
			code:   "page",
			description: "This sign-in was approved in another browser, so it does not count here. " +
				"Start again in the program that opened this page.",
		}
		b.showRefusal(w, r, problem.saw("client", begun.ClientID).asWarning())
		return
	}
	tx, err := b.settleSignIn(r.Context(), id, query)
	if errors.Is(err, store.ErrNotFound) {
		b.showProblem(
			w,
			r,
			http.StatusBadRequest,
			"This sign-in has been used already. Start again in the program that opened this page.",
		)
		return
	} else if err != nil {
		b.storeFailed(w, r, err)
		return
	}
	// Browsers send these cookies to this path only if the issuer is on plain-http loopback, so
	// they are counted here.
	b.pruneCookies(w, r, signInCookie(""), CallbackPath)
	// A second click has to find the cookie, too.
	b.setCookie(w, signInCookie(id), cookie.Value, CallbackPath, answerLifetime, http.SameSiteLaxMode)
	if tx.Failure != nil {
		b.sendBack(w, r, tx, tx.Failure.problem())
		return
	}
	b.arrive(w, r, tx)
}

// settleSignIn takes Entra's answer to a sign-in. It counts once, and is kept for answerLifetime:
// people click twice at Entra, too, and browsers then drop the first request and show the answer to
// the second only. Another answer of Entra to the same sign-in is store.ErrNotFound, and so is the
// same one while another process asks Entra.
func (b *Broker) settleSignIn(ctx context.Context, id string, answer url.Values) (*transaction, error) {
	// A browser that drops the request must not end what the second request waits for.
	ctx = context.WithoutCancel(ctx)
	settled, err, _ := b.signIns.Do(id, func() (any, error) { return b.redeemSignIn(ctx, id, answer) })
	if err != nil {
		return nil, err
	}
	tx := *settled.(*transaction) // requests that share it change it
	if tx.Returned != hashed(answer.Encode()) || tx.SignedIn == nil && tx.Failure == nil {
		return nil, store.ErrNotFound
	}
	return &tx, nil
}

// redeemSignIn is settleSignIn for one request at a time. The record names the answer before Entra
// is asked about it, so that no other process asks, too.
func (b *Broker) redeemSignIn(ctx context.Context, id string, answer url.Values) (*transaction, error) {
	var tx transaction
	record, err := b.records.get(ctx, kindTransaction, id, &tx)
	if err != nil || tx.Returned != "" {
		return &tx, err
	}
	value, err := b.secret()
	if err != nil {
		return nil, err
	}
	tx.Returned = hashed(answer.Encode())
	record.Expires = b.now().Add(answerLifetime)
	if record.Version, err = b.records.putAgain(ctx, record, tx); errors.Is(err, store.ErrConflict) {
		return nil, store.ErrNotFound
	} else if err != nil {
		return nil, err
	}
	if tx.SignedIn, err = b.askEntra(ctx, &tx, answer); err != nil {
		tx.Failure = newFailure(signInError(err, tx.prompts("none")))
	} else {
		tx.Next = &nextStep{Code: value}
	}
	record.Expires = b.now().Add(answerLifetime)
	if err = b.records.put(ctx, record, tx); errors.Is(err, store.ErrConflict) {
		err = nil // the record gave way to others meanwhile, so a second click finds nothing
	}
	return &tx, err
}

// askEntra redeems Entra's code. Its error is Entra's.
func (b *Broker) askEntra(ctx context.Context, tx *transaction, answer url.Values) (*signIn, error) {
	if answer.Has("error") {
		return nil, entra.AuthorizationError(answer.Get("error"), answer.Get("error_description"))
	}
	tokens, err := b.config.Entra.Redeem(ctx, entra.Redemption{
		Code:     answer.Get("code"),
		Verifier: tx.Verifier,
		Nonce:    tx.Nonce,
	})
	if err != nil {
		return nil, err
	}
	return &signIn{
		Principal:  Principal{tokens.User.Issuer, tokens.User.TenantID, tokens.User.ObjectID},
		Name:       tokens.User.Name,
		Username:   tokens.User.Username,
		Upstream:   newUpstreamTokens(tokens),
		Attributes: &tokens.User.Attributes,
	}, nil
}

// A failure is a protocolError as it is stored.
type failure struct {
	Status      int    `json:"status"`
	Code        string `json:"code"`
	Description string `json:"description"`
	Why         string `json:"why"`
}

func newFailure(problem *protocolError) *failure {
	return &failure{problem.status, problem.code, problem.description, problem.why}
}

func (f *failure) problem() *protocolError {
	problem := &protocolError{status: f.Status, code: f.Code, description: f.Description}
	return problem.because(f.Why).asWarning()
}

// arrive goes on after a sign-in: back to the client, or to the consent page if this person has not
// approved.
func (b *Broker) arrive(w http.ResponseWriter, r *http.Request, tx *transaction) {
	who := tx.SignedIn
	var err error
	if tx.Trusted, err = b.trustsSignedIn(r.Context(), who.Principal, tx); err != nil {
		b.storeFailed(w, r, err)
		return
	}
	if missing := missingScopes(b.upstreamScopes(tx.Scopes), who.Upstream.Scopes); len(missing) > 0 {
		problem := badRequest("access_denied", "Entra ID did not grant "+strings.Join(missing, " "))
		b.sendBack(w, r, tx, problem.asWarning())
		return
	}
	stands, err := b.consentStands(r.Context(), tx, who.Principal)
	if err != nil {
		b.storeFailed(w, r, err)
		return
	}
	if !stands {
		if tx.prompts("none") {
			b.sendBack(w, r, tx, badRequest("interaction_required", "the person has to approve this client"))
			return
		}
		tx.Remembered = nil
		tx.Verifier = ""
		tx.Returned = ""
		b.askConsent(w, r, tx)
		return
	}
	b.finish(w, r, tx, who, tx.Next.Code)
}

// consentStands reports whether the person who has signed in is the one who approved, on the page
// or earlier. A consent that stood in for the page may have been somebody else's, or have been
// forgotten meanwhile.
func (b *Broker) consentStands(ctx context.Context, tx *transaction, principal Principal) (bool, error) {
	if tx.Remembered == nil {
		return true, nil
	}
	if *tx.Remembered != principal {
		return false, nil
	}
	return b.hasConsent(ctx, principal, tx)
}

// trustsSignedIn is trusts for the person who has just signed in, whose click on the consent page
// counts now.
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

// keepClient is markUsed for a client that may have been forgotten meanwhile. Its code is not
// redeemable then.
func (b *Broker) keepClient(ctx context.Context, id string) error {
	if err := b.markUsed(ctx, id); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

// finish issues the code and sends the browser back to the client.
func (b *Broker) finish(w http.ResponseWriter, r *http.Request, tx *transaction, who *signIn, value string) {
	issued := authorizationCode{
		ClientID:    tx.ClientID,
		ClientName:  tx.ClientName,
		RedirectURI: tx.RedirectURI,
		Challenge:   tx.Challenge,
		Scopes:      tx.Scopes,
		SignIn:      *who,
		Until:       b.now().Add(codeLifetime),
	}
	// The record outlives the code, so that one that is redeemed twice is recognised.
	person := b.personSource(who.Principal)
	expires := b.now().Add(10 * codeLifetime)
	err := b.records.create(r.Context(), kindCode, hashed(value), person, issued, expires)
	switch {
	case errors.Is(err, store.ErrConflict):
		// A second click gets the same code, and changes nothing. A code that was redeemed stays
		// here: a client that redeemed it again would end its grant.
		_, err = b.records.get(r.Context(), kindCode, hashed(value), &issued)
	case err == nil:
		err = errors.Join(b.rememberConsent(r.Context(), who.Principal, tx), b.keepClient(r.Context(), tx.ClientID))
	}
	if err = errors.Join(err, b.beginSession(w, who.Principal)); err != nil {
		b.storeFailed(w, r, err)
		return
	}
	if issued.GrantID != "" {
		b.showDone(w, tx)
		return
	}
	b.log.InfoContext(
		r.Context(),
		"signed in",
		"client",
		tx.ClientID,
		"client_name",
		tx.ClientName,
		"tenant",
		who.Principal.TenantID,
		"object",
		who.Principal.ObjectID,
		"scopes",
		tx.Scopes,
	)
	b.deliver(w, r, tx, url.Values{"code": {value}})
}
