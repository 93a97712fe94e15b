package fakeentra

import (
	"fmt"
	"net/http"
	"slices"

	"mcpentra/fakeentra/internal/inproc"
)

// Client reaches the fake without a port. It answers requests to the fake's own host and to
// Microsoft's by a call. A request to any other host is an error, so that a test never leaves the
// machine by accident. Bodies stream in both directions, and a request ends with its context.
func (f *Fake) Client() *http.Client { return &http.Client{Transport: transport{f}} }

// A transport hands requests to a fake in the same process.
type transport struct{ fake *Fake }

// RoundTrip answers a request to a host of the fake.
func (t transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if origin := request.URL.Scheme + "://" + request.URL.Host; !t.reaches(origin) {
		if request.Body != nil {
			request.Body.Close()
		}
		return nil, fmt.Errorf("fakeentra: %s is not a host of this fake, and its client reaches no other", origin)
	}
	return inproc.RoundTrip(t.fake, request)
}

// reaches reports whether an origin is one of the fake's.
func (t transport) reaches(origin string) bool {
	f := t.fake
	return origin == f.authority || origin == f.backchannel || origin == f.graphURL || origin == f.cloud.graph ||
		slices.ContainsFunc(f.cloud.aliases, func(alias string) bool { return origin == "https://"+alias })
}
