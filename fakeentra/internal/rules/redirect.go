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
// choice arbitrary. A public client may also use any port of 127.0.0.1 (M: one report says that the
// port must match), unless ExactLoopbackPort is set.
func (r *Rules) MatchRedirect(app *directory.App, asked string) (Platform, *aadsts.Error) {
	parsed, err := url.Parse(asked)
	if err != nil || parsed.Scheme == "" || parsed.Fragment != "" || strings.ContainsAny(asked, "\r\n\t\\") {
		return "", aadsts.RedirectMalformed()
	}
	isEqual := func(registered string) bool { return registered == asked }
	if platform, found := platformOf(app, isEqual); found {
		return platform, nil
	}
	isSimilar := func(registered string) bool { return sameRedirect(registered, asked, "localhost") }
	if platform, found := platformOf(app, isSimilar); found {
		return platform, nil
	}
	isLoopback := func(registered string) bool { return sameRedirect(registered, asked, "127.0.0.1") }
	if !r.ExactLoopbackPort && slices.ContainsFunc(app.PublicClient, isLoopback) {
		return PublicClient, nil
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

// sameRedirect reports whether two redirect URIs differ only where MatchRedirect allows it. AnyPort
// is the host whose port may differ.
func sameRedirect(registered, asked, anyPort string) bool {
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
	if a.Hostname() == anyPort && b.Hostname() == anyPort {
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
