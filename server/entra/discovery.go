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
	// documentFresh is how long a discovery document is used without asking again (Entra says
	// max-age=86400).
	documentFresh = 24 * time.Hour
	// documentRetry is the pause after an attempt to renew it failed; the old one counts meanwhile.
	documentRetry = time.Minute
	// issuedEarlier is how far Entra sets iat and nbf before the time of issue.
	issuedEarlier = 5 * time.Minute
)

// discovered is what the tenant's discovery document says (OpenID Connect Discovery 1.0 section 3).
type discovered struct {
	Issuer                string `json:"issuer"`
	AuthorizationEndpoint string `json:"authorization_endpoint"`
	TokenEndpoint         string `json:"token_endpoint"`
	KeysURI               string `json:"jwks_uri"`
	GraphHost             string `json:"msgraph_host"`

	tenantID string
	fetched  time.Time
}

// discover returns the document and the cache of the keys it names. All who wait share one request.
func (c *Client) discover(ctx context.Context) (*discovered, *token.Remote, error) {
	c.mu.Lock()
	found, keys, now := c.found, c.keys, c.now()
	current := found != nil &&
		(now.Sub(found.fetched) < documentFresh || !c.failed.IsZero() && now.Sub(c.failed) < documentRetry)
	c.mu.Unlock()
	if current {
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

func (c *Client) renewDocument(ctx context.Context) error {
	found, err := c.fetchDocument(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.failed = c.now()
		if c.found != nil { // otherwise the error is reported where it stops something
			c.log.Warn("the discovery document could not be renewed, so the last one counts", "error", err)
		}
		return err
	}
	if c.found == nil || c.found.KeysURI != found.KeysURI || c.found.Issuer != found.Issuer {
		c.keys = &token.Remote{
			URL: found.KeysURI,
			// Documents that serve several tenants have a template in place of the tenant's id.
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
	address := c.deployment.authority + "/" + url.PathEscape(
		c.deployment.tenant,
	) + "/v2.0/.well-known/openid-configuration"
	resp, body, err := c.get(ctx, "discovery", address, http.Header{"Accept": {"application/json"}})
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, c.refusal("discovery", resp, body)
	}
	found := &discovered{fetched: c.now()}
	if err := json.Unmarshal(body, found); err != nil {
		return nil, unusable("is not strict JSON of the expected members")
	}
	if err := c.judgeDocument(found); err != nil {
		return nil, err
	}
	return found, nil
}

// judgeDocument refuses a document that speaks for somebody else (RFC 8414 section 3.3).
func (c *Client) judgeDocument(found *discovered) error {
	tenantID, rest, _ := strings.Cut(strings.TrimPrefix(found.Issuer, c.deployment.authority+"/"), "/")
	switch {
	case found.Issuer != c.deployment.authority+"/"+tenantID+"/v2.0" || rest != "v2.0" || !guid.MatchString(tenantID):
		return unusable(
			fmt.Sprintf(
				"names the issuer %q, wanted %s/{tenant id}/v2.0",
				sanitize(found.Issuer),
				c.deployment.authority,
			),
		)
	case guid.MatchString(c.deployment.tenant) && tenantID != c.deployment.tenant:
		return unusable(fmt.Sprintf("is that of the tenant %s, wanted %s", tenantID, c.deployment.tenant))
	}
	for _, endpoint := range []struct{ member, address string }{
		{"authorization_endpoint", found.AuthorizationEndpoint}, {"token_endpoint", found.TokenEndpoint}, {"jwks_uri", found.KeysURI},
	} {
		u, err := url.Parse(endpoint.address)
		local := err == nil && loopback.IsHost(u.Hostname())
		switch {
		case err != nil, !secureURL(u), u.Fragment != "", u.Scheme == "http" && !c.deployment.loopback:
			return unusable(fmt.Sprintf("has no https URL in %s", endpoint.member))
		case local && !c.deployment.loopback, !local && isAddress(u.Hostname()):
			return unusable(fmt.Sprintf("has no name of a host in %s", endpoint.member))
		}
	}
	found.tenantID = tenantID
	return nil
}

// isAddress reports whether a host is an IP address. Entra's hosts have names; an address leads
// into somebody's network.
func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// graphHost is the cloud's Graph. A cloud may have several, and the document says which is the
// tenant's; it may only choose among those we know, since access tokens go there.
func (c *Client) graphHost(found *discovered) string {
	if slices.Contains(c.deployment.cloud.graph, found.GraphHost) {
		return "https://" + found.GraphHost
	}
	return "https://" + c.deployment.cloud.graph[0]
}

// graph is the base URL that Graph's requests go to. As a name in scopes, graphHost counts even
// where the requests go elsewhere.
func (c *Client) graph(found *discovered) string {
	if c.deployment.graphURL != "" {
		return c.deployment.graphURL
	}
	return c.graphHost(found)
}

func unusable(problem string) error {
	return &UnavailableError{Op: "discovery", Err: fmt.Errorf("the discovery document %s", problem)}
}
