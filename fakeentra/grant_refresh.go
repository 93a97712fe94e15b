package fakeentra

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/rules"
	"mcpentra/fakeentra/internal/state"
)

// Lifetimes of refresh tokens: sliding for all but single-page apps, whose successors inherit what
// is left.
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

// grantVersion is the prefix of codes and refresh tokens.
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
	value := request.params.Get("refresh_token")
	switch {
	case value == "":
		return nil, aadsts.MissingParameter("refresh_token")
	case !wellFormed(value):
		return nil, aadsts.MalformedGrant()
	}
	token, found := f.state.RefreshToken(value)
	used := rules.Web
	if found {
		used = token.Delegation.Platform
	} else if request.client.AllowPublicFlows && !request.hasSecret && !request.assertion {
		used = rules.PublicClient
	}
	if problem := f.authenticate(w, r, request, used); problem != nil {
		return nil, problem
	}
	if !found || token.Delegation.Client != request.client {
		return nil, aadsts.GrantInvalid()
	}
	d := token.Delegation
	if request.tenant != nil && request.tenant != d.Tenant {
		// Entra ID accepts it for other tenants of the person. No person here has one.
		return nil, aadsts.GrantInvalid()
	}
	request.tenant = d.Tenant
	switch {
	case f.state.Revoked(&d):
		return nil, aadsts.Revoked()
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
	d.Nonce = "" // belongs to the sign-in
	d.Hybrid = false
	d.Strength = request.strength()
	d.WantsInfo = request.wantsInfo()
	if d.Platform == rules.SPA {
		d.RefreshUntil = token.Expiry
	}
	return f.issue(d, request.version)
}

// widen applies the scopes of a refresh. They may name any resource with consent.
func (f *Fake) widen(request *tokenRequest, d *rules.Delegation) *aadsts.Error {
	scope := request.params.Get("scope")
	if request.version == rules.V2 && scope != "" ||
		request.version == rules.V1 && request.params.Get("resource") != "" {
		asked, problem := f.scopeOf(request, request.client, scope)
		if problem != nil {
			return problem
		}
		if !asked.Has("offline_access") {
			asked.OIDC = append(asked.OIDC, "offline_access") // a refresh always returns a refresh token
		}
		if request.version == rules.V1 && d.Asked.Has("openid") && !asked.Has("openid") {
			asked.OIDC = append(asked.OIDC, "openid")
		}
		if !f.config.AutoSignIn && !f.consented(&authorization{
			tenant: d.Tenant,
			client: d.Client,
			asked:  asked,
		}, d.User) {
			return aadsts.ConsentNeededAtToken(request.client.ID, request.client.DisplayName)
		}
		d.Asked = asked
	}
	// M: that it depends on api://, and that https identifiers are spared.
	if group := d.Asked.Group(); group.App == d.Client && strings.HasPrefix(group.Asked, "api://") {
		return aadsts.TokenForItself(d.Client.ID, d.Client.DisplayName)
	}
	return f.checkTokenResource(request, d.Asked)
}

// RevokeSessions is an administrator's "Revoke sessions", or a change of password. Older refresh
// tokens are refused with AADSTS50173, and browsers are signed out. User is an object ID or a user
// principal name.
func (f *Fake) RevokeSessions(user string) error {
	f.directoryMu.RLock()
	defer f.directoryMu.RUnlock()
	for i := range f.directory.Tenants {
		if found := f.directory.Tenants[i].User(user); found != nil {
			f.state.Revoke(found.ID, f.clock.now())
			return nil
		}
	}
	return fmt.Errorf("fakeentra: revoke sessions: no user %s", user)
}
