package exchange

import (
	"net/http"
	"time"

	"mcpentra/conformance/loopback"
)

// MaxHeader bounds the head of an answer, in bytes.
const MaxHeader = 256 << 10

// IdleTimeout is how long an idle connection is kept. Many servers close one after five seconds
// (Node.js, Apache), some after two. A request that meets this moment gets no answer, and a check
// would blame the server.
const IdleTimeout = 1500 * time.Millisecond

// NewClient returns an HTTP client for one check. It follows no redirects and keeps no cookies. It
// has the transport of own, or connections of its own if own is nil.
func NewClient(own *http.Client) *http.Client {
	client := http.Client{Transport: &http.Transport{
		DialContext:            loopback.Dial,
		ForceAttemptHTTP2:      true,
		IdleConnTimeout:        IdleTimeout,
		MaxResponseHeaderBytes: MaxHeader,
	}}
	if own != nil {
		client = *own
	}
	client.Jar = nil
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}
