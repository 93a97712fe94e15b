package entra

import (
	"context"
	"crypto/sha256"
	"net/url"
	"slices"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"mcpentra/server/identity"
)

const (
	// maxBehalf is how many exchanged tokens are remembered.
	maxBehalf = 10_000
	// behalfMargin is how much of an exchanged token has to be left for it to be used again.
	behalfMargin = 5 * time.Minute
)

// behalfCache remembers exchanged tokens by the token that was exchanged and the scopes. Its keys
// are hashes: whoever holds the same token gets the same answer from Entra.
type behalfCache struct {
	tokens *lru.Cache[behalfKey, *Tokens]
	flight singleflight.Group
}

type behalfKey [sha256.Size]byte

func newBehalfCache() *behalfCache {
	tokens, _ := lru.New[behalfKey, *Tokens](maxBehalf) // only a size below 1 is refused
	return &behalfCache{tokens: tokens}
}

// OnBehalfOf exchanges a caller's access token for a Graph token with delegated permissions such as
// User.Read, which speaks for the same person ("OAuth 2.0 On-Behalf-Of flow"). assertion has to be
// the token that [API.Verify] made the caller of. Tokens are remembered until five minutes before
// they end. The error is an [*Error] (consent, a policy, or the secret is at fault), a
// [*ConfigError] without a secret, an [*AppCallerError], or an [*UnavailableError].
func (a *API) OnBehalfOf(
	ctx context.Context, caller *identity.Caller, assertion string, scopes []string,
) (string, error) {
	switch {
	case caller.Kind == identity.App:
		return "", &AppCallerError{}
	case a.home.cfg.ClientSecret == "":
		return "", &ConfigError{
			"AUTH_CLIENT_SECRET",
			"is missing: without it this server cannot ask Graph on behalf of its callers",
		}
	}
	i := slices.IndexFunc(a.tenants, func(c *Client) bool { return c.deployment.tenant == caller.TenantID })
	if i < 0 {
		return "", &ConfigError{"AUTH_ALLOWED_TENANTS", "does not list the caller's tenant"}
	}
	key := behalfKey(sha256.Sum256([]byte(assertion + " " + strings.Join(scopes, " "))))
	if held := a.heldBehalf(key); held != nil {
		return held.AccessToken, nil
	}
	flight := a.behalf.flight.DoChan(string(key[:]), func() (any, error) {
		// Another flight may have landed since.
		if held := a.heldBehalf(key); held != nil {
			return held, nil
		}
		tokens, err := a.tenants[i].onBehalfOf(context.WithoutCancel(ctx), assertion, scopes)
		if err == nil {
			a.behalf.tokens.Add(key, tokens)
		}
		return tokens, err
	})
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case result := <-flight:
		if result.Err != nil {
			return "", result.Err
		}
		return result.Val.(*Tokens).AccessToken, nil
	}
}

// heldBehalf is a remembered token with enough left of it, or nil.
func (a *API) heldBehalf(key behalfKey) *Tokens {
	if held, found := a.behalf.tokens.Get(key); found && held.Expiry.Sub(a.home.now()) > behalfMargin {
		return held
	}
	return nil
}

func (c *Client) onBehalfOf(ctx context.Context, assertion string, scopes []string) (*Tokens, error) {
	found, _, err := c.discover(ctx)
	if err != nil {
		return nil, err
	}
	full := make([]string, len(scopes))
	for i, name := range scopes {
		full[i] = c.graphHost(found) + "/" + name
	}
	config := c.credentials(found, full, url.Values{
		"grant_type":          {"urn:ietf:params:oauth:grant-type:jwt-bearer"},
		"assertion":           {assertion},
		"requested_token_use": {"on_behalf_of"},
	})
	answer, err := c.request(ctx, "on-behalf-of", config.Token)
	if err != nil {
		return nil, err
	}
	return c.tokens(answer, scopes), nil
}

// An AppCallerError means that something needs a person, and an application called for itself.
type AppCallerError struct{}

func (e *AppCallerError) Error() string {
	return "an application calls for itself, and this needs a person: there is nobody to go on behalf of"
}
