package guard

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// singleHeaders decide how a message is read. If one had two lines, the guard and the handler could
// read different ones.
var singleHeaders = []string{
	"Content-Type",
	"Content-Encoding",
	"Mcp-Protocol-Version",
	"Mcp-Method",
	"Mcp-Name",
	"Mcp-Session-Id",
}

// withoutIdentity copies a header for the handler. The copy has no header that names the caller or
// carries a credential: MCP forbids token passthrough, and the handler finds the caller in its
// context. It also leaves out headers that change the method or path, and names that a handler
// could take for others. It refuses a repeated header of singleHeaders.
func withoutIdentity(header http.Header) (http.Header, *refusal) {
	kept := make(http.Header, len(header))
	for name, lines := range header {
		if len(lines) > 1 && slices.Contains(singleHeaders, name) {
			return nil, &refusal{
				status:      http.StatusBadRequest,
				description: "the header " + name + " is there more than once",
				cause:       cause{reason: "repeated header", seen: name},
			}
		}
		if isUsual(name) || isPlainName(name) && !IsIdentityHeader(name) {
			// The capacity ends here, so a line that the handler adds cannot overwrite another's.
			kept[name] = lines[:len(lines):len(lines)]
		}
	}
	return kept, nil
}

// isUsual recognizes the headers of nearly every request, which saves the longer checks.
func isUsual(name string) bool {
	switch name {
	case "Accept", "Accept-Encoding", "Accept-Language", "Content-Length", "Content-Type", "User-Agent",
		versionHeader, sessionHeader, "Mcp-Method", "Mcp-Name":
		return true
	}
	return false
}

// isPlainName reports whether a header's name consists of letters, digits and hyphens. Handlers
// behind CGI-like interfaces read "_" as "-", and some of them every other character too. They
// would take Mcp_Session_Id for a session ID that the guard has not checked. In the names that
// mirror a tool's parameters (MCP 2026-07-28), the tool chooses the rest, so only "_" is refused.
func isPlainName(name string) bool {
	if rest, isParam := strings.CutPrefix(name, "Mcp-Param-"); isParam {
		return !strings.Contains(rest, "_")
	}
	for i := range len(name) {
		if !isLetter(name[i]) && !isDigit(name[i]) && name[i] != '-' {
			return false
		}
	}
	return true
}

func isLetter(b byte) bool { return 'a' <= b|' ' && b|' ' <= 'z' }

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// IsIdentityHeader reports whether proxies and platforms name the caller in a header, or whether it
// carries a credential or changes the method or path. The guard removes all of these.
func IsIdentityHeader(name string) bool {
	name = http.CanonicalHeaderKey(name)
	if identityHeaders[name] {
		return true
	}
	return slices.ContainsFunc(identityPrefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// withoutToken removes the parameter access_token from a URL. The guard does not read it, and the
// logs of handlers keep URLs.
func withoutToken(u *url.URL) *url.URL {
	if u.RawQuery == "" {
		return u
	}
	kept := slices.DeleteFunc(
		strings.FieldsFunc(u.RawQuery, func(r rune) bool { return r == '&' || r == ';' }),
		func(pair string) bool {
			name, _, _ := strings.Cut(pair, "=")
			plain, err := url.QueryUnescape(name)
			return err != nil || strings.EqualFold(plain, "access_token")
		},
	)
	cleaned := *u
	cleaned.RawQuery = strings.Join(kept, "&")
	return &cleaned
}

// The names are canonical (http.CanonicalHeaderKey).
var (
	identityHeaders = map[string]bool{
		"Authorization":                  true,
		"Proxy-Authorization":            true,
		"Cookie":                         true,
		"X-Original-Authorization":       true,
		"X-Forwarded-Authorization":      true,
		"X-Access-Token":                 true,
		"X-Forwarded-User":               true,
		"X-Forwarded-Email":              true,
		"X-Forwarded-Groups":             true,
		"X-Forwarded-Preferred-Username": true,
		"X-Forwarded-Access-Token":       true,
		"X-User":                         true,
		"X-Authenticated-User":           true,
		"X-Webauth-User":                 true,
		"X-Http-Method-Override":         true,
		"X-Http-Method":                  true,
		"X-Method-Override":              true,
		"X-Original-Url":                 true,
		"X-Original-Uri":                 true,
		"X-Rewrite-Url":                  true,
		"X-User-Id":                      true,
		"X-User-Email":                   true,
		"X-User-Name":                    true,
		"X-Client-Cert":                  true,
		"X-Ssl-Cert":                     true,
		"Ssl-Client-Cert":                true,
		"Client-Cert":                    true,
		"Client-Cert-Chain":              true,
	}
	identityPrefixes = []string{
		"X-Ms-Client-Principal",
		"X-Ms-Token-",
		"X-Auth-Request-",
		"X-Goog-Authenticated-User",
		"X-Goog-Iap-",
		"X-Amzn-Oidc-",
		"Mcp-Entra-",
		"Remote-",
		"X-Remote-",
		"Tailscale-User-",
		"Cf-Access-",
		"X-Authentik-",
		"X-Authelia-",
		"X-Vouch-",
		"X-Pomerium-",
		"X-Ssl-Client-",
		"X-Forwarded-Client-Cert",
		"X-Forwarded-Tls-",
		"X-Webauth-",
	}
)
