package discovery

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// checkIssuer says why metadata is not that of the authorization server that was named. The two
// have to be identical (RFC 8414 section 3.3), unless the Fetcher is told to overlook a difference.
func (f *Fetcher) checkIssuer(found *Issuer, named string) error {
	slash := differsByRootSlash(found.Issuer, named)
	template := isTenantTemplate(found.Issuer, named)
	if found.Issuer == named || slash && f.IssuerRootSlash || template && f.EntraTenants {
		found.Named = named
		found.Tenants = template
		return nil
	}
	hint := ""
	switch {
	case slash:
		hint = "; --issuer-root-slash (Relax.IssuerRootSlash) overlooks the slash"
	case template:
		hint = "; --entra-tenants (Entra.Tenants) takes the template, and keeps to the tenant that signs in"
	}
	return fmt.Errorf("discovery: %s is the metadata of %q, want %q to the letter%s",
		found.Location, clip(found.Issuer), clip(named), hint)
}

// differsByRootSlash reports whether one of two issuers is an origin, and the other the same with a
// slash.
func differsByRootSlash(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	parsed, err := url.Parse(a)
	return err == nil && b == a+"/" && parsed.Host != "" && a == parsed.Scheme+"://"+parsed.Host
}

const tenantPlace = "{tenantid}"

// isTenantTemplate reports whether an issuer is Entra ID's template, and the other one its name for
// all tenants, at the same origin.
func isTenantTemplate(template, named string) bool {
	parsed, err := url.Parse(named)
	if err != nil || parsed.Host == "" {
		return false
	}
	origin := parsed.Scheme + "://" + parsed.Host
	isAll := named == origin+"/organizations/v2.0" || named == origin+"/common/v2.0"
	return isAll && template == origin+"/"+tenantPlace+"/v2.0"
}

var tenantID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// OfTenant is the issuer of one tenant, where Issuer is a template. It is empty if that is no
// tenant's ID.
func (i *Issuer) OfTenant(id string) string {
	if !i.Tenants || !tenantID.MatchString(id) {
		return ""
	}
	return strings.Replace(i.Issuer, tenantPlace, id, 1)
}

// Is reports whether an issuer is this one to the letter, or that of one tenant where this is a
// template.
func (i *Issuer) Is(issuer string) bool {
	if !i.Tenants {
		return issuer == i.Issuer
	}
	before, after, _ := strings.Cut(i.Issuer, tenantPlace)
	id := strings.TrimSuffix(strings.TrimPrefix(issuer, before), after)
	return i.OfTenant(id) == issuer && issuer != ""
}

func sameOriginAs(address, other string) bool {
	a, err := url.Parse(address)
	b, otherErr := url.Parse(other)
	return err == nil && otherErr == nil && sameOrigin(a, b)
}
