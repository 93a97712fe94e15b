package discovery

import (
	"fmt"
	"net/url"

	"mcpentra/client/internal/printable"
)

// checkIssuer returns an error if metadata names another issuer than the MCP server. The two have
// to be identical (RFC 8414 section 3.3), unless the Fetcher is set to accept a difference.
func (f *Fetcher) checkIssuer(found *Issuer, named string) error {
	slash := differsByRootSlash(found.Issuer, named)
	template := isTenantTemplate(found.Issuer, named)
	isAccepted := slash && f.IssuerRootSlash || template && f.EntraTenants
	if found.Issuer == named || isAccepted {
		found.Named = named
		found.Tenants = template
		return nil
	}
	hint := ""
	switch {
	case slash:
		hint = "; --issuer-root-slash (Relax.IssuerRootSlash) ignores the slash"
	case template:
		hint = "; --entra-tenants (Entra.Tenants) accepts the template, and then the tokens of one tenant"
	}
	return fmt.Errorf("discovery: want the issuer %q to the letter in %s, got %q%s",
		printable.Text(named), found.Location, printable.Text(found.Issuer), hint)
}

// differsByRootSlash reports whether one issuer is an origin, and the other one the same origin
// with a slash.
func differsByRootSlash(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	parsed, err := url.Parse(a)
	return err == nil && b == a+"/" && parsed.Host != "" && a == parsed.Scheme+"://"+parsed.Host
}
