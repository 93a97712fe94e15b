package guard

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/server/token"
)

// The sentences of the challenges are fixed: what a caller sent never comes back in them.
const (
	sayNoToken      = "this needs an access token, see resource_metadata in the WWW-Authenticate header"
	sayInvalidToken = "the access token is expired, revoked, malformed or not meant for this server"
	sayMalformed    = "the Authorization header has to be exactly one, of the form: Bearer <token>"
	sayScope        = "the access token lacks a scope that this needs"
	sayAppRole      = "an application that calls for itself needs an app role here"
	sayForbidden    = "this client may not call this server, whoever is signed in"
	sayUnavailable  = "access tokens cannot be checked at the moment, try again later"
)

// authenticate judges the Authorization header, which is the only place where a token is looked
// for: query parameters, bodies, cookies and other headers are not (OAuth 2.1 section 5.1).
func (g *Guard) authenticate(r *http.Request) (raw string, id *Identity, refused *refusal) {
	raw, malformed := bearer(r.Header["Authorization"])
	switch {
	case malformed:
		return "", nil, &refusal{
			status:      http.StatusBadRequest,
			challenge:   true,
			code:        "invalid_request",
			description: sayMalformed,
			cause:       cause{reason: "malformed credentials"},
		}
	case raw == "":
		return "", nil, &refusal{
			status:      http.StatusUnauthorized,
			challenge:   true,
			description: sayNoToken,
			cause:       cause{reason: "no token"},
		}
	}
	verified, err := g.verify(r.Context(), raw)
	if err != nil {
		return "", nil, g.unverified(r, err)
	}
	if verified == nil {
		g.log.Error("Verify returned neither an identity nor an error")
		return "", nil, &refusal{
			status:      http.StatusServiceUnavailable,
			description: sayUnavailable,
			cause:       cause{reason: "verification error"},
		}
	}
	if end := verified.end(); !end.IsZero() && !g.now().Before(end) {
		// The rule that ends streams: a token that is let in leaves a stream some time.
		return "", nil, g.unverified(r, token.NewInvalidError(token.Expired))
	}
	return raw, verified, g.authorize(verified)
}

// unverified turns the error of a Verify into an answer.
func (g *Guard) unverified(r *http.Request, err error) *refusal {
	var invalid *token.InvalidError
	var unavailable *token.UnavailableError
	var forbidden *ForbiddenError
	switch {
	case errors.As(err, &invalid):
		return &refusal{
			status:      http.StatusUnauthorized,
			challenge:   true,
			code:        "invalid_token",
			description: sayInvalidToken,
			cause:       cause{string(invalid.Reason), invalid.Seen, invalid.Setting},
		}
	case errors.As(err, &forbidden):
		return &refusal{
			status:      http.StatusForbidden,
			code:        "access_denied",
			description: sayForbidden,
			cause:       cause{forbidden.Reason, forbidden.Seen, forbidden.Setting},
		}
	case errors.As(err, &unavailable):
		g.log.Warn("tokens cannot be judged", "error", unavailable.Err)
		return &refusal{
			status:      http.StatusServiceUnavailable,
			retryAfter:  unavailable.RetryAfter,
			description: sayUnavailable,
			cause:       cause{reason: "keys unavailable"},
		}
	case r.Context().Err() == nil:
		g.log.Error("tokens cannot be judged", "error", err)
	}
	return &refusal{
		status:      http.StatusServiceUnavailable,
		description: sayUnavailable,
		cause:       cause{reason: "verification error"},
	}
}

// authorize looks at what every request needs: of people the scopes, of applications an app role.
func (g *Guard) authorize(id *Identity) *refusal {
	if id.Kind == App {
		if slices.ContainsFunc(g.appRoles, func(role string) bool { return slices.Contains(id.Roles, role) }) {
			return nil
		}
		return &refusal{
			status:      http.StatusForbidden,
			challenge:   true,
			code:        "insufficient_scope",
			description: sayAppRole,
			cause: cause{
				"the application has none of the app roles",
				strings.Join(id.Roles, " "),
				"AUTH_APP_ROLES",
			},
		}
	}
	for _, scope := range g.scopes {
		if !slices.Contains(id.Scopes, scope) {
			return &refusal{
				status:      http.StatusForbidden,
				challenge:   true,
				code:        "insufficient_scope",
				description: sayScope,
				cause:       cause{reason: "the scope " + scope + " is missing", seen: strings.Join(id.Scopes, " ")},
			}
		}
	}
	return nil
}

// bearer finds the token in the lines of the Authorization header; "" means that there is none for
// us (no line, or another scheme).
func bearer(lines []string) (raw string, malformed bool) {
	switch len(lines) {
	case 0:
		return "", false
	case 1:
	default:
		// Two readers could pick two different lines.
		return "", true
	}
	scheme, raw, _ := strings.Cut(lines[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	// RFC 9110 section 11.4 has one or more blanks here.
	raw = strings.Trim(raw, " ")
	return raw, !isToken68(raw)
}

// isToken68 is the syntax of RFC 9110 section 11.2: it has no comma, blank or quote, so lists of
// credentials end here.
func isToken68(raw string) bool {
	body := strings.TrimRight(raw, "=")
	if body == "" {
		return false
	}
	var foreign byte
	for ; len(body) >= 8; body = body[8:] { // several at once: tokens are long
		foreign |= foreignToken68[body[0]] | foreignToken68[body[1]] | foreignToken68[body[2]] | foreignToken68[body[3]] |
			foreignToken68[body[4]] | foreignToken68[body[5]] | foreignToken68[body[6]] | foreignToken68[body[7]]
	}
	for i := range len(body) {
		foreign |= foreignToken68[body[i]]
	}
	return foreign == 0
}

// foreignToken68 has a mark for each byte that is not one of RFC 9110 section 11.2, the equals
// signs at the end aside.
var foreignToken68 = func() (foreign [256]byte) {
	for b := range foreign {
		if !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/", rune(b)) {
			foreign[b] = 1
		}
	}
	return foreign
}()

// strippedHeader is a copy without the headers that claim who the caller is: the token must not
// travel further (MCP forbids token passthrough), and the guard's own verdict is in the context.
// Headers that change the method or the path go as well, and so do names that a handler could take
// for other ones. It refuses a header that is there twice and must not be.
func strippedHeader(header http.Header) (http.Header, *refusal) {
	stripped := make(http.Header, len(header))
	for name, lines := range header {
		if len(lines) > 1 && slices.Contains(singleHeaders, name) {
			return nil, &refusal{
				status:      http.StatusBadRequest,
				description: "the header " + name + " is there more than once",
				cause:       cause{reason: "repeated header", seen: name},
			}
		}
		if isUsual(name) || isPlainName(name) && !ClaimsIdentity(name) {
			// With no room behind the lines, what a handler adds goes elsewhere.
			stripped[name] = lines[:len(lines):len(lines)]
		}
	}
	return stripped, nil
}

// isUsual reports whether a header is one of those that every request has.
func isUsual(name string) bool {
	switch name {
	case "Accept", "Accept-Encoding", "Accept-Language", "Content-Length", "Content-Type", "User-Agent",
		versionHeader, sessionHeader, "Mcp-Method", "Mcp-Name":
		return true
	}
	return false
}

// isPlainName reports whether a header's name has letters, digits and hyphens alone. Handlers
// behind CGI-like interfaces read "_" as "-", and some of them every other character too:
// Mcp_Session_Id would be a session that the guard has not seen. Tools choose the rest of the names
// that mirror their parameters (MCP 2026-07-28), but for "_".
func isPlainName(name string) bool {
	if rest, is := strings.CutPrefix(name, "Mcp-Param-"); is {
		return !strings.Contains(rest, "_")
	}
	for i := range len(name) {
		b := name[i]
		if (b|' ' < 'a' || 'z' < b|' ') && (b < '0' || '9' < b) && b != '-' {
			return false
		}
	}
	return true
}

// ClaimsIdentity reports whether a header is one of those in which proxies and platforms name the
// caller, or one that carries a credential or changes the method or path. No handler behind a guard
// sees them.
func ClaimsIdentity(name string) bool {
	name = http.CanonicalHeaderKey(name)
	if identityHeaders[name] {
		return true
	}
	return slices.ContainsFunc(identityPrefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// strippedURL is without what looks like a token: nobody reads one there, and logs keep URLs.
func strippedURL(u *url.URL) *url.URL {
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
	stripped := *u
	stripped.RawQuery = strings.Join(kept, "&")
	return &stripped
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
		"X-Ms-Client-Principal", "X-Ms-Token-", "X-Auth-Request-", "X-Goog-Authenticated-User", "X-Goog-Iap-",
		"X-Amzn-Oidc-", "Mcp-Entra-",
		"Remote-", "X-Remote-", "Tailscale-User-", "Cf-Access-", "X-Authentik-", "X-Authelia-", "X-Vouch-",
		"X-Pomerium-", "X-Ssl-Client-",
		"X-Forwarded-Client-Cert", "X-Forwarded-Tls-", "X-Webauth-",
	}
)
