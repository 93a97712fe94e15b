package fakeentra

import (
	"net/http"
	"strings"
	"time"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/rules"
	"mcpentra/fakeentra/internal/state"
)

// The lifetimes of refresh tokens. Each refresh starts a new lifetime, except for single-page apps:
// their new tokens expire with the first one.
const (
	refreshLifetime    = 90 * 24 * time.Hour
	spaRefreshLifetime = 24 * time.Hour
)

func (f *Fake) newRefreshToken(d rules.Delegation) string {
	until := d.RefreshUntil
	switch {
	case !until.IsZero():
	case d.Platform == rules.SPA:
		until = f.clock.now().Add(spaRefreshLifetime)
	default:
		until = f.clock.now().Add(refreshLifetime)
	}
	value := newOpaque(d.Tenant, f.random.bytes(760))
	f.state.AddRefreshToken(value, &state.RefreshToken{Delegation: d, Issued: f.clock.now(), Expiry: until})
	return string(value)
}

// grantVersion returns the prefix of codes and refresh tokens.
func grantVersion(tenant *directory.Tenant) string {
	if tenant.Personal() {
		return "M."
	}
	return "1."
}

// redeemRefreshToken issues new tokens. The old refresh token stays valid: Entra ID neither revokes
// it nor detects reuse.
func (f *Fake) redeemRefreshToken(
	w http.ResponseWriter,
	r *http.Request,
	request *tokenRequest,
) (*tokenResponse, *aadsts.Error) {
	value, problem := request.grantValue("refresh_token")
	if problem != nil {
		return nil, problem
	}
	token, found := f.state.RefreshToken(value)
	var granted *rules.Delegation
	if found {
		granted = &token.Delegation
	}
	if problem := f.authenticateOwner(w, r, request, granted); problem != nil {
		return nil, problem
	}
	d := *granted
	if request.tenant != nil && request.tenant != d.Tenant {
		// Entra ID accepts the token in other tenants of the person. Here each person has one
		// tenant.
		return nil, aadsts.GrantInvalid()
	}
	request.tenant = d.Tenant
	switch {
	case d.User.Disabled:
		return nil, aadsts.UserDisabled()
	case f.state.Revoked(&d):
		return nil, grantRevoked(f.state, d.User.ID, d.Began)
	case f.clock.now().Before(token.Expiry):
	case d.Platform == rules.SPA:
		return nil, aadsts.SPARefreshToken(token.Issued, spaRefreshLifetime)
	default:
		return nil, aadsts.InactiveRefreshToken(token.Issued, refreshLifetime)
	}
	if problem := f.widen(request, &d); problem != nil {
		return nil, problem
	}
	if problem := rules.CheckAccess(&d); problem != nil {
		return nil, problem
	}
	d.Nonce = "" // only for the sign-in
	d.Hybrid = false
	d.Strength = request.strength()
	d.WantsInfo = request.wantsInfo()
	d.Capabilities = request.claims.Capabilities
	if d.Platform == rules.SPA {
		d.RefreshUntil = token.Expiry
	}
	return f.issue(d, request.version)
}

// grantRevoked is the error for a grant from before the last revocation of its person's sessions.
func grantRevoked(memory *state.State, userID string, began time.Time) *aadsts.Error {
	return aadsts.Revoked(began, memory.TokensValidFrom(userID))
}

// widen applies the scopes of a refresh. They may name any resource that has consent. Without them
// the tokens are for the resource of the grant. Then an app gets none for itself, unless it named
// itself by its ID (M: Entra ID refuses only identifiers with api://, not those with https). The
// parameter resource of v1 is refused likewise.
func (f *Fake) widen(request *tokenRequest, d *rules.Delegation) *aadsts.Error {
	scope := request.params.Get("scope")
	granted := d.Asked
	if scope != "" {
		granted = nil
	}
	if problem := f.checkTokenResource(request, granted); problem != nil {
		return problem
	}
	namesResource := request.version == rules.V2 && scope != "" ||
		request.version == rules.V1 && request.params.Get("resource") != ""
	if !namesResource {
		return checkForItself(d, d.Asked)
	}
	asked, problem := f.scopeOf(request, request.client, scope)
	if problem == nil && request.version == rules.V1 {
		problem = checkForItself(d, asked)
	}
	if problem != nil {
		return problem
	}
	if !asked.Has("offline_access") {
		asked.OIDC = append(asked.OIDC, "offline_access") // a refresh always returns a refresh token
	}
	if request.version == rules.V1 && d.Asked.Has("openid") && !asked.Has("openid") {
		asked.OIDC = append(asked.OIDC, "openid")
	}
	if problem := f.checkConsented(d.Tenant, d.Client, d.User, asked); problem != nil {
		return problem
	}
	d.Asked = asked
	return nil
}

// checkForItself refuses a token of an app for itself that is named by its URI.
func checkForItself(d *rules.Delegation, asked *rules.Permissions) *aadsts.Error {
	if group := asked.Group(); group.App == d.Client && strings.HasPrefix(group.Asked, "api://") {
		return aadsts.TokenForItself(d.Client.ID, d.Client.DisplayName)
	}
	return nil
}
