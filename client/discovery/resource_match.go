package discovery

import (
	"fmt"
	"net/url"
	"strings"

	"mcpentra/client/internal/printable"
)

// An OtherResourceError says that metadata describes another resource than the server.
type OtherResourceError struct {
	// Location is the address of the document.
	Location string
	// Resource is the described resource, as the document has it.
	Resource string

	server  string
	isAbove bool // Relax.ResourceAbove would accept the resource
}

func (e *OtherResourceError) Error() string {
	got := printable.Text(e.Resource)
	text := fmt.Sprintf("discovery: %s describes another resource: want %s, got %q", e.Location, e.server, got)
	if e.isAbove {
		text += "; --resource-above (Relax.ResourceAbove) accepts a resource above the server's path"
	}
	return text
}

// isServer reports whether a resource is the server. The case of scheme and host does not matter,
// nor a slash at the end. The resource may leave out the query of the server's URL.
func isServer(resource, server *url.URL) bool {
	return sameOrigin(resource, server) && resource.Fragment == "" && hasNoOtherQuery(resource, server) &&
		strings.TrimSuffix(resource.EscapedPath(), "/") == strings.TrimSuffix(server.EscapedPath(), "/")
}

func hasNoOtherQuery(resource, server *url.URL) bool {
	return resource.RawQuery == "" || resource.RawQuery == server.RawQuery
}

// coversServer reports whether a resource is the server, or a path above the server's.
func coversServer(resource, server *url.URL) bool {
	above := strings.TrimSuffix(resource.EscapedPath(), "/") + "/"
	isAbove := resource.RawQuery == "" && strings.HasPrefix(server.EscapedPath()+"/", above)
	return sameOrigin(resource, server) && resource.Fragment == "" && (isAbove || isServer(resource, server))
}
