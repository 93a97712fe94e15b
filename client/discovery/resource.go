package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Resource is protected resource metadata (RFC 9728 section 2).
type Resource struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers"`
	Scopes               []string `json:"scopes_supported"`
	Name                 string   `json:"resource_name"`
	DPoPRequired         bool     `json:"dpop_bound_access_tokens_required"`
	// Location is the address of the document.
	Location string `json:"-"`
}

// ErrNoMetadata says that a server has no protected resource metadata. Servers of MCP 2025-03-26
// have none.
var ErrNoMetadata = errors.New("discovery: the server has no protected resource metadata")

const resourceWellKnown = "/.well-known/oauth-protected-resource"

// maxAuthorizationServers bounds the list in a document.
const maxAuthorizationServers = 16

// FindResource fetches the protected resource metadata of an MCP server. It looks at the address in
// the challenge; without one, it looks at the well-known address with the server's path, and then
// at the root. ErrNoMetadata says that there is no document at all. A document that breaks a rule
// is another error.
func (f *Fetcher) FindResource(ctx context.Context, server *url.URL, challenged string) (*Resource, error) {
	match := isServer
	if f.ResourceAbove {
		match = coversServer
	}
	if isAbsolute(challenged) {
		if _, err := CheckURL(challenged, server); err != nil {
			return nil, fmt.Errorf("discovery: resource_metadata in the challenge: %w", err)
		}
		return f.fetchResource(ctx, challenged, server, match)
	}
	origin := server.Scheme + "://" + server.Host
	locations := []string{
		origin + resourceWellKnown + strings.TrimSuffix(server.EscapedPath(), "/"),
		origin + resourceWellKnown,
	}
	if locations[0] == locations[1] {
		locations = locations[:1]
	}
	for i, location := range locations {
		if i > 0 {
			match = coversServer // the document at the root may describe the whole origin
		}
		found, err := f.fetchResource(ctx, location, server, match)
		if err == nil || !errors.Is(err, errAbsent) {
			return found, err
		}
	}
	return nil, ErrNoMetadata
}

// isAbsolute reports whether an address is an absolute URL, as RFC 9728 section 5.1 requires. Other
// addresses in a challenge count as absent.
func isAbsolute(address string) bool {
	parsed, err := url.Parse(address)
	return err == nil && parsed.Scheme != "" && parsed.Host != ""
}

// fetchResource fetches metadata from one location, and checks it. A token for another resource
// would be good for that resource's server (RFC 9728 section 3.3).
func (f *Fetcher) fetchResource(
	ctx context.Context,
	location string,
	server *url.URL,
	match func(resource, server *url.URL) bool,
) (*Resource, error) {
	found := &Resource{Location: location}
	if err := f.get(ctx, location, found); err != nil {
		return nil, err
	}
	if found.Resource == "" {
		return nil, fmt.Errorf("discovery: want the member resource in %s, got none", location)
	}
	described, err := url.Parse(found.Resource)
	if err != nil || !match(described, server) {
		return nil, &OtherResourceError{
			Location: location,
			Resource: found.Resource,
			server:   server.String(),
			isAbove:  err == nil && coversServer(described, server),
		}
	}
	if len(found.AuthorizationServers) == 0 || len(found.AuthorizationServers) > maxAuthorizationServers {
		return nil, fmt.Errorf(
			"discovery: want 1 to %d authorization_servers in %s, got %d",
			maxAuthorizationServers,
			location,
			len(found.AuthorizationServers),
		)
	}
	return found, nil
}
