package broker

import (
	"context"
	"crypto/subtle"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"mcpentra/server/store"
)

// An authorizationCode is what a code stands for. Its record is kept after it was redeemed, with
// the grant that came of it.
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

// tokenResponse is the answer of RFC 6749 section 5.1.
type tokenResponse struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
	Scope        string `json:"scope"`
}

func (b *Broker) handleToken(w http.ResponseWriter, r *http.Request) {
	form, problem := readForm(w, r)
	if problem != nil {
		b.refuse(w, r, problem)
		return
	}
	var redeem func(context.Context, *client, url.Values) (*tokenResponse, *protocolError)
	switch form.Get("grant_type") {
	case "authorization_code":
		redeem = b.redeemCode
	case "refresh_token":
		redeem = b.redeemRefreshToken
	case "":
		b.refuse(w, r, badRequest("invalid_request", "grant_type is missing"))
		return
	default:
		b.refuse(w, r, badRequest("unsupported_grant_type", "want grant_type authorization_code or refresh_token").
			saw("grant_type", form.Get("grant_type")))
		return
	}
	found, problem := b.authenticate(r, form)
	if problem != nil {
		b.refuse(w, r, problem)
		return
	}
	for _, resource := range form["resource"] {
		if !b.isResource(resource) {
			b.refuse(w, r, b.foreignResource(resource).saw("client", found.ID))
			return
		}
	}
	answer, problem := redeem(r.Context(), found, form)
	if problem != nil {
		b.refuse(w, r, problem.saw("client", found.ID).saw("grant_type", form.Get("grant_type")))
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

// readForm reads the form of a request to the token or revocation endpoint. Parameters in the
// address do not count, and none may be there twice but resource.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, *protocolError) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil ||
		kind != "application/x-www-form-urlencoded" {
		return nil, badRequest("invalid_request", "want Content-Type application/x-www-form-urlencoded").
			saw("content_type", r.Header.Get("Content-Type"))
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err := r.ParseForm()
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, &protocolError{
			status:      http.StatusRequestEntityTooLarge,
			code:        "invalid_request",
			description: "the form is too large",
		}
	} else if err != nil {
		return nil, badRequest("invalid_request", "the form cannot be read")
	}
	for name, values := range r.PostForm {
		if len(values) > 1 && name != "resource" {
			return nil, badRequest("invalid_request", "a parameter is there twice").saw("parameter", name)
		}
		if values[0] == "" {
			delete(r.PostForm, name)
		}
	}
	return r.PostForm, nil
}

// redeemCode exchanges a code (OAuth 2.1 section 4.1.3). Whoever has everything right but comes
// second ends the grant: one of the two was not the client.
func (b *Broker) redeemCode(ctx context.Context, found *client, form url.Values) (*tokenResponse, *protocolError) {
	wrong := func(why string) *protocolError {
		return badRequest("invalid_grant",
			"the code is unknown, expired, used, or belongs to another client, redirect URI or verifier").because(why)
	}
	if form.Get("code") == "" {
		return nil, badRequest("invalid_request", "code is missing")
	}
	verifier := form.Get("code_verifier")
	if verifier == "" {
		return nil, badRequest("invalid_request", "code_verifier is missing")
	}
	var code authorizationCode
	record, err := b.records.get(ctx, kindCode, hashed(form.Get("code")), &code)
	if errors.Is(err, store.ErrNotFound) {
		return nil, wrong("no such code, or it was used long ago")
	} else if err != nil {
		return nil, b.storeProblem(ctx, err)
	}
	challenge := oauth2.S256ChallengeFromVerifier(verifier)
	switch {
	case code.ClientID != found.ID:
		return nil, wrong("the code belongs to another client")
	case form.Has("redirect_uri") && form.Get("redirect_uri") != code.RedirectURI:
		return nil, wrong("the redirect_uri is not the one of the authorization request").
			saw("redirect_uri", seenURL(form.Get("redirect_uri"))).saw("want", seenURL(code.RedirectURI))
	case len(verifier) < 43 || len(verifier) > 128,
		subtle.ConstantTimeCompare([]byte(challenge), []byte(code.Challenge)) != 1:
		return nil, wrong("the code_verifier does not belong to the code_challenge")
	}
	if code.GrantID != "" {
		return nil, b.endReplay(ctx, &code, wrong)
	}
	if !b.now().Before(code.Until) {
		return nil, wrong("the code has expired")
	}
	grantID, err := b.secret()
	if err != nil {
		return nil, b.storeProblem(ctx, err)
	}
	grantID = grantID[:22]
	made := &grant{
		ClientID:   code.ClientID,
		ClientName: code.ClientName,
		Principal:  code.SignIn.Principal,
		Name:       code.SignIn.Name,
		Username:   code.SignIn.Username,
		Attributes: code.SignIn.Attributes,
		Scopes:     code.Scopes,
		Upstream:   code.SignIn.Upstream,
		Rotated:    b.now(),
	}
	refresh, err := b.newRefreshToken(grantID, 1)
	if err != nil {
		return nil, b.storeProblem(ctx, err)
	}
	made.Refresh = hashed(refresh)
	// The grant is there before the code names it, so that a replay finds something to end. Until
	// then nobody knows its tokens.
	person := b.personSource(made.Principal)
	expires := b.now().Add(grantLifetime)
	if err := b.records.create(ctx, kindGrant, grantID, person, made, expires); err != nil {
		return nil, b.storeProblem(ctx, err)
	}
	code.GrantID, code.SignIn = grantID, signIn{Principal: code.SignIn.Principal}
	if err := b.records.put(ctx, record, code); err != nil {
		if forgotten := b.config.Store.Delete(context.WithoutCancel(ctx), kindGrant, grantID); forgotten != nil {
			b.log.ErrorContext(ctx, "a grant that nobody holds is left in the store", "error", forgotten)
		}
		if errors.Is(err, store.ErrConflict) {
			return nil, b.endRace(ctx, hashed(form.Get("code")), wrong)
		}
		return nil, b.storeProblem(ctx, err)
	}
	return b.respond(ctx, grantID, made, made.Scopes, refresh)
}

// endReplay ends the grant of a code that came a second time.
func (b *Broker) endReplay(
	ctx context.Context, code *authorizationCode, wrong func(why string) *protocolError,
) *protocolError {
	if err := b.endStolen(ctx, code.GrantID, code.SignIn.Principal, code.ClientID); err != nil {
		return b.storeProblem(ctx, err)
	}
	return wrong("the code was redeemed twice, so its grant and the consent to its client end").asWarning()
}

// endRace is endReplay for a request that another one overtook. Two that come at once are as
// suspicious as two that come one after the other.
func (b *Broker) endRace(
	ctx context.Context, codeKey string, wrong func(why string) *protocolError,
) *protocolError {
	var code authorizationCode
	_, err := b.records.get(ctx, kindCode, codeKey, &code)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return wrong("the code is gone")
	case err != nil:
		return b.storeProblem(ctx, err)
	}
	return b.endReplay(ctx, &code, wrong)
}

// respond makes the answer with a fresh access token.
func (b *Broker) respond(
	ctx context.Context,
	grantID string,
	g *grant,
	scopes []string,
	refresh string,
) (*tokenResponse, *protocolError) {
	access, lifetime, err := b.accessToken(grantID, g, scopes)
	if errors.Is(err, errUpstreamOver) {
		return nil, unavailable("Entra ID cannot be asked about this sign-in now; the refresh token stays good")
	} else if err != nil {
		return nil, b.storeProblem(ctx, err)
	}
	return &tokenResponse{
		AccessToken:  access,
		TokenType:    "Bearer",
		ExpiresIn:    int(lifetime.Seconds()),
		RefreshToken: refresh,
		Scope:        strings.Join(scopes, " "),
	}, nil
}

// narrowed are the scopes of a refresh: those of the grant, or fewer of them if fewer are asked for
// (OAuth 2.1 section 4.3).
func (b *Broker) narrowed(g *grant, parameter string) ([]string, *protocolError) {
	asked := b.askedScopes(parameter, g.Scopes)
	if slices.ContainsFunc(asked, func(name string) bool { return !slices.Contains(g.Scopes, name) }) {
		return nil, badRequest("invalid_scope", "a refresh cannot have more than the person approved").
			saw("scope", parameter).saw("granted", strings.Join(g.Scopes, " "))
	}
	return asked, nil
}

func (b *Broker) storeProblem(ctx context.Context, err error) *protocolError {
	if ctx.Err() == nil {
		b.log.ErrorContext(ctx, "the store failed", "error", err)
	}
	return unavailable("the store cannot be reached")
}
