package fakeentra

import (
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"mcpentra/fakeentra/aadsts"
)

// Lifetimes of refresh tokens: sliding for all but single-page apps, whose successors inherit what is left.
const (
	refreshLifetime    = 90 * 24 * time.Hour
	spaRefreshLifetime = 24 * time.Hour
)

// A refreshToken stands for a person and a client. It is bound to no resource.
type refreshToken struct {
	delegation delegation
	expiry     time.Time
}

func (f *Fake) newRefreshToken(d delegation, expiry time.Time) string {
	value := "1." + base64.RawURLEncoding.EncodeToString(f.random(760))
	f.refresh.Add(value, &refreshToken{delegation: d, expiry: expiry})
	return value
}

// redeemRefreshToken issues new tokens. The old refresh token goes on working: Entra neither revokes it nor looks for
// reuse.
func (f *Fake) redeemRefreshToken(w http.ResponseWriter, request *tokenRequest) (*tokenResponse, *aadsts.Error) {
	value := request.params.Get("refresh_token")
	switch {
	case value == "":
		return nil, aadsts.MissingParameter("refresh_token")
	case !wellFormed(value):
		return nil, aadsts.MalformedGrant()
	}
	held, found := f.refresh.Get(value)
	used := web
	if found {
		used = held.delegation.platform
	}
	if problem := f.authenticate(w, request, used); problem != nil {
		return nil, problem
	}
	d := delegation{}
	if found {
		d = held.delegation
	}
	switch {
	case !found || d.client != request.client || d.tenant != request.tenant:
		return nil, aadsts.GrantInvalid()
	case !f.now().Before(held.expiry):
		return nil, aadsts.Expired()
	case d.user.Disabled:
		return nil, aadsts.UserDisabled()
	}
	if scope := request.params.Get("scope"); scope != "" {
		asked, problem := f.resolve(request.tenant, request.client, scope, true)
		if problem != nil {
			return nil, problem
		}
		if len(asked.groups) > 1 {
			return nil, aadsts.ScopesOfSeveralResources()
		}
		if !asked.has("offline_access") {
			asked.oidc = append(asked.oidc, "offline_access") // whoever refreshes keeps a refresh token
		}
		if !f.mayHave(d, asked) {
			return nil, aadsts.ConsentNeededAtToken(request.client.ID, request.client.DisplayName)
		}
		d.asked = asked
	}
	if group := d.asked.group(); group.app == d.client && strings.HasPrefix(group.asked, "api://") {
		return nil, aadsts.TokenForItself(d.client.ID, d.client.DisplayName)
	}
	if problem := f.checkResource(request.params.Get("resource"), request.params.Has("resource"), d.asked, request.tenant); problem != nil {
		return nil, problem
	}
	d.nonce = "" // belongs to the sign-in
	d.strength = request.strength()
	d.wantsInfo = request.params.Get("client_info") == "1"
	if d.platform == spa {
		d.refreshUntil = held.expiry
	}
	return f.issue(d)
}

// mayHave reports whether a refresh asks for no more than was consented to.
func (f *Fake) mayHave(d delegation, asked *permissions) bool {
	if f.config.AutoSignIn {
		return true
	}
	user := d.user
	request := &authorization{tenant: d.tenant, client: d.client, asked: asked}
	return f.consented(request, user)
}
