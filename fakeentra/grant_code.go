package fakeentra

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"time"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
)

const codeLifetime = 10 * time.Minute

// A code is an authorization code and what it was issued for.
type code struct {
	tenant    *directory.Tenant
	client    *directory.App
	user      *directory.User
	platform  platform
	redirect  string
	asked     *permissions
	challenge string
	method    string
	nonce     string
	sid       string
	issued    time.Time
	redeemed  bool
}

func (f *Fake) newCode(request *authorization, user *directory.User) string {
	value := "1." + base64.RawURLEncoding.EncodeToString(f.random(530))
	f.codes.Add(value, &code{
		tenant: request.tenant, client: request.client, user: user, platform: request.platform,
		redirect: request.redirect, asked: request.asked,
		challenge: request.params.Get("code_challenge"), method: request.params.Get("code_challenge_method"),
		nonce: request.params.Get("nonce"), sid: f.newGUID(), issued: f.now(),
	})
	return value
}

// redeemCode is the grant of RFC 6749 section 4.1.3. A wrong verifier does not consume the code, as at Entra.
func (f *Fake) redeemCode(w http.ResponseWriter, request *tokenRequest) (*tokenResponse, *aadsts.Error) {
	value := request.params.Get("code")
	switch {
	case value == "":
		return nil, aadsts.MissingParameter("code")
	case !wellFormed(value):
		return nil, aadsts.MalformedGrant()
	}
	held, found := f.codes.Get(value)
	used := web
	if found {
		used = held.platform
	}
	if problem := f.authenticate(w, request, used); problem != nil {
		return nil, problem
	}
	if !found || held.client != request.client || held.tenant != request.tenant {
		return nil, aadsts.GrantInvalid()
	}
	if redirect := request.params.Get("redirect_uri"); redirect == "" {
		return nil, aadsts.MissingParameter("redirect_uri")
	} else if redirect != held.redirect {
		return nil, aadsts.RedirectDiffers()
	}
	if f.now().Sub(held.issued) > codeLifetime {
		return nil, aadsts.Expired()
	}
	if problem := held.checkVerifier(request.params.Get("code_verifier")); problem != nil {
		return nil, problem
	}
	asked := held.asked
	if scope := request.params.Get("scope"); scope != "" {
		narrowed, problem := f.resolve(request.tenant, request.client, scope, true)
		if problem != nil {
			return nil, problem
		}
		if len(narrowed.groups) > 1 {
			return nil, aadsts.ScopesOfSeveralResources()
		}
		narrowed.oidc = held.asked.oidc
		asked = narrowed
	}
	if problem := f.checkResource(request.params.Get("resource"), request.params.Has("resource"), asked, request.tenant); problem != nil {
		return nil, problem
	}
	// One of several redemptions at once wins; judged last, so that a request that fails for another reason costs the
	// code nothing.
	f.mu.Lock()
	lost := held.redeemed
	held.redeemed = true
	f.mu.Unlock()
	if lost {
		return nil, aadsts.Redeemed()
	}
	return f.issue(delegation{
		tenant: held.tenant, client: held.client, user: held.user, platform: held.platform, asked: asked, nonce: held.nonce, sid: held.sid,
		began: f.now(), strength: request.strength(), wantsInfo: request.params.Get("client_info") == "1",
	})
}

func (c *code) checkVerifier(verifier string) *aadsts.Error {
	if c.challenge == "" {
		return nil
	}
	derived := verifier
	if c.method == "S256" {
		sum := sha256.Sum256([]byte(verifier))
		derived = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if verifier == "" || subtle.ConstantTimeCompare([]byte(derived), []byte(c.challenge)) != 1 {
		return aadsts.VerifierMismatch()
	}
	return nil
}

// strength is the claim azpacr: how the client has authenticated.
func (t *tokenRequest) strength() string {
	switch {
	case t.assertion:
		return "2"
	case t.hasSecret:
		return "1"
	}
	return "0"
}
