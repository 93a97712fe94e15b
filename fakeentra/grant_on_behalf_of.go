package fakeentra

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/internal/rules"
	"mcpentra/fakeentra/internal/signing"
	"mcpentra/fakeentra/internal/state"
)

// grantOnBehalfOf swaps a person's token for an API for a token for the next API (RFC 7523 section
// 2.1 with Entra ID's requested_token_use).
func (f *Fake) grantOnBehalfOf(r *http.Request, request *tokenRequest) (*tokenResponse, *aadsts.Error) {
	for _, name := range []string{"assertion", "requested_token_use"} {
		if request.params.Get(name) == "" {
			return nil, aadsts.MissingParameter(name)
		}
	}
	if request.params.Get("requested_token_use") != "on_behalf_of" {
		return nil, aadsts.Malformed()
	}
	if problem := f.checkCredential(r, request, aadsts.NoCredential()); problem != nil {
		return nil, problem
	}
	claims, problem := readUserAssertion(f.keys, f.clock.now(), request)
	if problem != nil {
		return nil, problem
	}
	tenant := f.directory.Tenant(text(claims, "tid"))
	if tenant == nil || request.tenant != nil && request.tenant != tenant || tenant.User(text(claims, "oid")) == nil {
		return nil, aadsts.UserAssertion()
	}
	if _, revoked := tokenRevocation(f.state, f.clock.now(), claims); revoked {
		issued, _ := claims["iat"].(float64)
		return nil, grantRevoked(f.state, text(claims, "oid"), time.Unix(int64(issued), 0)) // L
	}
	request.tenant = tenant
	if request.version == rules.V2 && request.params.Get("scope") == "" {
		return nil, aadsts.MissingParameter("scope")
	}
	if problem := f.checkTokenResource(request, nil); problem != nil {
		return nil, problem
	}
	asked, problem := f.scopeOf(request, request.client, request.params.Get("scope"))
	if problem != nil {
		return nil, problem
	}
	d := rules.Delegation{
		Version:      request.version,
		Tenant:       tenant,
		Client:       request.client,
		User:         tenant.User(text(claims, "oid")),
		Platform:     rules.Web,
		Asked:        asked,
		SID:          text(claims, "sid"),
		Began:        f.state.Begin(text(claims, "oid"), f.clock.now()),
		SignedIn:     f.clock.now(),
		Strength:     request.strength(),
		WantsInfo:    request.wantsInfo(),
		SecondFactor: hadSecondFactor(f.state, claims),
	}
	request.declareCapabilities(&d)
	if problem := rules.CheckAccess(&d); problem != nil {
		return nil, problem
	}
	if problem := f.checkConsented(tenant, d.Client, d.User, asked); problem != nil {
		return nil, problem
	}
	return f.issue(d, request.version)
}

// readUserAssertion checks that the assertion is a person's access token for the client's own API,
// and returns its claims.
func readUserAssertion(
	keys *signing.Keys,
	now time.Time,
	request *tokenRequest,
) (map[string]any, *aadsts.Error) {
	claims, err := keys.Verify(request.params.Get("assertion"), now)
	switch {
	case errors.Is(err, signing.ErrMalformed):
		return nil, aadsts.AssertionMalformed()
	case errors.Is(err, signing.ErrAlgorithm):
		return nil, aadsts.AssertionAlgorithm()
	case errors.Is(err, signing.ErrExpired):
		return nil, aadsts.UserAssertionTime()
	case err != nil:
		return nil, aadsts.UserAssertion()
	}
	audience := text(claims, "aud")
	switch {
	case text(claims, "azp") == "" && text(claims, "appid") == "":
		return nil, aadsts.UserAssertionIsIDToken()
	case audience != request.client.ID && !slices.Contains(request.client.IdentifierURIs, audience):
		return nil, aadsts.UserAssertionAudience(audience, request.client.ID, request.client.DisplayName)
	case text(claims, "scp") == "":
		return nil, aadsts.UserAssertionOfApp(request.client.ID)
	}
	return claims, nil
}

// hadSecondFactor reports whether the sign-in behind a token had a second factor.
func hadSecondFactor(memory *state.State, claims map[string]any) bool {
	amr, _ := claims["amr"].([]any)
	return slices.Contains(amr, any("mfa")) || claims["acrs"] != nil || memory.HadMFA(text(claims, "sid"))
}
