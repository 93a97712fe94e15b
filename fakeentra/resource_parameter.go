package fakeentra

import (
	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/rules"
)

// checkResource applies the rule for the parameter resource (RFC 8707) that the Config chooses.
// Before 2026 Entra ID refused any resource.
func (f *Fake) checkResource(
	resource string,
	present bool,
	asked *rules.Permissions,
	tenant *directory.Tenant,
) *aadsts.Error {
	if !present || f.config.ResourceParameter == ResourceIgnored || f.config.Face == SpecAlignedFace {
		return nil
	}
	if f.config.ResourceParameter == ResourceRefused {
		return aadsts.ResourceUnsupported()
	}
	return rules.MatchesResource(tenant, resource, asked)
}
