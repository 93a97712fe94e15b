package guard

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
)

// wellKnown is inserted between host and path of the resource (RFC 9728 section 3.1).
const wellKnown = "/.well-known/oauth-protected-resource"

// slashed is the resource for clients that write a slash at the end of its URL. The resource in the
// metadata has to be the very URL that the client uses (RFC 9728 section 3.3).
type slashed struct {
	path     string // of the endpoint; "" where it is an origin, whose URL with a slash is the same
	document []byte
}

func newSlashed(resource *url.URL, cfg Config) (slashed, error) {
	cfg.Resource += "/"
	document, err := metadataDocument(cfg)
	if err != nil || resource.Path == "" {
		return slashed{document: document}, err
	}
	return slashed{resource.Path + "/", document}, nil
}

// MetadataPath is the path at which [Guard.Metadata] has to be mounted, and with a slash at the end
// where the endpoint can be called with one.
func (g *Guard) MetadataPath() string { return g.path }

// Metadata serves the protected resource metadata (RFC 9728). It needs no token, and everybody may
// read it, web pages included.
func (g *Guard) Metadata() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Access-Control-Allow-Origin", "*")
		switch r.Method {
		case http.MethodGet, http.MethodHead:
		case http.MethodOptions:
			// MCP clients in web pages send this header with discovery requests.
			header.Set("Access-Control-Allow-Methods", "GET, HEAD")
			header.Set("Access-Control-Allow-Headers", "MCP-Protocol-Version")
			w.WriteHeader(http.StatusNoContent)
			return
		default:
			header.Set("Allow", "GET, HEAD, OPTIONS")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		header.Set("Content-Type", "application/json")
		header.Set("Cache-Control", "public, max-age=300")
		header.Set("X-Content-Type-Options", "nosniff")
		document := g.document
		if r.URL.Path == g.path+"/" {
			document = g.slashed.document
		}
		header.Set("Content-Length", strconv.Itoa(len(document)))
		w.WriteHeader(http.StatusOK)
		if r.Method == http.MethodGet {
			_, _ = w.Write(document)
		}
	})
}

func metadataDocument(cfg Config) ([]byte, error) {
	if len(cfg.AuthorizationServers) == 0 {
		return nil, errors.New("guard: there is no authorization server that tokens could be had from")
	}
	for _, issuer := range cfg.AuthorizationServers {
		u, err := url.Parse(issuer)
		if err != nil || u.Host == "" || u.User != nil || !secure(u) || strings.ContainsAny(issuer, "?#") {
			return nil, fmt.Errorf(
				"guard: the authorization server %q is not an https URL, or http on loopback, without query and fragment",
				issuer,
			)
		}
	}
	supported := cfg.ScopesSupported
	if supported == nil {
		supported = cfg.Scopes
	}
	for _, scope := range slices.Concat(cfg.Scopes, supported) {
		if !isScopeToken(cfg.ScopePrefix+scope) || scope == "" {
			return nil, fmt.Errorf("guard: %q is not a scope (RFC 6749 section 3.3)", scope)
		}
		if scope == "offline_access" {
			return nil, errors.New(
				"guard: offline_access is between client and authorization server, no resource may ask for it",
			)
		}
	}
	return json.Marshal(struct {
		Resource             string   `json:"resource"`
		AuthorizationServers []string `json:"authorization_servers"`
		ScopesSupported      []string `json:"scopes_supported,omitempty"`
		BearerMethods        []string `json:"bearer_methods_supported"`
		ResourceName         string   `json:"resource_name,omitzero"`
	}{cfg.Resource, cfg.AuthorizationServers, prefixed(cfg.ScopePrefix, supported), []string{"header"}, cfg.ResourceName})
}

// prefixed are the scopes as clients ask for them.
func prefixed(prefix string, scopes []string) []string {
	var all []string
	for _, scope := range scopes {
		all = append(all, prefix+scope)
	}
	return all
}

// isScopeToken is the syntax of RFC 6749 section 3.3, which has no quote and no backslash.
func isScopeToken(scope string) bool {
	if scope == "" {
		return false
	}
	for i := range len(scope) {
		if b := scope[i]; b < 0x21 || b > 0x7e || b == '"' || b == '\\' {
			return false
		}
	}
	return true
}
