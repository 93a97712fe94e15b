package fakeentra

import (
	"net/url"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/rules"
)

// checkResource applies the rule for the parameter resource (RFC 8707) that the Config chooses. It
// compares resources, so it comes before the names in scope are looked up. If scope names no
// resource, the resources in granted count. Before 2026 Entra ID refused any resource.
func (f *Fake) checkResource(
	params url.Values,
	tenant *directory.Tenant,
	scope string,
	granted *rules.Permissions,
) *aadsts.Error {
	isIgnored := f.config.ResourceParameter == ResourceIgnored || f.config.Face == SpecAlignedFace
	if !params.Has("resource") || isIgnored {
		return nil
	}
	if f.config.ResourceParameter == ResourceRefused {
		return aadsts.ResourceUnsupported()
	}
	apps, problem := f.rules.ResourcesOf(tenant, scope)
	if problem != nil {
		return problem
	}
	if len(apps) == 0 && granted != nil {
		for _, group := range granted.Groups {
			apps = append(apps, group.App)
		}
	}
	return f.rules.MatchesResource(tenant, params.Get("resource"), apps)
}

// checkTokenResource is checkResource at the v2 token endpoint.
func (f *Fake) checkTokenResource(request *tokenRequest, granted *rules.Permissions) *aadsts.Error {
	if request.version == rules.V1 {
		return nil // there it names the resource
	}
	return f.checkResource(request.params, request.tenant, request.params.Get("scope"), granted)
}
