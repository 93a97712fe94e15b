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
	// maxBehalf is the number of remembered tokens.
	maxBehalf = 10_000
	// behalfMargin is the lifetime that a remembered token must still have.
	behalfMargin = 5 * time.Minute
)

// behalfCache remembers the tokens that Entra gave in exchange. Its keys are hashes of the caller's
// token and the scopes. Entra gives the same answer to every holder of a token.
type behalfCache struct {
	tokens *lru.Cache[behalfKey, *Tokens]
	flight singleflight.Group
}

type behalfKey [sha256.Size]byte

func newBehalfCache() *behalfCache {
	tokens, _ := lru.New[behalfKey, *Tokens](maxBehalf) // fails only for a size below 1
	return &behalfCache{tokens: tokens}
}

// OnBehalfOf exchanges a caller's access token for a Graph token of the same person, with delegated
// permissions such as User.Read ("OAuth 2.0 On-Behalf-Of flow"). The assertion must be the token
// from which [API.Verify] made the caller. OnBehalfOf remembers tokens until five minutes before
// they expire. The error is an [*Error] (consent, a policy, or the credential is wrong), a
// [*ConfigError] without a credential, an [*AppCallerError], or an [*UnavailableError].
func (a *API) OnBehalfOf(
	ctx context.Context, caller *identity.Caller, assertion string, scopes []string,
) (string, error) {
	switch {
	case caller.Kind == identity.App:
		return "", &AppCallerError{}
	case a.home.cfg.credential() == nil:
		return "", missingCredential(", so this server cannot ask Graph on behalf of its callers")
	}
	i := slices.IndexFunc(a.tenants, func(c *Client) bool { return c.deployment.tenant == caller.TenantID })
	if i < 0 {
		return "", &ConfigError{"AUTH_ALLOWED_TENANTS", "does not list the caller's tenant: add it"}
	}
	key := behalfKey(sha256.Sum256([]byte(assertion + " " + strings.Join(scopes, " "))))
	if known := a.behalf.get(key, a.home.now()); known != nil {
		return known.AccessToken, nil
	}
	flight := a.behalf.flight.DoChan(string(key[:]), func() (any, error) {
		// Another exchange may have ended since.
		if known := a.behalf.get(key, a.home.now()); known != nil {
			return known, nil
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

// get returns a remembered token that is good for behalfMargin, or nil.
func (b *behalfCache) get(key behalfKey, now time.Time) *Tokens {
	if known, found := b.tokens.Get(key); found && known.Expiry.Sub(now) > behalfMargin {
		return known
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
	answer, err := c.request(ctx, found, "on-behalf-of", subjectOf(assertion), c.asking(found, full, url.Values{
		"grant_type":          {"urn:ietf:params:oauth:grant-type:jwt-bearer"},
		"assertion":           {assertion},
		"requested_token_use": {"on_behalf_of"},
	}))
	if err != nil {
		return nil, err
	}
	return c.tokens(answer, scopes), nil
}

// An AppCallerError means that an application called for itself where a person is needed.
type AppCallerError struct{}

func (e *AppCallerError) Error() string {
	return "an application calls for itself, and this needs a person to act on behalf of"
}
