package broker

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"mcpentra/server/entra"
	"mcpentra/server/identity"
	"mcpentra/server/store"
)

// A signIn is the result of a sign-in at Entra: a person, and the tokens for Graph.
type signIn struct {
	Principal identity.Principal `json:"principal"`
	Name      string             `json:"name"`
	Username  string             `json:"username"`
	Upstream  upstreamTokens     `json:"upstream"`
	// Attributes are nil in records of versions that stored none.
	Attributes *identity.Attributes `json:"attributes,omitempty"`
}

// upstreamTokens are Entra's tokens. The broker sends them to Graph and Entra only.
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

// beginSignIn stores the transaction under a state of the broker's own, and returns Entra's address
// for it. The error is one of newSignIn, or the store's.
func (b *Broker) beginSignIn(r *http.Request, tx *transaction) (*nextStep, error) {
	next, waiting, err := b.newSignIn(r.Context(), tx)
	if err != nil {
		return nil, err
	}
	made := b.signInRecord(r, next)
	return next, b.records.put(context.WithoutCancel(r.Context()), made, waiting)
}

// signInRecord returns the record of a transaction that waits for the callback. Store it for a
// browser that drops its request, too: the second click gets the same address.
func (b *Broker) signInRecord(r *http.Request, next *nextStep) store.Record {
	return store.Record{
		Kind:    kindTransaction,
		Key:     next.SignIn,
		Source:  b.networkSource(r),
		Expires: b.now().Add(transactionLifetime),
	}
}

// newSignIn makes a sign-in: the transaction that waits for the callback, and Entra's address. No
// parameter of the client reaches Entra. It returns a *protocolError if Entra is the cause.
func (b *Broker) newSignIn(ctx context.Context, tx *transaction) (*nextStep, *transaction, error) {
	state, errState := b.secret()
	browser, errBrowser := b.secret()
	nonce, errNonce := b.secret()
	verifier, errVerifier := b.secret()
	if err := errors.Join(errState, errBrowser, errNonce, errVerifier); err != nil {
		return nil, nil, err
	}
	waiting := *tx
	waiting.CSRF = ""
	waiting.Answer = ""
	waiting.Next = nil
	waiting.Returned = ""
	waiting.SignedIn = nil
	waiting.Browser = hashed(browser)
	waiting.Nonce = nonce
	waiting.Verifier = verifier
	request := entra.AuthorizationRequest{
		State:         state,
		Nonce:         nonce,
		CodeChallenge: oauth2.S256ChallengeFromVerifier(verifier),
		Scopes:        b.upstreamScopes(tx.grantScopes()),
		Prompt:        tx.upstreamPrompt(),
	}
	if tx.Demand != nil {
		request.Claims = tx.Demand.Claims
		request.LoginHint = tx.Demand.Hint
	}
	address, err := b.config.Entra.AuthorizationURL(ctx, request)
	if err != nil {
		return nil, nil, signInError(err, tx.prompts("none"))
	}
	return &nextStep{Address: address, SignIn: hashed(state), Browser: browser}, &waiting, nil
}

// bindBrowser sets the cookie that binds a sign-in to this browser.
func (b *Broker) bindBrowser(w http.ResponseWriter, r *http.Request, next *nextStep) {
	name := signInCookie(next.SignIn)
	if b.readCookie(r, name) == "" {
		b.pruneCookies(w, r, signInCookie(""), CallbackPath)
	}
	b.setCookie(w, name, next.Browser, CallbackPath, transactionLifetime)
}

// signInNotBegun answers a request for which beginSignIn has failed.
func (b *Broker) signInNotBegun(w http.ResponseWriter, r *http.Request, tx *transaction, err error) {
	var problem *protocolError
	if errors.As(err, &problem) {
		b.sendBack(w, r, tx, problem)
		return
	}
	b.storeFailed(w, r, err)
}

// settleSignIn redeems Entra's answer to a sign-in once, and keeps the result for answerLifetime.
// People click twice at Entra. Browsers then drop the first request and show the answer to the
// second. It returns store.ErrNotFound if Entra sent another answer to this sign-in before, or if
// another process redeems this one now.
func (b *Broker) settleSignIn(r *http.Request, id string, answer url.Values) (*transaction, error) {
	// A browser that drops its request must not end the work that the second request waits for.
	r = r.WithContext(context.WithoutCancel(r.Context()))
	result, err, _ := b.signIns.Do(id, func() (any, error) { return b.redeemSignIn(r, id, answer) })
	if err != nil {
		return nil, err
	}
	tx := *result.(*transaction) // a copy, because requests that share the result change it
	settled := tx.SignedIn != nil || tx.Failure != nil || tx.goesAgain()
	if !settled || tx.Returned != hashed(answer.Encode()) {
		return nil, store.ErrNotFound
	}
	return &tx, nil
}

// redeemSignIn does the work of settleSignIn for one request at a time. It stores the answer's hash
// before it asks Entra, so that no other process asks too.
func (b *Broker) redeemSignIn(r *http.Request, id string, answer url.Values) (*transaction, error) {
	ctx := r.Context()
	var tx transaction
	record, err := b.records.get(ctx, kindTransaction, id, &tx)
	if err != nil || tx.Returned != "" {
		return &tx, err
	}
	code, err := b.secret()
	if err != nil {
		return nil, err
	}
	tx.Returned = hashed(answer.Encode())
	record.Expires = b.now().Add(answerLifetime)
	version, err := b.records.putAgain(ctx, record, tx)
	if errors.Is(err, store.ErrConflict) {
		return nil, store.ErrNotFound
	} else if err != nil {
		return nil, err
	}
	record.Version = version
	tx.SignedIn, err = b.askEntra(ctx, &tx, answer)
	if errDemand := b.stepAfterEntra(r, &tx, code, err); errDemand != nil {
		return nil, errDemand
	}
	record.Expires = b.now().Add(answerLifetime)
	err = b.records.put(ctx, record, tx)
	if errors.Is(err, store.ErrConflict) {
		err = nil // a full store has forgotten the record, so a second click finds nothing
	}
	return &tx, err
}

// stepAfterEntra decides what follows Entra's answer: the code, a failure, or a second trip that
// meets a demand. Refusal is Entra's error, or nil.
func (b *Broker) stepAfterEntra(r *http.Request, tx *transaction, code string, refusal error) error {
	wanted, err := b.demandAfter(r.Context(), tx, refusal)
	switch {
	case err != nil:
		return err
	case wanted != nil && tx.prompts("none"):
		tx.SignedIn = nil
		tx.Failure = newFailure(demandNeedsPage())
		return nil
	case wanted != nil:
		return b.goAgain(r, tx, wanted)
	case refusal != nil:
		tx.Failure = newFailure(signInError(refusal, tx.prompts("none")))
		return nil
	}
	tx.Next = &nextStep{Code: code}
	return b.dropDemand(r.Context(), tx)
}

// goAgain begins a second sign-in, which has to meet a demand.
func (b *Broker) goAgain(r *http.Request, tx *transaction, wanted *demand) error {
	again := *tx
	again.SecondTrip = true
	again.Demand = wanted
	again.DemandOf = nil
	if tx.SignedIn != nil {
		again.DemandOf = &tx.SignedIn.Principal
	}
	next, err := b.beginSignIn(r, &again)
	var problem *protocolError
	switch {
	case errors.As(err, &problem):
		tx.Failure = newFailure(problem)
	case err != nil:
		return err
	}
	tx.SignedIn = nil // the second sign-in decides
	tx.Next = next
	return nil
}

// goesAgain reports whether the browser has to go to Entra a second time.
func (t *transaction) goesAgain() bool {
	return t.Returned != "" && t.Next != nil && t.Next.Address != ""
}

// askEntra redeems Entra's code. It returns Entra's error.
func (b *Broker) askEntra(ctx context.Context, tx *transaction, answer url.Values) (*signIn, error) {
	if answer.Has("error") {
		return nil, entra.AuthorizationError(answer.Get("error"), answer.Get("error_description"))
	}
	tokens, err := b.config.Entra.Redeem(ctx, entra.Redemption{
		Code:     answer.Get("code"),
		Verifier: tx.Verifier,
		Nonce:    tx.Nonce,
		Issuers:  answer["iss"],
	})
	if err != nil {
		return nil, err
	}
	return &signIn{
		Principal:  tokens.User.Principal,
		Name:       tokens.User.Name,
		Username:   tokens.User.Username,
		Upstream:   newUpstreamTokens(tokens),
		Attributes: &tokens.User.Attributes,
	}, nil
}
