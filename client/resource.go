package client

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// covers reports whether a token may go with a request to the server's origin. The URL must be the
// server's, or the resource that the token was issued for, or a path below one of them. Any other
// path may be another server, and a redirect must not take the token there.
//
// A request that the caller makes itself may also take a token to the neighbours of the server: a
// server of MCP 2024-11-05 at /team-a/sse receives messages at /team-a/messages. A neighbour starts
// no sign-in.
func covers(server *url.URL, token *currentToken, request *http.Request) bool {
	target := request.URL
	switch {
	case target.Opaque != "":
		return false
	case within(server, target):
		return true
	case token == nil:
		return false
	case token.resource != nil && within(token.resource, target):
		return true
	}
	redirected := request.Response != nil
	return !redirected && token.access != "" && below(folderOf(server), target.EscapedPath())
}

func sameOrigin(server, address *url.URL) bool {
	return address.Scheme == server.Scheme && strings.EqualFold(address.Host, server.Host)
}

// within reports whether a URL is a resource or a path below it.
func within(resource, target *url.URL) bool {
	base := strings.TrimSuffix(resource.EscapedPath(), "/")
	path := target.EscapedPath()
	if base == "" || path == base || path == resource.EscapedPath() {
		return true
	}
	return below(base, path)
}

// below reports whether a path is below another one. A path that a server could resolve to another
// place, such as one with dot segments, is not.
func below(base, path string) bool {
	rest, found := strings.CutPrefix(path, base+"/")
	return found && !strings.ContainsAny(rest, `%;\`) && !slices.ContainsFunc(strings.Split(rest, "/"), isDots)
}

func isDots(segment string) bool { return segment == "." || segment == ".." }

// folderOf returns the path of a URL without its last segment, and without a slash at the end.
func folderOf(address *url.URL) string {
	path := strings.TrimSuffix(address.EscapedPath(), "/")
	return path[:max(0, strings.LastIndexByte(path, '/'))]
}

// resourceOf returns the resource that a token was issued for. It is nil if the server's origin is
// another.
func resourceOf(server *url.URL, name string) *url.URL {
	parsed, err := url.Parse(name)
	if err != nil || !sameOrigin(server, parsed) {
		return nil
	}
	return parsed
}
