package fakeentra

import (
	"fmt"
	"net/http"
	"slices"

	"mcpentra/fakeentra/internal/inproc"
	"mcpentra/fakeentra/internal/managedidentity"
)

// Client returns an HTTP client that calls the fake without a port. The fake answers for its own
// host, for Microsoft's hosts, and for 169.254.169.254, where machines get managed identity tokens.
// A request to any other host fails, so a test never leaves the machine by accident. Bodies stream
// in both directions, and a request ends with its context.
func (f *Fake) Client() *http.Client { return &http.Client{Transport: transport{f}} }

// A transport hands requests to a fake in the same process.
type transport struct{ fake *Fake }

// RoundTrip answers a request to a host of the fake.
func (t transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if origin := request.URL.Scheme + "://" + request.URL.Host; !t.reaches(origin) {
		if request.Body != nil {
			request.Body.Close()
		}
		return nil, fmt.Errorf("fakeentra: %s is not a host of this fake; its client reaches only the fake", origin)
	}
	return inproc.RoundTrip(t.fake, request)
}

// reaches reports whether the fake answers for an origin.
func (t transport) reaches(origin string) bool {
	f := t.fake
	isAlias := func(alias string) bool { return origin == "https://"+alias }
	azureADGraph := "https://" + f.cloud.azureADGraph
	hosts := []string{
		f.authority,
		f.backchannel,
		f.graphURL,
		f.cloud.graph,
		azureADGraph,
		managedidentity.MetadataOrigin,
	}
	return slices.Contains(hosts, origin) ||
		slices.ContainsFunc(f.cloud.aliases, isAlias)
}
