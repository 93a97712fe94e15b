package fakeentra

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
)

// Lifetimes of refresh tokens: sliding for all but single-page apps, whose successors inherit what is left.
const (
	refreshLifetime    = 90 * 24 * time.Hour
	spaRefreshLifetime = 24 * time.Hour
)

// A refreshToken stands for a person and a client. It is bound to no resource.
type refreshToken struct {
	delegation delegation
	issued     time.Time
	expiry     time.Time
}

func (f *Fake) newRefreshToken(d delegation) string {
	until := d.refreshUntil
	switch {
	case !until.IsZero():
	case d.platform == spa:
		until = f.now().Add(spaRefreshLifetime)
	default:
		until = f.now().Add(refreshLifetime)
	}
	value := f.newGrant(d.tenant, 760)
	f.refresh.Add(sha256.Sum256(value), &refreshToken{delegation: d, issued: f.now(), expiry: until})
	return string(value)
}

// grantVersion is what codes and refresh tokens begin with.
func grantVersion(tenant *directory.Tenant) string {
	if tenant.Personal() {
		return "M."
	}
	return "1."
}

// redeemRefreshToken issues new tokens. The old refresh token goes on working: Entra neither revokes it nor looks for
// reuse.
func (f *Fake) redeemRefreshToken(w http.ResponseWriter, r *http.Request, request *tokenRequest) (*tokenResponse, *aadsts.Error) {
	value := request.params.Get("refresh_token")
	switch {
	case value == "":
		return nil, aadsts.MissingParameter("refresh_token")
	case !wellFormed(value):
		return nil, aadsts.MalformedGrant()
	}
	held, found := f.refresh.Get(hashOf(value))
	used := web
	if found {
		used = held.delegation.platform
	} else if request.client.AllowPublicFlows && !request.hasSecret && !request.assertion {
		used = publicClient
	}
	if problem := f.authenticate(w, r, request, used); problem != nil {
		return nil, problem
	}
	if !found || held.delegation.client != request.client {
		return nil, aadsts.GrantInvalid()
	}
	d := held.delegation
	if request.tenant != nil && request.tenant != d.tenant {
		return nil, aadsts.GrantInvalid() // a refresh token is good for other tenants of the person, which no one has here
	}
	request.tenant = d.tenant
	switch {
	case f.revoked(d):
		return nil, aadsts.Revoked()
	case f.now().Before(held.expiry):
	case d.platform == spa:
		return nil, aadsts.SPARefreshToken(held.issued, spaRefreshLifetime)
	default:
		return nil, aadsts.InactiveRefreshToken(held.issued, refreshLifetime)
	}
	if problem := f.widen(request, &d); problem != nil {
		return nil, problem
	}
	if problem := f.mayHave(&d); problem != nil {
		return nil, problem
	}
	d.nonce = "" // belongs to the sign-in
	d.hybrid = false
	d.strength, d.wantsInfo = request.strength(), request.wantsInfo()
	if d.platform == spa {
		d.refreshUntil = held.expiry
	}
	return f.issue(d, request.version)
}

// widen applies the scopes of a refresh, which may be for any resource that was consented to.
func (f *Fake) widen(request *tokenRequest, d *delegation) *aadsts.Error {
	scope := request.params.Get("scope")
	if request.version == v2 && scope != "" || request.version == v1 && request.params.Get("resource") != "" {
		asked, problem := f.scopeOf(request, request.client, scope)
		if problem != nil {
			return problem
		}
		if !asked.has("offline_access") {
			asked.oidc = append(asked.oidc, "offline_access") // whoever refreshes keeps a refresh token
		}
		if request.version == v1 && d.asked.has("openid") && !asked.has("openid") {
			asked.oidc = append(asked.oidc, "openid")
		}
		if !f.config.AutoSignIn && !f.consented(&authorization{tenant: d.tenant, client: d.client, asked: asked}, d.user) {
			return aadsts.ConsentNeededAtToken(request.client.ID, request.client.DisplayName)
		}
		d.asked = asked
	}
	// M: that it depends on api://, and that https identifiers are spared.
	if group := d.asked.group(); group.app == d.client && strings.HasPrefix(group.asked, "api://") {
		return aadsts.TokenForItself(d.client.ID, d.client.DisplayName)
	}
	return f.checkTokenResource(request, d.asked)
}

// RevokeSessions is what an administrator does with "Revoke sessions", and what a change of password does: refresh
// tokens from before are refused with AADSTS50173, and browsers are signed out. User is an object ID or a user
// principal name.
func (f *Fake) RevokeSessions(user string) error {
	f.world.RLock()
	defer f.world.RUnlock()
	for i := range f.directory.Tenants {
		if found := f.directory.Tenants[i].User(user); found != nil {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.revokedAt[found.ID] = f.now()
			for _, id := range f.sessions.Keys() {
				if held, ok := f.sessions.Peek(id); ok {
					held.users = slices.DeleteFunc(slices.Clone(held.users), func(one signedIn) bool { return one.user.ID == found.ID })
				}
			}
			return nil
		}
	}
	return fmt.Errorf("fakeentra: revoke sessions: no user %s", user)
}

// revoked reports whether the person's sessions were revoked after this grant began.
func (f *Fake) revoked(d delegation) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, found := f.revokedAt[d.user.ID]
	return found && !d.began.After(at)
}
