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
	f.state.AddCode(value, &state.Code{
		Delegation: d,
		Redirect:   strings.Clone(request.redirect),
		Issued:     f.clock.now(), // copies, which do not hold on to the whole request
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

// redeemCode is the grant of RFC 6749 section 4.1.3. A wrong verifier does not consume the code, as
// at Entra (M).
func (f *Fake) redeemCode(
	w http.ResponseWriter,
	r *http.Request,
	request *tokenRequest,
) (*tokenResponse, *aadsts.Error) {
	value := request.params.Get("code")
	switch {
	case value == "":
		return nil, aadsts.MissingParameter("code")
	case !wellFormed(value):
		return nil, aadsts.MalformedGrant()
	}
	code, found := f.state.Code(value)
	used := rules.Web
	if found {
		used = code.Delegation.Platform
	} else if request.client.AllowPublicFlows && !request.hasSecret && !request.assertion {
		used = rules.PublicClient
	}
	if problem := f.authenticate(w, r, request, used); problem != nil {
		return nil, problem
	}
	if !found || code.Delegation.Client != request.client {
		return nil, aadsts.GrantInvalid()
	}
	d := code.Delegation
	if request.tenant != nil && request.tenant != d.Tenant {
		return nil, aadsts.OtherTenant()
	}
	request.tenant = d.Tenant
	if redirect := request.params.Get("redirect_uri"); redirect == "" {
		return nil, aadsts.MissingParameter("redirect_uri")
	} else if redirect != code.Redirect {
		return nil, aadsts.RedirectDiffers(redirect, code.Redirect)
	}
	if f.clock.now().Sub(code.Issued) > codeLifetime {
		return nil, aadsts.Expired()
	}
	if problem := code.CheckVerifier(request.params.Get("code_verifier")); problem != nil {
		return nil, problem
	}
	if problem := f.narrow(request, &d); problem != nil {
		return nil, problem
	}
	// One of several redemptions at once wins; judged last, so that a request that fails for
	// another reason costs the code nothing.
	if !f.state.Redeem(code) {
		return nil, aadsts.Redeemed()
	}
	d.Began = f.clock.now()
	d.Strength = request.strength()
	d.WantsInfo = request.wantsInfo()
	d.Hybrid = false
	return f.issue(d, request.version)
}

// narrow selects the resource of an authorization that a redemption is for.
func (f *Fake) narrow(request *tokenRequest, d *rules.Delegation) *aadsts.Error {
	scope := request.params.Get("scope")
	resource := request.params.Get("resource")
	switch {
	case request.version == rules.V1 && resource != "", request.version == rules.V2 && scope != "":
		asked, problem := f.scopeOf(request, request.client, scope)
		if problem != nil {
			return problem
		}
		if len(asked.Groups) == 0 {
			asked.Groups = d.Asked.Groups // OpenID Connect scopes alone name no resource
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
	return f.checkTokenResource(request, d.Asked)
}
