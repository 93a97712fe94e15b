package fakeentra

import (
	"net"
	"net/url"
	"slices"
	"strings"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
)

// A platform is what a redirect URI is registered under. It decides how a client authenticates.
type platform string

const (
	web          platform = "web"
	spa          platform = "spa"
	publicClient platform = "publicClient"
)

// matchRedirect finds the registered URI that a requested one matches, and its platform: equal to the letter, but for
// the port of localhost, which is not looked at, and for an empty path, which is a slash (M). A URI that is equal to the
// letter goes before one that differs in the port; Entra ID says that the choice is arbitrary. 127.0.0.1 has to match
// with its port unless the configuration says otherwise (L: reports disagree).
func (f *Fake) matchRedirect(app *directory.App, asked string) (platform, *aadsts.Error) {
	parsed, err := url.Parse(asked)
	if err != nil || parsed.Scheme == "" || parsed.Fragment != "" || strings.ContainsAny(asked, "\r\n\t\\") {
		return "", aadsts.RedirectMalformed()
	}
	for _, same := range []func(registered, asked string) bool{func(a, b string) bool { return a == b }, f.sameRedirect} {
		for _, one := range []struct {
			platform platform
			uris     []string
		}{{web, app.Web}, {spa, app.SPA}, {publicClient, app.PublicClient}} {
			if slices.ContainsFunc(one.uris, func(registered string) bool { return same(registered, asked) }) {
				return one.platform, nil
			}
		}
	}
	return "", aadsts.RedirectMismatch(asked, app.ID)
}

func (f *Fake) sameRedirect(registered, asked string) bool {
	a, errA := url.Parse(registered)
	b, errB := url.Parse(asked)
	if errA != nil || errB != nil || a.User != nil || b.User != nil || a.Opaque != "" || b.Opaque != "" {
		return false
	}
	if a.Scheme != "http" && a.Scheme != "https" {
		return false // an app's own scheme is compared to the letter
	}
	if a.Scheme != b.Scheme || a.RawQuery != b.RawQuery || slashed(a) != slashed(b) {
		return false
	}
	if a.Hostname() == b.Hostname() && (a.Hostname() == "localhost" || a.Hostname() == "127.0.0.1" && f.config.AnyLoopbackPort) {
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

func isLoopbackHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
