package checks

import (
	"net"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
	"mcpentra/conformance/internal/inputs"
)

// registrationRedirectChecks are checks of client/registration: redirect URIs (RFC 8252).
func registrationRedirectChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/registration/redirect-uri",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "MCP authorization, Open Redirection; OAuth 2.1-13 section 2.3.1",
				Sentence: "The redirect URI of an authorization request was registered. Only the port of a " +
					"loopback address may differ.",
				Covers: []string{"client-redirect-uri-registered"},
			},
			Run: judge(lab.Script{}, eachRegistration(wantRegisteredRedirect)),
		},
		{
			Rule: check.Rule{
				ID:        "client/registration/redirect-uri-safe",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "MCP authorization, Communication Security; RFC 8252 section 7.3",
				Sentence: "A redirect URI is https, or http on a loopback address. A private-use scheme, which " +
					"OAuth 2.1 allows, breaks a SHOULD.",
				Covers: []string{"client-redirect-uri-safe", "CL-010"},
			},
			Run: judge(lab.Script{}, wantSafeRedirects),
		},
	}
}

// wantRegisteredRedirect wants a redirect URI that the client registered.
func wantRegisteredRedirect(l *lab.Lab, asked map[string]any) error {
	redirects, _ := asked["redirect_uris"].([]any)
	for _, request := range l.Authorizations(l.Authority()) {
		used := request.Query.Get("redirect_uri")
		if used != "" && !holdsRedirect(redirects, used) {
			return l.Mismatch("a registered redirect URI", used)
		}
	}
	return nil
}

// wantSafeRedirects wants each redirect URI on https or on loopback.
func wantSafeRedirects(l *lab.Lab) error {
	for _, request := range l.Authorizations(l.Authority()) {
		used := request.Query.Get("redirect_uri")
		switch {
		case used == "" || safeRedirect(used):
		case isPrivateUse(used):
			err := l.Mismatch("a redirect URI on https or loopback, which MCP wants and OAuth 2.1 does not", used)
			return inputs.Graded(err, check.Should, check.Low)
		default:
			return l.Mismatch("a redirect URI on https or loopback", used)
		}
	}
	return eachRegistrationIfAny(wantSafeRegistration)(l)
}

// isPrivateUse reports whether a redirect URI has a private-use scheme, which contains a period
// (RFC 8252 section 7.1).
func isPrivateUse(text string) bool {
	scheme, _, found := strings.Cut(text, ":")
	return found && strings.Contains(scheme, ".")
}

// wantSafeRegistration wants each registered redirect URI on https or on loopback.
func wantSafeRegistration(_ *lab.Lab, asked map[string]any) error {
	redirects, _ := asked["redirect_uris"].([]any)
	for _, redirect := range redirects {
		if text, _ := redirect.(string); !safeRedirect(text) {
			return &check.Mismatch{
				Want:  "redirect URIs on https or loopback in the registration",
				Got:   text,
				Level: check.Should,
			}
		}
	}
	return nil
}

// sameRedirect compares redirect URIs. The port of a loopback address does not count (RFC 8252
// section 7.3).
func sameRedirect(known, used string) bool {
	if known == used {
		return true
	}
	a, err := url.Parse(known)
	b, err2 := url.Parse(used)
	if err != nil || err2 != nil || !isLoopback(a.Hostname()) {
		return false
	}
	a.Host = a.Hostname()
	b.Host = b.Hostname()
	return a.String() == b.String()
}

// holdsRedirect reports whether a list of redirect URIs has the one that the client uses.
func holdsRedirect(redirects []any, used string) bool {
	return slices.ContainsFunc(redirects, func(redirect any) bool {
		text, _ := redirect.(string)
		return sameRedirect(text, used)
	})
}

// safeRedirect reports whether a redirect URI is https, or http on loopback.
func safeRedirect(text string) bool {
	if _, ok := loopbackURL(text); ok {
		return true
	}
	parsed, err := url.Parse(text)
	return err == nil && parsed.Scheme == "https"
}

func isLoopback(host string) bool { return host == "localhost" || net.ParseIP(host).IsLoopback() }
