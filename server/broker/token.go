package broker

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// tokenResponse is the answer of RFC 6749 section 5.1.
type tokenResponse struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope"`
}

// handleToken is the token endpoint (RFC 6749 section 3.2).
func (b *Broker) handleToken(w http.ResponseWriter, r *http.Request) {
	form, problem := readForm(w, r)
	if problem != nil {
		b.refuse(w, r, problem)
		return
	}
	grantType := form.Get("grant_type")
	redeem, problem := b.redemption(r.Context(), grantType)
	if problem != nil {
		b.refuse(w, r, problem.saw("grant_type", grantType))
		return
	}
	found, problem := b.authenticate(r, form, grantType == refreshGrant)
	if problem != nil {
		b.refuse(w, r, problem)
		return
	}
	if !found.mayUse(grantType) {
		b.refuse(w, r, badRequest("unauthorized_client", "the client is not registered for this grant type").
			saw("client", found.ID).saw("grant_type", grantType))
		return
	}
	if _, problem := b.selectResource(form["resource"]); problem != nil {
		b.refuse(w, r, problem.saw("client", found.ID))
		return
	}
	answer, problem := redeem(r.Context(), found, form)
	if problem != nil {
		b.refuse(w, r, problem.saw("client", found.ID).saw("grant_type", grantType))
		return
	}
	if !found.mayUse(refreshGrant) {
		answer.RefreshToken = ""
	}
	writeJSON(w, http.StatusOK, answer)
}

// A redemption exchanges what a client presents for tokens.
type redemption func(context.Context, *client, url.Values) (*tokenResponse, *protocolError)

// redemption returns the redemption of a grant type.
func (b *Broker) redemption(ctx context.Context, grantType string) (redemption, *protocolError) {
	switch grantType {
	case codeGrant:
		return b.redeemCode, nil
	case refreshGrant:
		return b.redeemRefreshToken, nil
	case deviceGrant:
		return b.redeemDeviceCode, nil
	case "":
		return nil, badRequest("invalid_request", "grant_type is missing")
	}
	if grantType == appGrant && b.file.offers(ctx, appGrant) {
		return b.issueToApp, nil
	}
	return nil, badRequest("unsupported_grant_type", "this server does not have this grant_type")
}

// readForm reads the form of a request to the token or revocation endpoint. Parameters in the URL
// do not count. Only resource may come more than once.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, *protocolError) {
	contentType := r.Header.Get("Content-Type")
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, badRequest("invalid_request", "want Content-Type application/x-www-form-urlencoded").
			saw("content_type", contentType)
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err = r.ParseForm()
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
		if len(values) == 1 && values[0] == "" {
			delete(r.PostForm, name)
		}
	}
	return r.PostForm, nil
}

// respond makes the answer with a new access token.
func (b *Broker) respond(
	ctx context.Context,
	grantID string,
	g *grant,
	scopes []string,
	refresh string,
) (*tokenResponse, *protocolError) {
	if problem := b.checkServed(g); problem != nil {
		return nil, problem
	}
	access, lifetime, err := b.accessToken(ctx, grantID, g, scopes)
	if errors.Is(err, errUpstreamOver) {
		return nil, entraCannotBeAsked()
	} else if err != nil {
		return nil, b.storeProblem(ctx, err)
	}
	return &tokenResponse{
		AccessToken:  access,
		TokenType:    "Bearer",
		ExpiresIn:    int(lifetime.Seconds()),
		RefreshToken: refresh,
		Scope:        strings.Join(plainNames(scopes), " "),
	}, nil
}

// checkServed refuses a grant for a resource that the operator has removed.
func (b *Broker) checkServed(g *grant) *protocolError {
	if r := b.resourceOf(g.Scopes); !r.isServed() {
		return badRequest("invalid_grant", "this server issues no more tokens for "+r.URL).
			allowedBy(settingResources)
	}
	return nil
}

func entraCannotBeAsked() *protocolError {
	return unavailable("Entra ID cannot be asked about this sign-in now; the refresh token stays good")
}
