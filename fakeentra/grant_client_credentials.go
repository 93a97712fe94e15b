package fakeentra

import (
	"net/http"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/internal/rules"
)

// grantClientCredentials is the grant of RFC 6749 section 4.4. Entra ID wants one resource with
// /.default, and accepts OpenID Connect scopes beside it. The app needs no permission unless the
// resource requires assignment. Without a role its token has no claim roles.
func (f *Fake) grantClientCredentials(r *http.Request, request *tokenRequest) (*tokenResponse, *aadsts.Error) {
	if request.tenant == nil {
		return nil, aadsts.NoTenant() // M: the number
	}
	if problem := f.checkCredential(r, request, aadsts.NoCredentialForApp()); problem != nil {
		return nil, problem
	}
	scope := request.params.Get("scope")
	if request.version == rules.V2 && scope == "" {
		return nil, aadsts.MissingParameter("scope")
	}
	asked, problem := f.scopeOf(request, nil, scope)
	if problem != nil {
		return nil, problem
	}
	if len(asked.Groups) == 0 || !asked.Groups[0].Default {
		return nil, aadsts.NotDefaultScope(scope)
	}
	if problem := f.checkTokenResource(request, asked); problem != nil {
		return nil, problem
	}
	resource := asked.Groups[0]
	_, assigned := f.rules.AppRoles(request.tenant, request.client, resource.App)
	if resource.App.AssignmentRequired && !assigned {
		return nil, aadsts.AppNotAssigned(
			request.client.ID,
			request.client.DisplayName,
			resource.Asked,
			resource.App.DisplayName,
		)
	}
	lifetime := newLifetime(f.random.bytes(8))
	answer := newTokenResponse(request.version, f.rules.Audience(resource), f.clock.now(), lifetime)
	claims := f.claims.App(request.tenant, request.client, request.strength(), resource, lifetime)
	if rules.ShowsCapabilities(resource.App, request.claims.Capabilities) {
		claims["xms_cc"] = request.claims.Capabilities // M: also in app-only tokens
	}
	answer.AccessToken = f.accessToken(claims, request.tenant, resource.App)
	return answer, nil
}
