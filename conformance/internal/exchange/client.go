package exchange

import (
	"net/http"

	"mcpentra/conformance/loopback"
)

// MaxHeader bounds the head of an answer, in bytes.
const MaxHeader = 256 << 10

// NewClient returns an HTTP client for one check. It follows no redirects and keeps no cookies. It
// has the transport of own, or connections of its own if own is nil.
func NewClient(own *http.Client) *http.Client {
	client := http.Client{Transport: &http.Transport{
		DialContext:            loopback.Dial,
		ForceAttemptHTTP2:      true,
		MaxResponseHeaderBytes: MaxHeader,
	}}
	if own != nil {
		client = *own
	}
	client.Jar = nil
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}
