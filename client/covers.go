package client

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// covers reports whether a token may go to an address of the server's origin. The address has to be that
// of the server or of the resource that the token was issued for, or lie below one of them. Another path
// can be another server, to which a redirect must not take the token.
func (t *Transport) covers(in *held, target *url.URL) bool {
	if target.Opaque != "" {
		return false
	}
	return within(t.server, target) || in != nil && in.resource != nil && within(in.resource, target)
}

func (t *Transport) sameOrigin(address *url.URL) bool {
	return address.Scheme == t.server.Scheme && strings.EqualFold(address.Host, t.server.Host)
}

// within reports whether a path is that of a resource or lies below it. What a server could take for
// another path, such as one with dot segments, lies nowhere below.
func within(resource, target *url.URL) bool {
	base, path := strings.TrimSuffix(resource.EscapedPath(), "/"), target.EscapedPath()
	if base == "" || path == base || path == resource.EscapedPath() {
		return true
	}
	rest, below := strings.CutPrefix(path, base+"/")
	return below && !strings.ContainsAny(rest, `%;\`) && !slices.ContainsFunc(strings.Split(rest, "/"), isDots)
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
