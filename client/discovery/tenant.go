package discovery

import (
	"net/url"
	"regexp"
	"strings"
)

// tenantPlaceholder marks the tenant's ID in Entra ID's template of an issuer.
const tenantPlaceholder = "{tenantid}"

var tenantID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// isTenantTemplate reports whether an issuer is Entra ID's template, and the other one its name for
// all tenants at the same origin.
func isTenantTemplate(template, named string) bool {
	parsed, err := url.Parse(named)
	if err != nil || parsed.Host == "" {
		return false
	}
	origin := parsed.Scheme + "://" + parsed.Host
	isForAll := named == origin+"/organizations/v2.0" || named == origin+"/common/v2.0"
	return isForAll && template == origin+"/"+tenantPlaceholder+"/v2.0"
}

// OfTenant returns the issuer of one tenant. It returns "" unless Issuer is a template and id has
// the form of a tenant's ID.
func (i *Issuer) OfTenant(id string) string {
	if !i.Tenants || !tenantID.MatchString(id) {
		return ""
	}
	return strings.Replace(i.Issuer, tenantPlaceholder, id, 1)
}

// Is reports whether an issuer is this one, byte by byte. If this one is a template, the issuer of
// each tenant counts.
func (i *Issuer) Is(issuer string) bool {
	if !i.Tenants {
		return issuer == i.Issuer
	}
	before, after, _ := strings.Cut(i.Issuer, tenantPlaceholder)
	id := strings.TrimSuffix(strings.TrimPrefix(issuer, before), after)
	return i.OfTenant(id) == issuer && issuer != ""
}
