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
// the port of localhost, which is not looked at, and for an empty path, which is a slash. 127.0.0.1 has to match with
// its port (L: reports disagree).
func matchRedirect(app *directory.App, asked string) (platform, *aadsts.Error) {
	parsed, err := url.Parse(asked)
	if err != nil || parsed.Scheme == "" || parsed.Fragment != "" || strings.ContainsAny(asked, "\r\n\t\\") {
		return "", aadsts.RedirectMalformed()
	}
	for _, one := range []struct {
		platform platform
		uris     []string
	}{{web, app.Web}, {spa, app.SPA}, {publicClient, app.PublicClient}} {
		if slices.ContainsFunc(one.uris, func(registered string) bool { return sameRedirect(registered, asked) }) {
			return one.platform, nil
		}
	}
	return "", aadsts.RedirectMismatch(asked, app.ID)
}

func sameRedirect(registered, asked string) bool {
	if registered == asked {
		return true
	}
	a, errA := url.Parse(registered)
	b, errB := url.Parse(asked)
	if errA != nil || errB != nil || a.User != nil || b.User != nil || a.Opaque != "" || b.Opaque != "" {
		return false
	}
	if a.Scheme != b.Scheme || a.RawQuery != b.RawQuery || slashed(a) != slashed(b) {
		return false
	}
	if a.Hostname() == "localhost" && b.Hostname() == "localhost" {
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
