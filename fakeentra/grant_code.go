package fakeentra

import (
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/rules"
	"mcpentra/fakeentra/internal/state"
)

const codeLifetime = 10 * time.Minute

func (f *Fake) newCode(request *authorization, d rules.Delegation) string {
	value := newOpaque(d.Tenant, f.random.bytes(530))
	// The clones do not keep the whole request in memory.
	f.state.AddCode(value, &state.Code{
		Delegation: d,
		Redirect:   strings.Clone(request.redirect),
		Issued:     f.clock.now(),
		Challenge:  strings.Clone(request.params.Get("code_challenge")),
		Method:     strings.Clone(request.params.Get("code_challenge_method")),
	})
	return string(value)
}

// newOpaque makes an authorization code or a refresh token of random bytes.
func newOpaque(tenant *directory.Tenant, random []byte) []byte {
	value := make([]byte, 0, len("1.")+base64.RawURLEncoding.EncodedLen(len(random)))
	return base64.RawURLEncoding.AppendEncode(append(value, grantVersion(tenant)...), random)
}

// redeemCode is the grant of RFC 6749 section 4.1.3. A wrong verifier does not use up the code,
// like at Entra ID (M).
func (f *Fake) redeemCode(
	w http.ResponseWriter,
	r *http.Request,
	request *tokenRequest,
) (*tokenResponse, *aadsts.Error) {
	value, problem := request.grantValue("code")
	if problem != nil {
		return nil, problem
	}
	code, found := f.state.Code(value)
	var granted *rules.Delegation
	if found {
		granted = &code.Delegation
	}
	if problem := f.authenticateOwner(w, r, request, granted); problem != nil {
		return nil, problem
	}
	d := *granted
	if request.tenant != nil && request.tenant != d.Tenant {
		return nil, aadsts.OtherTenant()
	}
	request.tenant = d.Tenant
	redirect := request.params.Get("redirect_uri")
	switch {
	case redirect == "":
		return nil, aadsts.MissingParameter("redirect_uri")
	case redirect != code.Redirect:
		return nil, aadsts.RedirectDiffers(redirect, code.Redirect)
	case f.clock.now().Sub(code.Issued) > codeLifetime:
		return nil, aadsts.Expired()
	case f.state.Revoked(&d):
		return nil, grantRevoked(f.state, d.User.ID, d.Began)
	}
	if problem := code.CheckVerifier(request.params.Get("code_verifier")); problem != nil {
		return nil, problem
	}
	if problem := f.narrow(request, &d); problem != nil {
		return nil, problem
	}
	// Of several redemptions at once, one wins. This check is the last, so a request that fails for
	// another reason does not use up the code.
	if !f.state.Redeem(code) {
		return nil, aadsts.Redeemed()
	}
	d.Began = f.state.Begin(d.User.ID, f.clock.now())
	d.Strength = request.strength()
	d.WantsInfo = request.wantsInfo()
	request.declareCapabilities(&d)
	d.Hybrid = false
	return f.issue(d, request.version)
}

// narrow selects the resource that a redemption is for, out of the resources of the authorization.
func (f *Fake) narrow(request *tokenRequest, d *rules.Delegation) *aadsts.Error {
	if problem := f.checkTokenResource(request, d.Asked); problem != nil {
		return problem
	}
	scope := request.params.Get("scope")
	resource := request.params.Get("resource")
	switch {
	case request.version == rules.V1 && resource != "", request.version == rules.V2 && scope != "":
		asked, problem := f.scopeOf(request, request.client, scope)
		if problem != nil {
			return problem
		}
		if len(asked.Groups) == 0 {
			asked.Groups = d.Asked.Groups // OpenID Connect scopes name no resource
		}
		for _, scope := range d.Asked.OIDC {
			if !asked.Has(scope) {
				asked.OIDC = append(asked.OIDC, scope)
			}
		}
		d.Asked = asked
	case len(d.Asked.Groups) > 1:
		return aadsts.WhichResource()
	}
	return nil
}

// grantValue reads a code or a refresh token, and checks its format.
func (t *tokenRequest) grantValue(name string) (string, *aadsts.Error) {
	value := t.params.Get(name)
	switch {
	case value == "":
		return "", aadsts.MissingParameter(name)
	case !wellFormed(value):
		return "", aadsts.MalformedGrant()
	}
	return value, nil
}

// wellFormed reports whether a text has the format of a code or refresh token: opaque, long, with
// the prefix of its version or of personal accounts.
func wellFormed(value string) bool {
	return len(value) > 100 && len(value) < 4096 &&
		(strings.HasPrefix(value, "1.") || strings.HasPrefix(value, "M.")) &&
		strings.Trim(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}

// authenticateOwner authenticates the client of a redemption, and checks that the code or refresh
// token was issued to it. Granted is the delegation of the code or token, or nil if it is unknown.
func (f *Fake) authenticateOwner(
	w http.ResponseWriter,
	r *http.Request,
	request *tokenRequest,
	granted *rules.Delegation,
) *aadsts.Error {
	platform := rules.Web
	switch {
	case granted != nil:
		platform = granted.Platform
	case request.isPublic():
		platform = rules.PublicClient
	}
	if problem := f.authenticate(w, r, request, platform); problem != nil {
		return problem
	}
	switch {
	case granted == nil:
		return aadsts.GrantInvalid()
	case granted.Client != request.client:
		return aadsts.OtherClient()
	}
	return nil
}
