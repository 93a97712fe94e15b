package fakeentra

import (
	"errors"
	"net/http"
	"slices"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/internal/rules"
	"mcpentra/fakeentra/internal/signing"
)

// grantOnBehalfOf exchanges a person's token for an API for a token for the next API (RFC 7523
// section 2.1 with Entra's requested_token_use).
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
	claims, err := f.keys.Verify(request.params.Get("assertion"), f.clock.now())
	switch {
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
		return nil, aadsts.UserAssertionAudience(audience, request.client.ID)
	case text(claims, "scp") == "":
		return nil, aadsts.UserAssertionOfApp(request.client.ID)
	}
	tenant := f.directory.Tenant(text(claims, "tid"))
	if tenant == nil || request.tenant != nil && request.tenant != tenant || tenant.User(text(claims, "oid")) == nil {
		return nil, aadsts.UserAssertion()
	}
	request.tenant = tenant
	if request.version == rules.V2 && request.params.Get("scope") == "" {
		return nil, aadsts.MissingParameter("scope")
	}
	asked, problem := f.scopeOf(request, request.client, request.params.Get("scope"))
	if problem != nil {
		return nil, problem
	}
	amr, _ := claims["amr"].([]any)
	d := rules.Delegation{
		Version:   request.version,
		Tenant:    tenant,
		Client:    request.client,
		User:      tenant.User(text(claims, "oid")),
		Platform:  rules.Web,
		Asked:     asked,
		SID:       text(claims, "sid"),
		Began:     f.clock.now(),
		SignedIn:  f.clock.now(),
		Strength:  request.strength(),
		WantsInfo: request.wantsInfo(),
		SecondFactor: slices.Contains(amr, any("mfa")) || claims["acrs"] != nil ||
			f.state.HadMFA(text(claims, "sid")),
	}
	if problem := rules.CheckAccess(&d); problem != nil {
		return nil, problem
	}
	if !f.config.AutoSignIn && !f.consented(&authorization{tenant: tenant, client: d.Client, asked: asked}, d.User) {
		return nil, aadsts.ConsentNeededAtToken(request.client.ID, request.client.DisplayName)
	}
	if problem := f.checkTokenResource(request, asked); problem != nil {
		return nil, problem
	}
	return f.issue(d, request.version)
}
