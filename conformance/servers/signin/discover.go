package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/oauth2"
)

// maxDocument bounds an answer of the server, in bytes.
const maxDocument = 1 << 20

// protectedResource is the metadata of the MCP server (RFC 9728).
type protectedResource struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers"`
	Scopes               []string `json:"scopes_supported"`
}

// issuerMetadata is the metadata of the authorization server (RFC 8414).
type issuerMetadata struct {
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	Registration  string   `json:"registration_endpoint"`
	Revocation    string   `json:"revocation_endpoint"`
	Scopes        []string `json:"scopes_supported"`
	AuthMethods   []string `json:"token_endpoint_auth_methods_supported"`
}

// A flow is what one person's authorizations have in common.
type flow struct {
	signIn   *SignIn
	issuer   issuerMetadata
	resource string   // the MCP server's resource identifier, or empty
	needed   []string // the scopes that the challenge names
	scopes   []string // to ask for, as any client does
	all      []string // every scope that the server and the checks have a use for
	client   oauth2.Config

	callbacks *callbackServer
}

// The parameters of a challenge that a client needs (MCP authorization, Protected Resource Metadata
// Discovery and Scope Selection).
var (
	metadataParameter = regexp.MustCompile(`(?i)[\s,]resource_metadata\s*=\s*"([^"]*)"`)
	scopeParameter    = regexp.MustCompile(`(?i)[\s,]scope\s*=\s*"([^"]*)"`)
)

// discover reads the challenge, and the metadata of the server and of its authorization server.
func (s *SignIn) discover(ctx context.Context) (*flow, error) {
	endpoint, err := url.Parse(s.URL)
	if err != nil {
		return nil, fmt.Errorf("sign-in: %w", err)
	}
	challenge, err := s.challenge(ctx)
	if err != nil {
		return nil, err
	}
	f := &flow{signIn: s}
	var addresses []string
	if named := metadataParameter.FindStringSubmatch(challenge); named != nil {
		addresses = append(addresses, named[1])
	}
	if named := scopeParameter.FindStringSubmatch(challenge); named != nil {
		f.needed = strings.Fields(named[1])
	}
	addresses = append(addresses,
		wellKnown(endpoint, "oauth-protected-resource", strings.TrimSuffix(endpoint.EscapedPath(), "/")),
		wellKnown(endpoint, "oauth-protected-resource", ""),
	)
	resource := protectedResource{}
	missing := s.getFirst(ctx, addresses, &resource)
	issuer := endpoint
	switch {
	case missing != nil:
		// With MCP 2025-03-26 the authorization server is at the MCP server's origin.
		issuer = &url.URL{Scheme: endpoint.Scheme, Host: endpoint.Host}
	case len(resource.AuthorizationServers) == 0:
		return nil, errors.New("sign-in: the metadata names no authorization server")
	default:
		issuer, err = url.Parse(resource.AuthorizationServers[0])
		if err != nil {
			return nil, fmt.Errorf("sign-in: %w", err)
		}
	}
	if err := s.getFirst(ctx, issuerAddresses(issuer), &f.issuer); err != nil {
		return nil, errors.Join(missing, err)
	}
	f.resource = resource.Resource
	f.chooseScopes(&resource)
	return f, nil
}

// chooseScopes chooses the scopes to ask for: those in the challenge, or else all that the server
// lists (MCP 2025-11-25 authorization, Scope Selection Strategy).
func (f *flow) chooseScopes(resource *protectedResource) {
	f.scopes = f.needed
	if len(f.scopes) == 0 {
		f.scopes = resource.Scopes
	}
	for _, scope := range slices.Concat(f.scopes, resource.Scopes) {
		if !slices.Contains(f.all, scope) {
			f.all = append(f.all, scope)
		}
	}
	for _, scope := range []string{"openid", "offline_access"} {
		if slices.Contains(f.issuer.Scopes, scope) && !slices.Contains(f.all, scope) {
			f.all = append(f.all, scope)
		}
	}
}

// challenge returns the challenges of the server in one line, or "".
func (s *SignIn) challenge(ctx context.Context) (string, error) {
	const first = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18",` +
		`"capabilities":{},"clientInfo":{"name":"mcp-auth-conformance","version":"1"}}}`
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, strings.NewReader(first))
	if err != nil {
		return "", fmt.Errorf("sign-in: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	response, err := s.client().Do(request)
	if err != nil {
		return "", fmt.Errorf("sign-in: %w", err)
	}
	_ = response.Body.Close()
	return strings.Join(response.Header.Values("WWW-Authenticate"), ", "), nil
}

// issuerAddresses returns the addresses where an issuer's metadata may be (RFC 8414 section 3,
// OpenID Connect Discovery 1.0 section 4).
func issuerAddresses(issuer *url.URL) []string {
	path := strings.TrimSuffix(issuer.EscapedPath(), "/")
	addresses := []string{
		wellKnown(issuer, "oauth-authorization-server", path),
		wellKnown(issuer, "openid-configuration", path),
	}
	if path != "" {
		addresses = append(addresses, issuer.Scheme+"://"+issuer.Host+path+"/.well-known/openid-configuration")
	}
	return addresses
}

func wellKnown(origin *url.URL, name, path string) string {
	return origin.Scheme + "://" + origin.Host + "/.well-known/" + name + path
}

// getFirst reads the first document that an address has. The error is the first one.
func (s *SignIn) getFirst(ctx context.Context, addresses []string, into any) error {
	var first error
	for _, address := range addresses {
		err := s.get(ctx, address, into)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

func (s *SignIn) get(ctx context.Context, address string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("sign-in: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	status, body, err := s.do(request)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("sign-in: %s answers %d, want 200: %q", request.URL, status, cleaned(string(body)))
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("sign-in: %s: %w", request.URL, err)
	}
	return nil
}

// do sends a request and reads the answer.
func (s *SignIn) do(request *http.Request) (status int, body []byte, err error) {
	response, err := s.client().Do(request)
	if err != nil {
		return 0, nil, fmt.Errorf("sign-in: %w", err)
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxDocument))
	if err != nil {
		return 0, nil, fmt.Errorf("sign-in: %s: %w", request.URL, err)
	}
	return response.StatusCode, body, nil
}
