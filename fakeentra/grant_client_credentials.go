package fakeentra

import (
	"net/http"
	"time"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/internal/rules"
)

// appTokenLifetime is the lifetime of every app-only token. Entra ID answers expires_in 3599, and
// exp is 3900 seconds after the backdated iat, in four of four recordings (R, 2025-08-06 to
// 2026-07-27).
const appTokenLifetime = time.Hour

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
	if !f.rules.HasPrincipal(request.tenant, request.client) {
		return nil, aadsts.PrincipalMissing(request.client.ID, request.tenant.ID)
	}
	scope := request.params.Get("scope")
	if request.version == rules.V2 && scope == "" {
		return nil, aadsts.MissingParameter("scope")
	}
	if problem := f.checkTokenResource(request, nil); problem != nil {
		return nil, problem
	}
	asked, problem := f.scopeOf(request, nil, scope)
	if problem != nil {
		return nil, problem
	}
	if len(asked.Groups) == 0 || !asked.Groups[0].Default {
		return nil, aadsts.NotDefaultScope(scope)
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
	answer := newTokenResponse(request.version, f.rules.Audience(resource), f.clock.now(), appTokenLifetime)
	claims := f.claims.App(request.tenant, request.client, request.strength(), resource, appTokenLifetime)
	if rules.ShowsCapabilities(resource.App, request.claims.Capabilities) {
		claims["xms_cc"] = request.claims.Capabilities // M: also in app-only tokens
	}
	answer.AccessToken = f.accessToken(claims, request.tenant, resource.App)
	return answer, nil
}
