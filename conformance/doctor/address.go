package doctor

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"
)

// A difference says in which part two URLs differ first.
type difference string

// The differences, in the order of their search.
const (
	none       difference = ""
	noURL      difference = "url"
	otherHost  difference = "host"
	otherWay   difference = "scheme"
	otherPort  difference = "port"
	otherSlash difference = "slash"
	otherPath  difference = "path"
)

// differs compares a URL that the deployment names with the one that clients use.
func differs(named string, used *url.URL) difference {
	parsed, err := url.Parse(named)
	switch {
	case err != nil, parsed.Host == "", len(named) > maxAddress:
		return noURL
	case !strings.EqualFold(parsed.Hostname(), used.Hostname()):
		return otherHost
	case parsed.Scheme != used.Scheme:
		return otherWay
	case hostPort(parsed) != hostPort(used):
		return otherPort
	case pathOf(parsed) == pathOf(used) && parsed.RawQuery == used.RawQuery:
		return none
	case strings.TrimSuffix(pathOf(parsed), "/") == strings.TrimSuffix(pathOf(used), "/"):
		return otherSlash
	}
	return otherPath
}

// pathOf returns the path of a URL. An empty path is the same as a slash (RFC 3986 section 6.2.3).
func pathOf(address *url.URL) string {
	if path := address.EscapedPath(); path != "" {
		return path
	}
	return "/"
}

// originOf returns the scheme, host and port of a URL.
func originOf(address *url.URL) string { return address.Scheme + "://" + address.Host }

// isLocalName reports whether a host is a name or an address of one machine or one network.
func isLocalName(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return zoneOfIP(ip) > public
	}
	host = strings.ToLower(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".local") ||
		strings.HasSuffix(host, ".internal") || !strings.Contains(host, ".")
}

// wellKnown returns the address of a well-known document of an origin (RFC 8615). RFC 8414 and RFC
// 9728 put the path of the identifier behind it.
func wellKnown(base *url.URL, name, path string) string {
	return originOf(base) + "/.well-known/" + name + strings.TrimSuffix(path, "/")
}

// userInfo matches the user name and password before the host of a URL, also without a scheme.
var userInfo = regexp.MustCompile(`(^|//)[^/?#]*@`)

// ShownAddress returns a URL as a report may show it: without user name and password, and without
// the values of its query. It need not be a valid URL.
func ShownAddress(address string) string {
	address = userInfo.ReplaceAllString(address, "${1}…@")
	before, query, found := strings.Cut(address, "?")
	if !found {
		return address
	}
	parameters := strings.Split(query, "&")
	for i, parameter := range parameters {
		name, _, hasValue := strings.Cut(parameter, "=")
		parameters[i] = "…"
		if hasValue {
			parameters[i] = name + "=…"
		}
	}
	return before + "?" + strings.Join(parameters, "&")
}

// hideKeys masks the values of the endpoint's query in all texts of the report, because people put
// keys there.
func (w *walk) hideKeys() {
	parsed, err := url.Parse(strings.TrimSpace(w.config.URL))
	if err != nil {
		return
	}
	for name, values := range parsed.Query() {
		w.secrets.Add(values...)
		for _, value := range values {
			w.secrets.Add(url.QueryEscape(value))
			if value == "" {
				w.secrets.Add(name, url.QueryEscape(name)) // the whole query is the key
			}
		}
	}
}
