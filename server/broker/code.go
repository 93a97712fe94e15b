package broker

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"mcpentra/server/store"
)

// codeGrant is the grant type of an authorization code.
const codeGrant = "authorization_code"

// An authorizationCode is the record of a code. The record outlives the redemption and names the
// grant that came of it, so that the broker notices a second redemption.
type authorizationCode struct {
	ClientID    string    `json:"client_id"`
	ClientName  string    `json:"client_name"`
	RedirectURI string    `json:"redirect_uri"`
	Challenge   string    `json:"challenge"`
	Scopes      []string  `json:"scopes"`
	SignIn      signIn    `json:"sign_in"`
	Until       time.Time `json:"until"`
	GrantID     string    `json:"grant_id,omitempty"`
}

// issueCode stores a code and sends the browser back to the client with it. For a device it stores
// the approval.
func (b *Broker) issueCode(w http.ResponseWriter, r *http.Request, tx *transaction, person *signIn, code string) {
	if tx.Device != nil {
		b.approveDevice(w, r, tx, person, code)
		return
	}
	issued := authorizationCode{
		ClientID:    tx.ClientID,
		ClientName:  tx.ClientName,
		RedirectURI: tx.RedirectURI,
		Challenge:   tx.Challenge,
		Scopes:      tx.grantScopes(),
		SignIn:      *person,
		Until:       b.now().Add(codeLifetime),
	}
	isNew, err := b.storeCode(r.Context(), code, &issued, tx)
	if err == nil && !isNew {
		// A second click gets the same code and changes nothing. It does not get a code that was
		// redeemed: a client that redeemed it again would end its grant.
		_, err = b.records.get(r.Context(), kindCode, hashed(code), &issued)
	}
	err = errors.Join(err, b.beginSession(w, person.Principal))
	if err != nil {
		b.storeFailed(w, r, err)
		return
	}
	if issued.GrantID != "" {
		b.showDone(w, tx)
		return
	}
	b.logSignIn(r.Context(), tx, person)
	b.deliver(w, r, tx, url.Values{"code": {code}})
}

// storeCode stores a code, what the person has approved, and the longer life of the client, in this
// order. It reports false and stores nothing if the code is there already.
func (b *Broker) storeCode(
	ctx context.Context,
	code string,
	issued *authorizationCode,
	tx *transaction,
) (isNew bool, err error) {
	person := issued.SignIn.Principal
	changes := []change{{store.Record{
		Kind:    kindCode,
		Key:     hashed(code),
		Source:  b.personSource(person),
		Expires: b.now().Add(codeRecordLifetime),
	}, issued}}
	consent, errConsent := b.newConsent(ctx, person, tx)
	used, errUsed := b.longerLife(ctx, tx.ClientID)
	if err := errors.Join(errConsent, errUsed); err != nil {
		return false, err
	}
	for _, more := range []*change{consent, used} {
		if more != nil {
			changes = append(changes, *more)
		}
	}
	stored, err := b.records.putInOrder(ctx, changes...)
	if !errors.Is(err, store.ErrConflict) {
		return true, err
	}
	if stored == 0 {
		return false, nil
	}
	// Another request has changed the consent or the client meanwhile.
	errConsent = b.rememberConsent(ctx, person, tx)
	errUsed = b.keepClient(ctx, tx.ClientID)
	return true, errors.Join(errConsent, errUsed)
}

func (b *Broker) logSignIn(ctx context.Context, tx *transaction, person *signIn) {
	b.log.InfoContext(ctx, "signed in",
		"client", tx.ClientID,
		"client_name", tx.ClientName,
		"tenant", person.Principal.TenantID,
		"object", person.Principal.ObjectID,
		"scopes", tx.grantScopes(),
		"device", tx.Device != nil)
}

// wrongCode refuses a code. The reason goes to the log only.
func wrongCode(why string) *protocolError {
	problem := badRequest("invalid_grant",
		"the code is unknown, expired, used, or belongs to another client, redirect URI or verifier")
	return problem.because(why)
}

// redeemCode exchanges a code for tokens (OAuth 2.1 section 4.1.3). A second correct redemption
// ends the grant, because one of the two requests was not the client's.
func (b *Broker) redeemCode(ctx context.Context, found *client, form url.Values) (*tokenResponse, *protocolError) {
	if form.Get("code") == "" {
		return nil, badRequest("invalid_request", "code is missing")
	}
	if form.Get("code_verifier") == "" {
		return nil, badRequest("invalid_request", "code_verifier is missing")
	}
	codeKey := hashed(form.Get("code"))
	var code authorizationCode
	record, err := b.records.get(ctx, kindCode, codeKey, &code)
	if errors.Is(err, store.ErrNotFound) {
		return nil, wrongCode("the code is unknown, or was used long ago")
	} else if err != nil {
		return nil, b.storeProblem(ctx, err)
	}
	if problem := code.judge(found, form); problem != nil {
		return nil, problem
	}
	if code.GrantID != "" {
		return nil, b.endReplay(ctx, &code)
	}
	if problem := b.checkResource(form["resource"], code.Scopes); problem != nil {
		return nil, problem
	}
	if found.origin == fromDocument && !b.matchRedirect(found, code.RedirectURI) {
		return nil, wrongCode("the client's document does not have the redirect URI any more").
			saw("redirect_uri", seenURL(code.RedirectURI))
	}
	if !b.now().Before(code.Until) {
		return nil, wrongCode("the code has expired")
	}
	made, err := b.newGrant(ctx, &code)
	if err != nil {
		return nil, b.storeProblem(ctx, err)
	}
	code.GrantID = made.id
	code.SignIn = signIn{Principal: code.SignIn.Principal}
	err = b.storeGrant(ctx, made, change{record, code})
	switch {
	case errors.Is(err, store.ErrConflict):
		return nil, b.endRace(ctx, codeKey)
	case err != nil:
		return nil, b.storeProblem(ctx, err)
	}
	return b.respond(ctx, made.id, made.grant, made.grant.Scopes, made.refresh)
}

// judge checks that a redemption comes from the client that asked for the code (RFC 6749 section
// 4.1.3, RFC 7636 section 4.6).
func (c *authorizationCode) judge(found *client, form url.Values) *protocolError {
	switch {
	case c.ClientID != found.ID:
		return wrongCode("the code belongs to another client")
	case form.Has("redirect_uri") && form.Get("redirect_uri") != c.RedirectURI:
		return wrongCode("the redirect_uri is not the one of the authorization request").
			saw("redirect_uri", seenURL(form.Get("redirect_uri"))).saw("want", seenURL(c.RedirectURI))
	case !verifies(c.Challenge, form.Get("code_verifier")):
		return wrongCode("the code_verifier does not belong to the code_challenge")
	}
	return nil
}

// verifies reports whether a verifier belongs to a challenge (RFC 7636 section 4.6).
func verifies(challenge, verifier string) bool {
	if len(verifier) < 43 || len(verifier) > 128 {
		return false
	}
	computed := oauth2.S256ChallengeFromVerifier(verifier)
	return subtle.ConstantTimeCompare([]byte(computed), []byte(challenge)) == 1
}

// endReplay ends the grant of a code that was redeemed twice.
func (b *Broker) endReplay(ctx context.Context, code *authorizationCode) *protocolError {
	if err := b.endStolen(ctx, code.GrantID, code.SignIn.Principal, code.ClientID); err != nil {
		return b.storeProblem(ctx, err)
	}
	return wrongCode("the code was redeemed twice, so its grant and the consent to its client end").asWarning()
}

// endRace is endReplay for a request that another one overtook. Two redemptions at once are as
// suspicious as two in a row.
func (b *Broker) endRace(ctx context.Context, codeKey string) *protocolError {
	var code authorizationCode
	_, err := b.records.get(ctx, kindCode, codeKey, &code)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return wrongCode("the code is gone")
	case err != nil:
		return b.storeProblem(ctx, err)
	}
	return b.endReplay(ctx, &code)
}
