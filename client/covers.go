package client

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// covers reports whether a token may go where a request goes, within the server's origin. The
// address has to be that of the server or of the resource that the token was issued for, or lie
// below one of them. Another path can be another server, to which a redirect must not take the
// token.
//
// A request that the caller makes itself may also take a token to the neighbours of the server: a
// server of MCP 2024-11-05 at /team-a/sse takes messages at /team-a/messages. A neighbour starts no
// sign-in.
func (t *Transport) covers(in *held, request *http.Request) bool {
	target := request.URL
	switch {
	case target.Opaque != "":
		return false
	case within(t.server, target), in != nil && in.resource != nil && within(in.resource, target):
		return true
	}
	redirected := request.Response != nil
	hasToken := in != nil && in.access != ""
	return !redirected && hasToken && below(folderOf(t.server), target.EscapedPath())
}

// folderOf is the path of an address before its last segment, without a slash at the end.
func folderOf(address *url.URL) string {
	path := strings.TrimSuffix(address.EscapedPath(), "/")
	return path[:max(0, strings.LastIndexByte(path, '/'))]
}

func (t *Transport) sameOrigin(address *url.URL) bool {
	return address.Scheme == t.server.Scheme && strings.EqualFold(address.Host, t.server.Host)
}

// within reports whether a path is that of a resource or lies below it. What a server could take
// for another path, such as one with dot segments, lies nowhere below.
func within(resource, target *url.URL) bool {
	base := strings.TrimSuffix(resource.EscapedPath(), "/")
	path := target.EscapedPath()
	if base == "" || path == base || path == resource.EscapedPath() {
		return true
	}
	return below(base, path)
}

// below reports whether a path lies below another one.
func below(base, path string) bool {
	rest, found := strings.CutPrefix(path, base+"/")
	return found && !strings.ContainsAny(rest, `%;\`) && !slices.ContainsFunc(strings.Split(rest, "/"), isDots)
}

func isDots(segment string) bool { return segment == "." || segment == ".." }

// resourceOf is the resource that a token was issued for, nil unless it is of the server's origin.
func (t *Transport) resourceOf(name string) *url.URL {
	parsed, err := url.Parse(name)
	if err != nil || !t.sameOrigin(parsed) {
		return nil
	}
	return parsed
}

// sendBare sends a request without a token.
func (t *Transport) sendBare(request *http.Request, body func() (io.ReadCloser, error)) (*http.Response, error) {
	bare := request.Clone(request.Context())
	bare.Header.Del("Authorization") // it may be for another server
	var err error
	if bare.Body, err = body(); err != nil {
		return nil, err
	}
	return t.config.Base.RoundTrip(bare)
}
