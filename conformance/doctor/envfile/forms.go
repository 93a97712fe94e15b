package envfile

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// The forms of values. Each func returns the problem with a value, or "".

// quoted shows a short value.
func (e *exam) quoted(value string) string {
	const most = 24 // shorter than a secret
	if len(value) > most {
		return "a text of " + strconv.Itoa(len(value)) + " bytes"
	}
	return strconv.Quote(e.secrets.Mask(value))
}

var (
	guid   = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	inside = regexp.MustCompile(`[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`)
	domain = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$`)
)

// isGUID reports whether a value is an ID of Entra.
func isGUID(value string) bool { return guid.MatchString(strings.ToLower(value)) }

// notGUID says why a value is not an ID.
func notGUID(value string) string {
	if inside.MatchString(value) {
		return "has characters around the ID, such as quotes, braces or a URL"
	}
	return "is not an ID of the form 00000000-0000-0000-0000-000000000000"
}

func wrongTenant(e *exam, value string) string {
	value = strings.ToLower(value)
	isDomain := domain.MatchString(value)
	switch {
	case slices.Contains([]string{"common", "organizations", "consumers"}, value):
		return "is " + value + ", which means many tenants"
	case !isGUID(value) && !isDomain && strings.ContainsAny(value, "/{}\"'“”‘’"):
		return notGUID(value)
	case !isGUID(value) && !isDomain:
		return "is the name of a tenant, or something else: neither an ID nor a domain"
	case isDomain && e.isDirect():
		return "is a domain: in direct mode it has to be the ID, because access tokens name no domain"
	}
	return ""
}

func wrongClient(e *exam, value string) string {
	switch {
	case !isGUID(value):
		return notGUID(value)
	case strings.EqualFold(value, e.get("AUTH_TENANT_ID")):
		return "is the ID of the tenant"
	case strings.Trim(value, "0-") == "":
		return "has only zeros"
	}
	return ""
}

func wrongSecret(_ *exam, value string) string {
	lower := strings.ToLower(value)
	isPlaceholder := strings.HasPrefix(lower, "your") || strings.HasPrefix(lower, "<") || lower == "changeme"
	switch {
	case isGUID(value):
		return "is a GUID, so it is the Secret ID and not the Value"
	case isPlaceholder:
		return "is a placeholder"
	case strings.ContainsFunc(value, unicode.IsSpace):
		return "has a blank inside"
	case strings.ContainsAny(value, "“”‘’\u200b\u00a0"):
		return "has typographic quotes or invisible characters around it"
	}
	return ""
}

func oneOf(values ...string) func(*exam, string) string {
	return func(e *exam, value string) string {
		if slices.Contains(values, value) {
			return ""
		}
		return "is " + e.quoted(value) + ": want " + strings.Join(values, " or ")
	}
}

// list splits a value at commas and blanks.
func list(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

func listOf(values ...string) func(*exam, string) string {
	return func(e *exam, value string) string {
		for _, item := range list(value) {
			if !slices.Contains(values, item) {
				return "has " + e.quoted(item) + ": want " + strings.Join(values, " or ") + ", or both"
			}
		}
		return ""
	}
}

func wrongIDs(_ *exam, value string) string {
	for i, item := range list(value) {
		if !isGUID(item) {
			return fmt.Sprintf("has %s as its item %d", "something else than an ID", i+1)
		}
	}
	return ""
}

func wrongAudience(e *exam, value string) string {
	unusable := func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }
	switch {
	case strings.HasSuffix(value, "/"):
		return "ends with a slash, and no Application ID URI does"
	case !strings.Contains(value, "://"), strings.ContainsFunc(value, unusable):
		return "is " + e.quoted(value) + ", and not a URI such as api://…"
	}
	return ""
}

func wrongBool(e *exam, value string) string {
	if _, err := strconv.ParseBool(value); err != nil {
		return "is " + e.quoted(value) + ": want true or false"
	}
	return ""
}

func wrongDuration(e *exam, value string) string {
	if duration, err := time.ParseDuration(value); err != nil || duration <= 0 {
		return "is " + e.quoted(value) + ": want a time such as 90s, 10m or 2h"
	}
	return ""
}

func between(least, most int) func(*exam, string) string {
	return func(e *exam, value string) string {
		if number, err := strconv.Atoi(value); err != nil || number < least || number > most {
			return fmt.Sprintf("is %s: want a number from %d to %d", e.quoted(value), least, most)
		}
		return ""
	}
}

// isPort reports whether a text is the port of a URL, or is empty.
func isPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return text == "" || err == nil && port > 0
}

func wrongAddress(e *exam, value string) string {
	_, port, err := net.SplitHostPort(value)
	if err != nil || port != "0" && (port == "" || !isPort(port)) {
		return "is " + e.quoted(value) + ": want HOST:PORT"
	}
	return ""
}

// plainHost matches hosts in ASCII, with a port or without.
var plainHost = regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(:[0-9]+)?$`)

func wrongPublicURL(_ *exam, value string) string {
	parsed, err := url.Parse(value)
	switch {
	case err != nil || parsed.Hostname() == "" || parsed.User != nil:
		return "is not a URL with a scheme and a host alone"
	case strings.ContainsAny(value, "?#"):
		return "has ? or #"
	case !isPort(parsed.Port()) || !plainHost.MatchString(parsed.Host):
		return "has a host or port that a browser does not accept"
	case strings.Trim(parsed.Path, "/") != "":
		return "has a path, which belongs in MCP_PATH"
	case parsed.Scheme != "https" && !(parsed.Scheme == "http" && isLocal(parsed.Hostname())):
		return "is not https, and not on loopback"
	}
	return ""
}

var plainPath = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+/?$`)

// ownPaths are the paths that the server needs itself.
var ownPaths = []string{
	"/authorize", "/token", "/register", "/revoke", "/consent", "/auth/callback", "/jwks", "/.well-known", "/healthz",
}

func wrongPath(e *exam, value string) string {
	path := strings.TrimSuffix(value, "/")
	switch {
	case path == "":
		return ""
	case !plainPath.MatchString(path), slices.ContainsFunc(strings.Split(path, "/")[1:], isDots):
		return "is " + e.quoted(value) + ": want a path such as /mcp"
	case slices.ContainsFunc(ownPaths, func(own string) bool { return strings.EqualFold(own, path) }):
		return "is " + path + ", which the server needs itself"
	}
	return ""
}

func isDots(segment string) bool { return strings.Trim(segment, ".") == "" }

func wrongUpstream(_ *exam, value string) string {
	parsed, err := url.Parse(value)
	isWeb := err == nil && (parsed.Scheme == "http" || parsed.Scheme == "https")
	switch {
	case !isWeb || parsed.Hostname() == "":
		return "is not an http or https URL"
	case parsed.User != nil || parsed.Fragment != "":
		return "has a user name, a password or a fragment"
	case !isPort(parsed.Port()):
		return "has a port that is not from 1 to 65535"
	}
	return ""
}

func wrongOrigins(e *exam, value string) string {
	for _, item := range list(value) {
		parsed, err := url.Parse(item)
		isWeb := err == nil && (parsed.Scheme == "http" || parsed.Scheme == "https")
		if !isWeb || item != parsed.Scheme+"://"+parsed.Host || !plainHost.MatchString(parsed.Host) ||
			!isPort(parsed.Port()) {
			return "has " + e.quoted(item) + ": want scheme://host, without a slash, wildcard or path"
		}
		if parsed.Port() == map[string]string{"https": "443", "http": "80"}[parsed.Scheme] {
			return "has " + e.quoted(item) + ": browsers leave out the scheme's own port"
		}
	}
	return ""
}

func wrongProxies(e *exam, value string) string {
	for _, item := range list(value) {
		if _, err := netip.ParseAddr(item); err == nil && !strings.Contains(item, "%") {
			continue
		}
		prefix, err := netip.ParsePrefix(item)
		switch {
		case err != nil:
			return "has " + e.quoted(item) + ": want an address or a network, not a name"
		case prefix.Bits() == 0:
			return "has " + item + ", which means every address"
		case prefix.Masked() != prefix:
			return "has " + item + ": the network is " + prefix.Masked().String()
		}
	}
	return ""
}
