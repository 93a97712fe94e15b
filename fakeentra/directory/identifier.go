package directory

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// Warnings returns the parts of a directory that Entra ID perhaps refuses, because reports about it
// disagree.
func (d *Directory) Warnings() []error {
	var doubts []error
	for _, problem := range d.inspect().doubts {
		doubts = append(doubts, problem.err)
	}
	return doubts
}

// Warnings returns the warnings of the directory as Mistakes, with their lines.
func (f *File) Warnings() []error { return f.warnings }

// doubt adds a warning.
func (c *checker) doubt(path string, err error) { c.doubts = append(c.doubts, problem{path, err}) }

var errForeignHost = errors.New(
	"must name a domain of the tenant, or contain the ID of the tenant or the app (HostNameNotOnVerifiedDomain)",
)

// identifier checks an identifier URI. An app of token version 2 or with the property use_guid may
// have any https URI (M: Microsoft's policy is for the other apps; reports of refusals do not tell
// the version).
func (a *appChecker) identifier(key, uri string, tenant *Tenant) {
	err := checkIdentifier(uri, tenant, a.app)
	if a.app.UsesGUID() && errors.Is(err, errForeignHost) && strings.HasPrefix(uri, "https://") {
		a.doubt(a.path+"."+key, fmt.Errorf("directory: app %q: identifier URI %q names no domain of the tenant; "+
			"reports disagree whether Entra ID accepts it", a.app.DisplayName, uri))
		return
	}
	a.refuse(err != nil, key, "identifier URI %q %w", uri, err)
}

// checkIdentifier returns the reason why Entra ID refuses an identifier URI. A URI with the scheme
// api or https must contain the tenant's ID, the app's ID or a verified domain (Microsoft's page
// "Restrictions on identifier URIs"). This fake also accepts a loopback host.
func checkIdentifier(uri string, tenant *Tenant, app *App) error {
	if strings.HasSuffix(uri, "/") {
		return errors.New("must not end in a slash")
	}
	parsed, err := url.Parse(uri)
	if err != nil || parsed.Scheme == "" {
		return errors.New("must be an absolute URI")
	}
	if !slices.Contains([]string{"api", "http", "https"}, parsed.Scheme) {
		return nil
	}
	host := strings.ToLower(parsed.Hostname())
	for _, part := range append(strings.Split(parsed.Path, "/"), host) {
		if strings.EqualFold(part, tenant.ID) || strings.EqualFold(part, app.ID) {
			return nil
		}
	}
	for _, domain := range append([]string{"localhost"}, tenant.Domains...) {
		domain = strings.ToLower(domain)
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return nil
		}
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		return nil
	}
	return errForeignHost
}
