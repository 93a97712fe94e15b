package entra

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"mcpentra/server/loopback"
	"mcpentra/server/token"
)

const (
	// documentFresh is how long a discovery document counts (Entra sends max-age=86400).
	documentFresh = 24 * time.Hour
	// documentRetry is the pause after a failed renewal. The old document counts meanwhile.
	documentRetry = time.Minute
	// issuedEarlier is how far Entra sets iat and nbf before the time of issue.
	issuedEarlier = 5 * time.Minute
)

// discovered holds a tenant's discovery document (OpenID Connect Discovery 1.0 section 3).
type discovered struct {
	Issuer                string `json:"issuer"`
	AuthorizationEndpoint string `json:"authorization_endpoint"`
	TokenEndpoint         string `json:"token_endpoint"`
	KeysURI               string `json:"jwks_uri"`
	GraphHost             string `json:"msgraph_host"`
	NamesItself           bool   `json:"authorization_response_iss_parameter_supported"`

	tenantID string
	fetched  time.Time
}

// discover returns the document and the cache of its keys. Concurrent calls share one request.
func (c *Client) discover(ctx context.Context) (*discovered, *token.Remote, error) {
	c.mu.Lock()
	found := c.found
	keys := c.keys
	counts := found != nil && c.documentCounts(found)
	c.mu.Unlock()
	if counts {
		return found, keys, nil
	}
	flight := c.flight.DoChan(
		"discovery",
		func() (any, error) { return nil, c.renewDocument(context.WithoutCancel(ctx)) },
	)
	select {
	case <-ctx.Done():
		return nil, nil, &UnavailableError{Op: "discovery", Err: ctx.Err()}
	case result := <-flight:
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.found == nil {
			return nil, nil, result.Err
		}
		return c.found, c.keys, nil
	}
}

// documentCounts reports whether a document need not be renewed now. The lock is held.
func (c *Client) documentCounts(found *discovered) bool {
	now := c.now()
	return now.Sub(found.fetched) < documentFresh || !c.failed.IsZero() && now.Sub(c.failed) < documentRetry
}

func (c *Client) renewDocument(ctx context.Context) error {
	found, err := c.fetchDocument(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.failed = c.now()
		if c.found != nil { // otherwise discover returns the error
			c.log.Warn("the discovery document could not be renewed, so the last one still counts", "error", err)
		}
		return err
	}
	if c.found == nil || c.found.KeysURI != found.KeysURI || c.found.Issuer != found.Issuer {
		c.keys = &token.Remote{
			URL: found.KeysURI,
			// Documents for several tenants have a template in place of the tenant's ID.
			Issuers:    []string{found.Issuer, c.deployment.authority + "/{tenantid}/v2.0"},
			Backdate:   issuedEarlier,
			HTTPClient: c.http,
			Now:        c.now,
			Logger:     c.log,
		}
	}
	c.found = found
	c.failed = time.Time{}
	return nil
}

func (c *Client) fetchDocument(ctx context.Context) (*discovered, error) {
	if left := c.pauses.left("discovery", noSubject); left > 0 {
		return nil, errPaused("discovery", left)
	}
	tenant := url.PathEscape(c.deployment.tenant)
	address := c.deployment.authority + "/" + tenant + "/v2.0/.well-known/openid-configuration"
	resp, body, err := c.get(ctx, "discovery", address, http.Header{"Accept": {"application/json"}})
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		err := c.refusal("discovery", resp, body)
		c.pauses.note("discovery", noSubject, err)
		return nil, err
	}
	found := &discovered{fetched: c.now()}
	if err := json.Unmarshal(body, found); err != nil {
		return nil, unusable("is not strict JSON with the expected members")
	}
	if err := c.judgeDocument(found); err != nil {
		return nil, err
	}
	return found, nil
}

// judgeDocument refuses a document of another issuer or tenant (RFC 8414 section 3.3).
func (c *Client) judgeDocument(found *discovered) error {
	authority := c.deployment.authority
	tenantID, rest, _ := strings.Cut(strings.TrimPrefix(found.Issuer, authority+"/"), "/")
	switch {
	case found.Issuer != authority+"/"+tenantID+"/v2.0" || rest != "v2.0" || !guid.MatchString(tenantID):
		return unusable(fmt.Sprintf("names the issuer %q, wanted %s/{tenant id}/v2.0",
			sanitize(found.Issuer), authority))
	case guid.MatchString(c.deployment.tenant) && tenantID != c.deployment.tenant:
		return unusable(fmt.Sprintf("is for the tenant %s, wanted %s", tenantID, c.deployment.tenant))
	}
	for _, endpoint := range []struct{ member, address string }{
		{"authorization_endpoint", found.AuthorizationEndpoint},
		{"token_endpoint", found.TokenEndpoint},
		{"jwks_uri", found.KeysURI},
	} {
		if err := c.judgeEndpoint(endpoint.member, endpoint.address); err != nil {
			return err
		}
	}
	found.tenantID = tenantID
	return nil
}

// judgeEndpoint refuses an address of the document that cannot be Entra's: over plain http, or with
// an IP address. Both are accepted on loopback, if the authority is there too.
func (c *Client) judgeEndpoint(member, address string) error {
	u, err := url.Parse(address)
	if err != nil || !secureURL(u) || u.Fragment != "" {
		return unusable(fmt.Sprintf("has no https URL in %s", member))
	}
	local := loopback.IsHost(u.Hostname())
	switch {
	case u.Scheme == "http" && !c.deployment.loopback:
		return unusable(fmt.Sprintf("has no https URL in %s", member))
	case local && !c.deployment.loopback, !local && isAddress(u.Hostname()):
		return unusable(fmt.Sprintf("has no host name in %s", member))
	}
	return nil
}

// isAddress reports whether a host is an IP address. Entra's hosts have names. An address may lead
// into a private network.
func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// graphHost returns the origin of the tenant's Graph. A cloud may have several, and the document
// names the tenant's. Only known hosts count, because access tokens are sent there.
func (c *Client) graphHost(found *discovered) string {
	if slices.Contains(c.deployment.cloud.graph, found.GraphHost) {
		return "https://" + found.GraphHost
	}
	return "https://" + c.deployment.cloud.graph[0]
}

// graph returns the base URL of requests to Graph. Scopes use graphHost in any case.
func (c *Client) graph(found *discovered) string {
	if c.deployment.graphURL != "" {
		return c.deployment.graphURL
	}
	return c.graphHost(found)
}

func unusable(problem string) error {
	return &UnavailableError{Op: "discovery", Err: fmt.Errorf("the discovery document %s", problem)}
}
