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

// slashed is the resource as clients see it that write a slash at the end of its URL. The resource
// in the metadata has to equal the URL that the client uses (RFC 9728 section 3.3).
type slashed struct {
	path     string // of the endpoint; "" for an origin, which is the same with a slash
	document []byte
}

func newSlashed(resource *url.URL, config Config) (slashed, error) {
	config.Resource += "/"
	document, err := metadataDocument(config)
	if err != nil || resource.Path == "" {
		return slashed{document: document}, err
	}
	return slashed{resource.Path + "/", document}, nil
}

// MetadataPath returns the path at which [Guard.Metadata] has to be mounted. If the endpoint is
// also mounted with a slash at its end, mount the metadata with one too.
func (g *Guard) MetadataPath() string { return g.metadataPath }

// Metadata serves the protected resource metadata (RFC 9728). It needs no token, and every web page
// may read it.
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
		if r.URL.Path == g.metadataPath+"/" {
			document = g.slashed.document
		}
		header.Set("Content-Length", strconv.Itoa(len(document)))
		w.WriteHeader(http.StatusOK)
		if r.Method == http.MethodGet {
			_, _ = w.Write(document)
		}
	})
}

func metadataDocument(config Config) ([]byte, error) {
	if len(config.AuthorizationServers) == 0 {
		return nil, errors.New("guard: AuthorizationServers is empty: name the issuer of the tokens")
	}
	for _, issuer := range config.AuthorizationServers {
		if !isIssuer(issuer) {
			return nil, fmt.Errorf("guard: the authorization server is %q, want an https URL, or http on loopback, "+
				"without a query and a fragment", issuer)
		}
	}
	supported := config.ScopesSupported
	if supported == nil {
		supported = config.Scopes
	}
	for _, scope := range slices.Concat(config.Scopes, supported) {
		if scope == "" || !isScopeToken(config.ScopePrefix+scope) {
			return nil, fmt.Errorf("guard: %q is not a scope (RFC 6749 section 3.3)", scope)
		}
		if scope == "offline_access" {
			return nil, errors.New("guard: offline_access concerns the client and the authorization server: " +
				"leave it out of a resource's scopes")
		}
	}
	return json.Marshal(struct {
		Resource             string   `json:"resource"`
		AuthorizationServers []string `json:"authorization_servers"`
		ScopesSupported      []string `json:"scopes_supported,omitempty"`
		BearerMethods        []string `json:"bearer_methods_supported"`
		ResourceName         string   `json:"resource_name,omitzero"`
	}{
		Resource:             config.Resource,
		AuthorizationServers: config.AuthorizationServers,
		ScopesSupported:      withPrefix(config.ScopePrefix, supported),
		BearerMethods:        []string{"header"},
		ResourceName:         config.ResourceName,
	})
}

// isIssuer checks the syntax of an issuer identifier (RFC 8414 section 2).
func isIssuer(issuer string) bool {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	return secure(u) && !strings.ContainsAny(issuer, "?#")
}

// withPrefix returns the scopes as clients ask for them.
func withPrefix(prefix string, scopes []string) []string {
	var prefixed []string
	for _, scope := range scopes {
		prefixed = append(prefixed, prefix+scope)
	}
	return prefixed
}

// isScopeToken checks the syntax of RFC 6749 section 3.3, which has no quote and no backslash.
func isScopeToken(scope string) bool {
	if scope == "" {
		return false
	}
	for i := range len(scope) {
		b := scope[i]
		if b < 0x21 || b > 0x7e || b == '"' || b == '\\' {
			return false
		}
	}
	return true
}
