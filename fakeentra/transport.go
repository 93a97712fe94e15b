package fakeentra

import (
	"fmt"
	"net/http"
	"slices"

	"mcpentra/fakeentra/internal/inproc"
)

// Client reaches the fake without a port: requests to its own host, and to Microsoft's, are
// answered by a call. A request to any other host is an error, so that a test never leaves the
// machine by accident. Bodies stream in both directions, and a request ends with its context.
func (f *Fake) Client() *http.Client {
	return &http.Client{Transport: roundTripper(f.roundTrip)}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

func (f *Fake) roundTrip(request *http.Request) (*http.Response, error) {
	if own := request.URL.Scheme + "://" + request.URL.Host; !f.answersFor(own) {
		if request.Body != nil {
			request.Body.Close()
		}
		return nil, fmt.Errorf("fakeentra: %s is not a host of this fake, and its client reaches no other", own)
	}
	return inproc.RoundTrip(f, request)
}

// answersFor reports whether an origin is one of the fake's.
func (f *Fake) answersFor(origin string) bool {
	return origin == f.authority || origin == f.backchannel || origin == f.graphURL || origin == f.cloud.graph ||
		slices.ContainsFunc(f.cloud.aliases, func(alias string) bool { return origin == "https://"+alias })
}
