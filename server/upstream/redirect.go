package upstream

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// maxRedirects bounds how often an upstream may send a request on, as servers do between a path and the same with a
// slash.
const maxRedirects = 3

// sameOrigin follows redirects that keep method and body (307, 308) and stay at the upstream's origin. All others are
// errors: the caller is named in the request, and an address behind this server is none of the caller's business.
type sameOrigin struct {
	next   http.RoundTripper
	target *url.URL
}

func (s *sameOrigin) RoundTrip(r *http.Request) (*http.Response, error) {
	// The guard has read the body, so that it can be sent again.
	var body []byte
	if r.Body != nil && r.Body != http.NoBody {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		_ = r.Body.Close()
	}
	for range maxRedirects + 1 {
		sent := r.Clone(r.Context())
		if body != nil {
			sent.Body, sent.GetBody = bodyOf(body), func() (io.ReadCloser, error) { return bodyOf(body), nil }
			sent.ContentLength = int64(len(body))
		}
		answer, err := s.next.RoundTrip(sent)
		if err != nil || answer.StatusCode < 300 || answer.StatusCode >= 400 || answer.StatusCode == http.StatusNotModified {
			return answer, err
		}
		_ = answer.Body.Close()
		where, err := r.URL.Parse(answer.Header.Get("Location"))
		kept := answer.StatusCode == http.StatusTemporaryRedirect || answer.StatusCode == http.StatusPermanentRedirect
		if err != nil || answer.Header.Get("Location") == "" || !kept || where.Scheme != s.target.Scheme || where.Host != s.target.Host || where.User != nil {
			return nil, fmt.Errorf("the upstream answered %d, a redirect that is not followed: set its URL to where the endpoint is", answer.StatusCode)
		}
		r = r.Clone(r.Context())
		r.URL = where
	}
	return nil, fmt.Errorf("the upstream redirects more than %d times", maxRedirects)
}

func bodyOf(text []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(text)) }
