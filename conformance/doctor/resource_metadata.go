package doctor

import (
	"context"
	"fmt"
	"net/url"
	"strings"
)

// mostIssuers bounds the authorization servers that the walk visits.
const mostIssuers = 3

// resourceSeen is what the step resource-metadata collects.
type resourceSeen struct {
	w        *walk
	endpoint *url.URL
	places   []place
	misplace *place // below the path of the endpoint
	legacy   *place // metadata of an authorization server at the origin (MCP 2025-03-26)
	found    *place
	document map[string]any
	named    string // resource_metadata of the challenge
}

func (w *walk) resourceMetadata(ctx context.Context, step *Step) bool {
	seen := &resourceSeen{w: w, endpoint: w.endpoint, document: map[string]any{}}
	if w.challenged != nil {
		seen.named = w.challenged.metadataURL()
	}
	path := w.endpoint.EscapedPath()
	named := seen.named
	if differs(named, w.endpoint) == noURL {
		named = ""
	}
	seen.places = w.look(ctx, step,
		named,
		wellKnown(w.endpoint, "oauth-protected-resource", path),
		wellKnown(w.endpoint, "oauth-protected-resource", ""),
	)
	seen.found = firstDocument(seen.places)
	if seen.found != nil {
		seen.document = seen.found.document
	} else {
		below := originOf(w.endpoint) + strings.TrimSuffix(path, "/") + "/.well-known/oauth-protected-resource"
		seen.misplace = firstDocument(w.look(ctx, step, below))
		seen.legacy = firstDocument(w.look(ctx, step, wellKnown(w.endpoint, "oauth-authorization-server", "")))
	}
	w.resource = seen
	diagnose(step, seen, placeSymptoms)
	if seen.found != nil {
		diagnose(step, seen, resourceSymptoms)
	}
	step.fine("resource-metadata-complete", "the metadata names this endpoint and its authorization server")
	return seen.found != nil || seen.legacy != nil
}

// issuers returns the authorization servers to visit.
func (s *resourceSeen) issuers() []string {
	if s.found == nil {
		return []string{originOf(s.endpoint)}
	}
	all := list(s.document, "authorization_servers")
	return all[:min(len(all), mostIssuers)]
}

// scopes returns the scopes that a client asks for: the scopes of the challenge, or else all that
// the metadata lists.
func (w *walk) scopes() []string {
	if w.challenged != nil && w.challenged.bearer != nil {
		if named := strings.Fields(w.challenged.bearer.parameters["scope"]); len(named) > 0 {
			return named[:min(len(named), mostValues)]
		}
	}
	if w.resource == nil {
		return nil
	}
	return list(w.resource.document, "scopes_supported")
}

// seesPlace returns a row's func for places without a document. It shows nothing if another place
// has the document.
func seesPlace(fits func(*answer) bool) func(*resourceSeen) string {
	return func(s *resourceSeen) string {
		if s.found != nil {
			return ""
		}
		return s.w.found(s.places, fits)
	}
}

func (s *resourceSeen) seesNothing() string {
	if s.found != nil || s.misplace != nil || s.w.found(s.places, isAbsent) == "" || s.legacy != nil {
		return ""
	}
	return s.w.found(s.places, isAbsent)
}

func (s *resourceSeen) seesLegacy() string {
	if s.found != nil || s.legacy == nil {
		return ""
	}
	return "there is no protected resource metadata, only the metadata of an authorization server at the origin"
}

func (s *resourceSeen) seesMisplaced() string {
	if s.misplace == nil {
		return ""
	}
	return "the metadata is at " + s.w.secrets.Shown(s.misplace.address) + ", where no client looks"
}

// seesGap says which well-known place lacks the document that the challenge leads to.
func (s *resourceSeen) seesGap() string {
	if s.found == nil || s.found.address != s.named || len(s.places) < 2 {
		return ""
	}
	path := wellKnown(s.endpoint, "oauth-protected-resource", s.endpoint.EscapedPath())
	for _, p := range s.places {
		if p.address == path && p.document == nil {
			return s.w.found([]place{p}, func(*answer) bool { return true })
		}
	}
	return ""
}

func (s *resourceSeen) seesOtherDocument() string {
	for _, p := range s.places {
		isOther := p.document != nil && s.found != nil && text(p.document, "resource") != text(s.document, "resource")
		if isOther && text(p.document, "resource") != "" {
			return fmt.Sprintf("%s names the resource %q, and %s names %q",
				s.w.secrets.Shown(s.found.address), s.w.secrets.Shown(text(s.document, "resource")),
				s.w.secrets.Shown(p.address), s.w.secrets.Shown(text(p.document, "resource")))
		}
	}
	return ""
}

func (s *resourceSeen) seesNoResource() string {
	if text(s.document, "resource") != "" {
		return ""
	}
	return "the metadata has no member resource"
}

// seesResourceAt returns a row's func for a difference between the resource and the endpoint.
func seesResourceAt(which difference) func(*resourceSeen) string {
	return func(s *resourceSeen) string {
		resource := text(s.document, "resource")
		if resource == "" || differs(resource, s.endpoint) != which || which == otherPath && s.isParent() {
			return ""
		}
		return s.differing()
	}
}

func (s *resourceSeen) differing() string {
	return fmt.Sprintf("the metadata names the resource %q, and clients use %q",
		s.w.secrets.Shown(text(s.document, "resource")), s.w.secrets.Shown(s.endpoint.String()))
}

// isParent reports whether the resource is the origin, or a folder above the endpoint.
func (s *resourceSeen) isParent() bool {
	parsed, err := url.Parse(text(s.document, "resource"))
	if err != nil || parsed.RawQuery != "" {
		return false
	}
	return strings.HasPrefix(s.endpoint.EscapedPath(), strings.TrimSuffix(parsed.EscapedPath(), "/")+"/")
}

func (s *resourceSeen) seesParent() string {
	resource := text(s.document, "resource")
	if resource == "" || differs(resource, s.endpoint) != otherPath || !s.isParent() {
		return ""
	}
	return s.differing()
}

func (s *resourceSeen) seesNoIssuer() string {
	if len(list(s.document, "authorization_servers")) > 0 {
		return ""
	}
	return "the metadata has no authorization_servers"
}

func (s *resourceSeen) seesPlainIssuer() string {
	for _, issuer := range s.issuers() {
		parsed, err := url.Parse(issuer)
		if err != nil || parsed.Host == "" {
			return fmt.Sprintf("the authorization server %q is not a whole URL", s.w.secrets.Shown(issuer))
		}
		if parsed.Scheme == "http" && !(s.w.network.zone == machine && isLocalName(parsed.Hostname())) {
			return fmt.Sprintf("the authorization server %q has plain http", s.w.secrets.Shown(issuer))
		}
	}
	return ""
}

func (s *resourceSeen) seesInsideIssuer() string {
	for _, issuer := range s.issuers() {
		parsed, err := url.Parse(issuer)
		if err == nil && s.w.network.zone != machine && isLocalName(parsed.Hostname()) {
			return fmt.Sprintf("the authorization server %q has a name that only its own machine or network knows",
				s.w.secrets.Shown(issuer))
		}
	}
	return ""
}

func (s *resourceSeen) seesNoCORS() string {
	if s.found.answer.header.Get("Access-Control-Allow-Origin") != "" {
		return ""
	}
	return "the metadata has no Access-Control-Allow-Origin"
}
