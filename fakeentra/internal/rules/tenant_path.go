package rules

import (
	"slices"
	"strings"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
)

// A TenantPath is the first path segment: one tenant, or a set of tenants. In a set, the tenant is
// unknown until a person signs in.
type TenantPath struct {
	// Segment is the tenant's ID, or common, organizations or consumers. The endpoints in the
	// discovery document have the same segment (M).
	Segment  string
	Tenant   *directory.Tenant // nil for a set
	Issuer   string            // v2
	V1Issuer string            // v1
}

// Serves reports whether the people of a tenant can sign in at the path.
func (p *TenantPath) Serves(tenant *directory.Tenant) bool {
	if p.Tenant != nil {
		return p.Tenant == tenant
	}
	return p.Segment == "common" || tenant.ID != directory.ConsumersTenantID
}

// noPersonalAccounts replaces the tenant of personal accounts in a directory without one.
var noPersonalAccounts = directory.Tenant{ID: directory.ConsumersTenantID, DisplayName: "Microsoft Accounts"}

// TenantPath resolves the tenant segment of a request.
func (r *Rules) TenantPath(name string) (*TenantPath, *aadsts.Error) {
	switch lower := strings.ToLower(name); lower {
	case "common", "organizations", "consumers":
		if r.ExternalID {
			return nil, aadsts.TenantNotFound(name) // L: a host of External ID is for one tenant
		}
	}
	switch lower := strings.ToLower(name); lower {
	case "common", "organizations":
		return &TenantPath{
			Segment:  lower,
			Issuer:   r.Authority + "/{tenantid}/v2.0",
			V1Issuer: r.STS + "/{tenantid}/",
		}, nil
	case "consumers", directory.ConsumersTenantID:
		tenant := r.Directory.Tenant(directory.ConsumersTenantID)
		if tenant == nil {
			tenant = &noPersonalAccounts
		}
		return &TenantPath{
			Segment:  lower,
			Tenant:   tenant,
			Issuer:   r.Issuer(directory.ConsumersTenantID),
			V1Issuer: r.V1Issuer(directory.ConsumersTenantID),
		}, nil
	}
	if tenant := r.Directory.Tenant(name); tenant != nil {
		return &TenantPath{
			Segment:  tenant.ID,
			Tenant:   tenant,
			Issuer:   r.Issuer(tenant.ID),
			V1Issuer: r.V1Issuer(tenant.ID),
		}, nil
	}
	if !directory.IsGUID(name) && !strings.Contains(name, ".") {
		return nil, aadsts.TenantMalformed(name)
	}
	return nil, aadsts.TenantNotFound(name)
}

// V1Issuer returns the v1 issuer of a tenant.
func (r *Rules) V1Issuer(tenantID string) string { return r.STS + "/" + tenantID + "/" }

// IsIssuer reports whether an issuer is one of this fake, v1 or v2.
func (r *Rules) IsIssuer(issuer string) bool {
	isOf := func(tenant directory.Tenant) bool {
		return issuer == r.Issuer(tenant.ID) || issuer == r.V1Issuer(tenant.ID)
	}
	return slices.ContainsFunc(r.Directory.Tenants, isOf)
}

// Region returns tenant_region_scope of the discovery document, or nil for a set and for consumers.
func (p *TenantPath) Region() *string {
	if p.Tenant == nil || p.Segment == "consumers" {
		return nil
	}
	region := RegionOf(p.Tenant)
	return &region
}

// IsTokenEndpoint reports whether the audience of an assertion is the token endpoint of a tenant at
// one of the origins, under the tenant's ID or a domain. It also accepts the v2 issuer (M).
func (r *Rules) IsTokenEndpoint(audience string, origins ...string) bool {
	for i := range r.Directory.Tenants {
		tenant := &r.Directory.Tenants[i]
		for _, name := range append([]string{tenant.ID}, tenant.Domains...) {
			for _, origin := range origins {
				base := origin + "/" + name
				switch audience {
				case base + "/oauth2/v2.0/token", base + "/oauth2/token", base + "/v2.0":
					return true
				}
			}
		}
	}
	return false
}
