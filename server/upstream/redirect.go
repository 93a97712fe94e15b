package upstream

import (
	"fmt"
	"net/http"
	"net/url"
)

// maxRedirects is how many redirects of an upstream are followed. Servers redirect between a path
// and the same path with a slash.
const maxRedirects = 3

// send sends a request to the upstream. It follows redirects that keep method and body (307, 308)
// and stay at the upstream's origin: with these, the upstream says that it has done nothing yet.
// Other redirects are errors. The proxy must not name the caller to another origin, and must not
// show the caller an address behind this server.
func (p *Proxy) send(r *http.Request, body []byte) (*http.Response, error) {
	for range maxRedirects + 1 {
		answer, err := p.sender.send(r, body)
		if err != nil || !isRedirect(answer.StatusCode) {
			return answer, err
		}
		_ = answer.Body.Close()
		next, found := sameOrigin(p.target, r.URL, answer)
		if !found {
			return nil, fmt.Errorf("the upstream answered %d, a redirect that is not followed: set its URL to "+
				"where the endpoint is", answer.StatusCode)
		}
		r = r.Clone(r.Context())
		r.URL = next
	}
	return nil, fmt.Errorf("the upstream redirects more than %d times", maxRedirects)
}

func isRedirect(status int) bool {
	return status >= 300 && status < 400 && status != http.StatusNotModified
}

// sameOrigin returns the URL that a redirect leads to. It finds none if the redirect changes the
// method or leaves the upstream's origin.
func sameOrigin(target, asked *url.URL, answer *http.Response) (next *url.URL, found bool) {
	location := answer.Header.Get("Location")
	kept := answer.StatusCode == http.StatusTemporaryRedirect || answer.StatusCode == http.StatusPermanentRedirect
	if location == "" || !kept {
		return nil, false
	}
	next, err := asked.Parse(location)
	if err != nil || next.Scheme != target.Scheme || next.Host != target.Host || next.User != nil {
		return nil, false
	}
	return next, true
}
