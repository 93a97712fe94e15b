package upstream

import (
	"fmt"
	"net/http"
	"net/url"
)

// maxRedirects bounds how often an upstream may send a request on, as servers do between a path and
// the same with a slash.
const maxRedirects = 3

// send asks the upstream. It follows redirects that keep method and body (307, 308) and stay at the
// upstream's origin: the upstream itself says then that it did nothing yet. All others are errors:
// the caller is named in the request, and an address behind this server is not the caller's
// business.
func (p *Proxy) send(r *http.Request, body []byte) (*http.Response, error) {
	for range maxRedirects + 1 {
		answer, err := p.sender.send(r, body)
		if err != nil || answer.StatusCode < 300 || answer.StatusCode >= 400 ||
			answer.StatusCode == http.StatusNotModified {
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

// sameOrigin is where a redirect leads, if it keeps the request as it is and stays at the
// upstream's origin.
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
