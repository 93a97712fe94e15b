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

// MatchRedirect finds the registered URI that a requested candidate matches, and returns its
// platform. The two have to be equal, with two exceptions: the port of localhost may differ, and an
// empty path is a slash (M). An equal URI wins over one that differs in the port; Entra ID calls
// the choice arbitrary. The port of 127.0.0.1 has to match unless AnyLoopbackPort is set (L:
// reports disagree).
func (r *Rules) MatchRedirect(app *directory.App, asked string) (Platform, *aadsts.Error) {
	parsed, err := url.Parse(asked)
	if err != nil || parsed.Scheme == "" || parsed.Fragment != "" || strings.ContainsAny(asked, "\r\n\t\\") {
		return "", aadsts.RedirectMalformed()
	}
	for _, same := range []func(registered, asked string) bool{
		func(a, b string) bool { return a == b },
		r.sameRedirect,
	} {
		for _, candidate := range []struct {
			platform Platform
			uris     []string
		}{{Web, app.Web}, {SPA, app.SPA}, {PublicClient, app.PublicClient}} {
			if slices.ContainsFunc(candidate.uris, func(registered string) bool { return same(registered, asked) }) {
				return candidate.platform, nil
			}
		}
	}
	return "", aadsts.RedirectMismatch(asked, app.ID)
}

func (r *Rules) sameRedirect(registered, asked string) bool {
	a, errA := url.Parse(registered)
	b, errB := url.Parse(asked)
	if errA != nil || errB != nil || a.User != nil || b.User != nil || a.Opaque != "" || b.Opaque != "" {
		return false
	}
	if a.Scheme != "http" && a.Scheme != "https" {
		return false // an app's own scheme has to be equal
	}
	if a.Scheme != b.Scheme || a.RawQuery != b.RawQuery || slashed(a) != slashed(b) {
		return false
	}
	if a.Hostname() == b.Hostname() &&
		(a.Hostname() == "localhost" || a.Hostname() == "127.0.0.1" && r.AnyLoopbackPort) {
		return true
	}
	return a.Host != "" && a.Host == b.Host
}

func slashed(u *url.URL) string {
	if u.EscapedPath() == "" {
		return "/"
	}
	return u.EscapedPath()
}

// AfterLogout is the address that a browser goes to once it is signed out, or empty. Tenant is nil
// at a shared endpoint. Only a redirect URI that some app of the tenant registered is accepted (M).
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
