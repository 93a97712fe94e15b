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
	// Location is the address that the document was found at.
	Location string `json:"-"`
}

// ErrNoMetadata says that a server has no protected resource metadata at all, as those of MCP
// 2025-03-26.
var ErrNoMetadata = errors.New("discovery: the server has no protected resource metadata")

// An OtherResourceError says that metadata describes another resource than the server.
type OtherResourceError struct {
	// Resource is what the document at Location describes, as the server wrote it.
	Location, Resource string

	server, hint string
}

func (e *OtherResourceError) Error() string {
	return fmt.Sprintf("discovery: %s describes %q, not %s%s", e.Location, clip(e.Resource), e.server, e.hint)
}

const resourceWellKnown = "/.well-known/oauth-protected-resource"

// maxAuthorizationServers bounds the list in a document.
const maxAuthorizationServers = 16

// FindResource gets the protected resource metadata of an MCP server: where the challenge says, or
// else at the well-known location with the server's path, or else at the root. A document that is
// there but does not fit is an error; only where there is none at all it is ErrNoMetadata.
func (f *Fetcher) FindResource(ctx context.Context, server *url.URL, challenged string) (*Resource, error) {
	if parsed, err := url.Parse(challenged); err != nil || parsed.Scheme == "" || parsed.Host == "" {
		challenged = "" // nothing, or no absolute URL, which RFC 9728 section 5.1 wants
	}
	match := fits
	if f.ResourceAbove {
		match = covers
	}
	if challenged != "" {
		if _, err := CheckURL(challenged, server); err != nil {
			return nil, fmt.Errorf("discovery: resource_metadata in the challenge: %w", err)
		}
		return f.resource(ctx, challenged, server, match)
	}
	origin := server.Scheme + "://" + server.Host
	candidates := []string{
		origin + resourceWellKnown + strings.TrimSuffix(server.EscapedPath(), "/"),
		origin + resourceWellKnown,
	}
	if candidates[0] == candidates[1] {
		candidates = candidates[:1]
	}
	for i, candidate := range candidates {
		if i > 0 {
			match = covers // the document at the root may describe all of the origin
		}
		found, err := f.resource(ctx, candidate, server, match)
		if err == nil || !errors.Is(err, errAbsent) {
			return found, err
		}
	}
	return nil, ErrNoMetadata
}

func (f *Fetcher) resource(
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
		return nil, fmt.Errorf("discovery: %s does not say which resource it describes", location)
	}
	// A document for another resource would have us get a token for that one (RFC 9728 section
	// 3.3).
	described, err := url.Parse(found.Resource)
	if err != nil || !match(described, server) {
		hint := ""
		if err == nil && covers(described, server) {
			hint = "; --resource-above (Relax.ResourceAbove) takes a resource above the server's path"
		}
		return nil, &OtherResourceError{
			Location: location,
			Resource: found.Resource,
			server:   server.String(),
			hint:     hint,
		}
	}
	if len(found.AuthorizationServers) == 0 || len(found.AuthorizationServers) > maxAuthorizationServers {
		return nil, fmt.Errorf(
			"discovery: %s names %d authorization servers, want 1 to %d",
			location,
			len(found.AuthorizationServers),
			maxAuthorizationServers,
		)
	}
	return found, nil
}

// fits reports whether a resource is the server: the same URL, but for the case of scheme and host
// and a slash at the end. A query of the server's URL, such as a key, need not be in its resource.
func fits(resource, server *url.URL) bool {
	return sameOrigin(resource, server) && resource.Fragment == "" && fitsQuery(resource, server) &&
		strings.TrimSuffix(resource.EscapedPath(), "/") == strings.TrimSuffix(server.EscapedPath(), "/")
}

func fitsQuery(resource, server *url.URL) bool {
	return resource.RawQuery == "" || resource.RawQuery == server.RawQuery
}

// covers reports whether a resource is the server or one of the paths above it.
func covers(resource, server *url.URL) bool {
	above := strings.TrimSuffix(resource.EscapedPath(), "/") + "/"
	isAbove := resource.RawQuery == "" && strings.HasPrefix(server.EscapedPath()+"/", above)
	return sameOrigin(resource, server) && resource.Fragment == "" && (isAbove || fits(resource, server))
}

func sameOrigin(a, b *url.URL) bool {
	return strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(a.Host, b.Host) && a.User == nil && b.User == nil
}
