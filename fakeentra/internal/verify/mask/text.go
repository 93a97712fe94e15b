package mask

import (
	"net/url"
	"regexp"
	"strings"
)

const guidPattern = `[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}`

var (
	guids  = regexp.MustCompile(guidPattern)
	guid   = regexp.MustCompile(`^` + guidPattern + `$`)
	stamps = regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?`)
	// seconds match a time as the old token endpoint sends it.
	seconds = regexp.MustCompile(`^\d{9,11}$`)
	// jwts match a token with three parts. Its header is a JSON object, so it begins with eyJ.
	jwts      = regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]*`)
	emails    = regexp.MustCompile(`[\w.+#-]+@[\w-]+(\.[\w-]+)+`)
	addresses = regexp.MustCompile(`\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b`)
	opaques   = regexp.MustCompile(`[A-Za-z0-9_+=-]{20,}`)
	digits    = regexp.MustCompile(`^\d{1,8}$`)
	digit     = regexp.MustCompile(`\d`)
	letter    = regexp.MustCompile(`[A-Za-z]`)
	quotes    = regexp.MustCompile(`'([^']*)'`)
	masked    = regexp.MustCompile(`^[({'"]*\[[a-z]+ [^\]]*\]`)

	// The names in sentences that have no quotation marks.
	inParentheses = regexp.MustCompile(`('|\])\(([^()]*)\)`)
	named         = regexp.MustCompile(`\bnamed ([^'].*?)( was not found|\. )`)
	ofApplication = regexp.MustCompile(`\bthe application ([^'(]+) \(`)
	ofDirectory   = regexp.MustCompile(`\bin the (\S+) directory\b`)
	ofScope       = regexp.MustCompile(`\b(The scope|Scope) (.+?) is not valid`)
	ofTenant      = regexp.MustCompile(`\{authority\}/[\w-]+(\.[\w-]+)+`)
	hosts         = regexp.MustCompile(`\b(https?|api)://([\w.-]+(:\d+)?)`)
)

func isGUID(text string) bool { return guid.MatchString(text) }

// isMask reports whether a text begins with a mask.
func isMask(text string) bool { return masked.MatchString(text) }

// text masks the IDs, times, secrets and names in a text, and leaves the rest.
func (s *scope) text(text, where string) string {
	replace := func(pattern *regexp.Regexp, kind string) {
		text = pattern.ReplaceAllStringFunc(text, func(value string) string { return s.place(kind, value, where) })
	}
	text = s.origins(text)
	for _, secret := range s.secret {
		if !parameters[secret] && !members[secret] && !quoted[secret] {
			text = strings.ReplaceAll(text, secret, s.places[secret])
			text = strings.ReplaceAll(text, url.QueryEscape(secret), s.places[secret])
		}
	}
	replace(jwts, "secret")
	replace(stamps, "time")
	replace(guids, "guid")
	replace(emails, "name")
	replace(addresses, "address")
	text = s.names(text, where)
	text = hosts.ReplaceAllStringFunc(text, func(address string) string {
		scheme, host, _ := strings.Cut(address, "://")
		if isPublic(host) || scheme == "api" {
			return address
		}
		return s.place("host", address, where)
	})
	text = ofTenant.ReplaceAllStringFunc(text, func(value string) string {
		domain := strings.TrimPrefix(value, "{authority}/")
		if segments[domain] {
			return value
		}
		return "{authority}/" + s.place("name", domain, where)
	})
	return opaques.ReplaceAllStringFunc(text, func(value string) string {
		if digit.MatchString(value) && letter.MatchString(value) {
			return s.place("secret", value, where)
		}
		return value
	})
}

// origins masks the authority and Graph.
func (s *scope) origins(text string) string {
	if s.masker.Authority != "" {
		text = strings.ReplaceAll(text, s.masker.Authority, "{authority}")
		host := strings.TrimPrefix(strings.TrimPrefix(s.masker.Authority, "https://"), "http://")
		text = strings.ReplaceAll(text, url.QueryEscape(s.masker.Authority), "{authority}")
		if !isPublic(host) {
			text = strings.ReplaceAll(text, host, "{authority host}")
		}
	}
	if s.masker.Graph != "" {
		text = strings.ReplaceAll(text, s.masker.Graph, "{graph}")
	}
	return text
}

// names masks the names in a sentence: texts between quotation marks, and those at known places.
func (s *scope) names(text, where string) string {
	text = quotes.ReplaceAllStringFunc(text, func(value string) string {
		inner := strings.Trim(value, "'")
		if quoted[inner] || isMask(inner) {
			return value
		}
		if strings.HasPrefix(inner, "https://learn.microsoft.com/") || strings.Contains(inner, "graph.microsoft.com") {
			return value
		}
		return "'" + s.place("name", inner, where) + "'"
	})
	for _, one := range []*regexp.Regexp{inParentheses, named, ofApplication, ofDirectory, ofScope} {
		text = one.ReplaceAllStringFunc(text, func(value string) string {
			match := one.FindStringSubmatch(value)
			inner := match[1]
			if one == inParentheses || one == ofScope {
				inner = match[2]
			}
			if inner == "" || isMask(inner) || quoted[inner] || inner == "{EUII Hidden}" {
				return value
			}
			return strings.Replace(value, inner, s.place("name", inner, where), 1)
		})
	}
	return text
}

// isPublic reports whether a host belongs to Microsoft, so it names no tenant.
func isPublic(host string) bool {
	for _, domain := range []string{
		"microsoftonline.com", "microsoftonline.us", "microsoftonline.cn", "microsoftonline.de", "microsoft.com",
		"microsoft.us", "windows.net", "windows.com", "chinacloudapi.cn", "usgovcloudapi.net", "aka.ms",
		"sovcloud-identity.fr", "sovcloud-identity.de", "sovcloud-identity.sg",
	} {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return true
		}
	}
	return false
}
