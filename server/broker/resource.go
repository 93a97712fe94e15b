package broker

import (
	"net/url"
	"slices"
	"strings"
)

// isResource reports whether a resource indicator means this server's MCP endpoint (RFC 8707
// section 2). The case of scheme and host does not count. Neither does one slash at the end: URL
// libraries add it to an origin, and people add it to a path.
func (b *Broker) isResource(asked string) bool {
	return sameResource(asked, b.config.Resource) ||
		slices.ContainsFunc(b.config.OtherResources, func(other string) bool { return sameResource(asked, other) })
}

func sameResource(asked, resource string) bool {
	if asked == resource {
		return true
	}
	if strings.Contains(asked, "#") {
		return false
	}
	got, errGot := url.Parse(asked)
	want, errWant := url.Parse(resource)
	if errGot != nil || errWant != nil || got.User != nil {
		return false
	}
	return strings.EqualFold(got.Scheme, want.Scheme) &&
		strings.EqualFold(got.Host, want.Host) &&
		withoutSlash(got.EscapedPath()) == withoutSlash(want.EscapedPath()) &&
		got.RawQuery == want.RawQuery
}

func withoutSlash(path string) string { return strings.TrimSuffix(path, "/") }

// foreignResource refuses a token for another resource.
func (b *Broker) foreignResource(asked string) *protocolError {
	return badRequest("invalid_target", "this server issues tokens for "+b.config.Resource+" only").
		saw("resource", seenURL(asked)).allowedBy(settingPublic + " and MCP_PATH")
}
