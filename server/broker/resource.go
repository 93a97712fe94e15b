package broker

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"mcpentra/server/loopback"
)

// A Resource is a protected resource besides the MCP endpoint: a server elsewhere that accepts the
// broker's access tokens (RFC 8707, RFC 9728). URL and Scopes are required.
type Resource struct {
	// URL is the resource indicator, and the audience of the resource's tokens. It is https, or
	// http on loopback, without a query or fragment.
	URL string
	// Name is the resource's name on the consent page. Empty means the host and path of URL.
	Name string
	// Scopes are the resource's own scopes. A client that asks for none gets the first one.
	Scopes []Scope
}

// A resource is a resource of the Config: the MCP endpoint, which comes first, or another one.
type resource struct {
	Resource
	aliases []string // other URLs of the same resource
	prefix  string   // of the IDs of its scopes
}

// newResources checks the resources of a Config.
func newResources(config Config) ([]*resource, error) {
	primary := &resource{
		Resource: Resource{URL: config.Resource, Name: config.ResourceName, Scopes: config.Scopes},
		aliases:  config.OtherResources,
	}
	if err := primary.checkScopes(); err != nil {
		return nil, fmt.Errorf("broker: Scopes: %w", err)
	}
	all := []*resource{primary}
	for i, described := range config.Resources {
		made := &resource{Resource: described, prefix: described.URL + idSeparator}
		err := made.check(all)
		if err != nil {
			return nil, fmt.Errorf("broker: %s: resource %d (%s): %w", settingResources, i+1, described.URL, err)
		}
		all = append(all, made)
	}
	return all, nil
}

// check checks a resource that follows others, and gives it a name.
func (r *resource) check(earlier []*resource) error {
	parsed, err := url.Parse(r.URL)
	switch {
	case err != nil || parsed.Host == "" || parsed.User != nil:
		return errors.New("want an absolute URL, such as https://files.example.com/mcp")
	case parsed.Scheme != "https" && !(parsed.Scheme == "http" && loopback.IsHost(parsed.Hostname())):
		return errors.New("want https, or http on loopback")
	case strings.ContainsAny(r.URL, "?#"), strings.ContainsFunc(r.URL, notInURI):
		return errors.New("want a URL without a query, a fragment and blanks (RFC 8707 section 2)")
	case strings.ToLower(parsed.Host) != parsed.Host:
		return errors.New("want the host in lower case, because resource servers compare each byte of aud")
	}
	for _, other := range earlier {
		if other.is(r.URL) {
			return fmt.Errorf("it is the same resource as %s", other.URL)
		}
	}
	if r.Name == "" {
		r.Name = parsed.Host + withoutSlash(parsed.Path)
	}
	return r.checkScopes()
}

// is reports whether a resource indicator means this resource. The case of scheme and host does not
// count. Neither does one slash at the end: URL libraries add it to an origin, and people add it to
// a path.
func (r *resource) is(asked string) bool {
	return sameResource(asked, r.URL) ||
		slices.ContainsFunc(r.aliases, func(alias string) bool { return sameResource(asked, alias) })
}

func sameResource(asked, resource string) bool {
	if asked == resource {
		return true
	}
	if strings.Contains(asked, "#") {
		return false
	}
	got, errGot := url.Parse(asked)
	want, errWant := url.Parse(resource)
	if errGot != nil || errWant != nil || got.User != nil {
		return false
	}
	return strings.EqualFold(got.Scheme, want.Scheme) &&
		strings.EqualFold(got.Host, want.Host) &&
		withoutSlash(got.EscapedPath()) == withoutSlash(want.EscapedPath()) &&
		got.RawQuery == want.RawQuery
}

func withoutSlash(path string) string { return strings.TrimSuffix(path, "/") }

// primary returns the resource that a request without a resource parameter means: the MCP endpoint.
func (b *Broker) primary() *resource { return b.resources[0] }

// hasSeveral reports whether people and programs have to tell resources apart.
func (b *Broker) hasSeveral() bool { return len(b.resources) > 1 }

// resourceURLs returns the URLs of all resources: the audiences of access tokens.
func (b *Broker) resourceURLs() []string {
	var urls []string
	for _, r := range b.resources {
		urls = append(urls, r.URL)
	}
	return urls
}

// resourceAt returns the resource that an indicator means, or nil.
func (b *Broker) resourceAt(asked string) *resource {
	for _, r := range b.resources {
		if r.is(asked) {
			return r
		}
	}
	return nil
}

// selectResource returns the one resource that the values of the parameter resource mean (RFC 8707
// section 2). Without values, it is the MCP endpoint. A grant is for one resource, so values that
// mean different resources are refused.
func (b *Broker) selectResource(values []string) (*resource, *protocolError) {
	var selected *resource
	for _, asked := range values {
		found := b.resourceAt(asked)
		switch {
		case found == nil:
			return nil, b.foreignResource(asked)
		case selected != nil && found != selected:
			return nil, badRequest("invalid_target", "a token is for one resource: ask for each resource by itself").
				saw("resource", seenURLs(values))
		}
		selected = found
	}
	if selected == nil {
		selected = b.primary()
	}
	return selected, nil
}

// foreignResource refuses a token for a resource that the broker does not have.
func (b *Broker) foreignResource(asked string) *protocolError {
	setting := settingPublic + " and MCP_PATH"
	if b.hasSeveral() {
		setting += ", or " + settingResources
	}
	issued := strings.Join(b.resourceURLs(), " and ")
	return badRequest("invalid_target", "this server issues tokens for "+issued+" only").
		saw("resource", seenURL(asked)).allowedBy(setting)
}

// checkResource refuses a token request that names another resource than the person has approved
// (RFC 8707 section 2.2).
func (b *Broker) checkResource(values, scopes []string) *protocolError {
	if len(values) == 0 {
		return nil
	}
	asked, problem := b.selectResource(values)
	if problem != nil {
		return problem
	}
	if approved := b.resourceOf(scopes); asked.URL != approved.URL {
		return badRequest("invalid_target", "the person approved access to "+approved.URL+": "+
			"a token for another resource needs an authorization of its own").
			saw("resource", asked.URL).saw("approved", approved.URL)
	}
	return nil
}
