package rules

import (
	"net/url"
	"slices"
	"strings"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
)

// A Platform is the kind of client that a redirect URI is registered for. It decides how the client
// authenticates.
type Platform string

const (
	Web          Platform = "web"
	SPA          Platform = "spa"
	PublicClient Platform = "publicClient"
)

// MatchRedirect finds the registered URI that matches a requested URI, and returns its platform.
// The two must be equal, with two exceptions: the port of localhost may differ, and an empty path
// equals a slash (M). An equal URI wins over one with another port, although Entra ID calls the
// choice arbitrary. The port of 127.0.0.1 must match unless AnyLoopbackPort is set (L: reports
// disagree).
func (r *Rules) MatchRedirect(app *directory.App, asked string) (Platform, *aadsts.Error) {
	parsed, err := url.Parse(asked)
	if err != nil || parsed.Scheme == "" || parsed.Fragment != "" || strings.ContainsAny(asked, "\r\n\t\\") {
		return "", aadsts.RedirectMalformed()
	}
	isEqual := func(registered string) bool { return registered == asked }
	if platform, found := platformOf(app, isEqual); found {
		return platform, nil
	}
	isSimilar := func(registered string) bool { return r.sameRedirect(registered, asked) }
	if platform, found := platformOf(app, isSimilar); found {
		return platform, nil
	}
	return "", aadsts.RedirectMismatch(asked, app.ID)
}

// platformOf returns the platform of the first redirect URI that matches.
func platformOf(app *directory.App, matches func(registered string) bool) (Platform, bool) {
	switch {
	case slices.ContainsFunc(app.Web, matches):
		return Web, true
	case slices.ContainsFunc(app.SPA, matches):
		return SPA, true
	case slices.ContainsFunc(app.PublicClient, matches):
		return PublicClient, true
	}
	return "", false
}

// sameRedirect reports whether two redirect URIs differ only where MatchRedirect allows it.
func (r *Rules) sameRedirect(registered, asked string) bool {
	a, errA := url.Parse(registered)
	b, errB := url.Parse(asked)
	if errA != nil || errB != nil || !isPlain(a) || !isPlain(b) {
		return false
	}
	if a.Scheme != "http" && a.Scheme != "https" {
		return false // a URI with an app's own scheme must be equal
	}
	if a.Scheme != b.Scheme || a.RawQuery != b.RawQuery || slashed(a) != slashed(b) {
		return false
	}
	anyPort := a.Hostname() == "localhost" || a.Hostname() == "127.0.0.1" && r.AnyLoopbackPort
	if anyPort && a.Hostname() == b.Hostname() {
		return true
	}
	return a.Host != "" && a.Host == b.Host
}

// isPlain reports whether a URL has no user and no opaque part.
func isPlain(u *url.URL) bool { return u.User == nil && u.Opaque == "" }

// slashed returns the path of a URL, or a slash if it is empty.
func slashed(u *url.URL) string {
	if u.EscapedPath() == "" {
		return "/"
	}
	return u.EscapedPath()
}

// AfterLogout returns the address to open after a sign-out, or nothing. It accepts only a redirect
// URI that an app of the tenant registered (M). Tenant is nil at a shared endpoint.
func (r *Rules) AfterLogout(tenant *directory.Tenant, target, state string) string {
	if target == "" {
		return ""
	}
	tenants := r.Directory.Tenants
	if tenant != nil {
		tenants = []directory.Tenant{*tenant}
	}
	for i := range tenants {
		for j := range tenants[i].Apps {
			if _, problem := r.MatchRedirect(&tenants[i].Apps[j], target); problem != nil {
				continue
			}
			if state != "" {
				separator := "?"
				if strings.Contains(target, "?") {
					separator = "&"
				}
				target += separator + "state=" + url.QueryEscape(state)
			}
			return target
		}
	}
	return ""
}
