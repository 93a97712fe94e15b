package entra

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"mcpentra/server/token"
)

const (
	// requestTimeout bounds every request to Entra and Graph, the body included.
	requestTimeout = 10 * time.Second
	// maxBody bounds every answer in bytes. Real answers are far smaller.
	maxBody = 1 << 20
)

// Client speaks to Entra ID for one web app registration of one tenant. It is safe for concurrent
// use.
type Client struct {
	cfg        Config
	deployment *deployment
	http       *http.Client
	log        *slog.Logger
	now        func() time.Time

	flight singleflight.Group

	pauses *pauses

	warnedOfFake *atomic.Bool // shared by the clients of an API

	mu     sync.Mutex
	found  *discovered // the last document that passed every check
	keys   *token.Remote
	failed time.Time // when the last attempt to renew the document failed
}

// New reads the configuration; it sends no request. The error is a [*ConfigError].
func New(cfg Config) (*Client, error) {
	d, err := cfg.readSignIn()
	if err != nil {
		return nil, err
	}
	return newClient(cfg, d), nil
}

func newClient(cfg Config, d *deployment) *Client {
	c := &Client{
		cfg:          cfg,
		deployment:   d,
		http:         &http.Client{},
		log:          cfg.Logger,
		now:          cfg.Now,
		warnedOfFake: &atomic.Bool{},
	}
	if cfg.HTTPClient != nil {
		*c.http = *cfg.HTTPClient
	}
	if c.http.Transport == nil {
		c.http.Transport = &http.Transport{
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    8,
			IdleConnTimeout:        90 * time.Second,
			TLSHandshakeTimeout:    requestTimeout,
			MaxResponseHeaderBytes: 64 << 10,
		}
	}
	// A redirect would send the secret to another host, or take an answer from it.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.now == nil {
		c.now = time.Now
	}
	c.pauses = newPauses(c.now)
	return c
}

// get reads a JSON answer of at most maxBody bytes. The error is an [*UnavailableError]. The caller
// decides what the status means.
func (c *Client) get(ctx context.Context, op, address string, header http.Header) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, &UnavailableError{Op: op, Err: err}
	}
	req.Header = header
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, nil, &UnavailableError{Op: op, Err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = fmt.Errorf("the answer has more than %d bytes", maxBody)
	}
	if err != nil {
		return nil, nil, &UnavailableError{Op: op, Status: resp.StatusCode, Err: err}
	}
	return resp, body, nil
}

// Check asks Entra whether the configuration is right: the tenant (discovery), its keys, and the
// client ID and credential (a client_credentials request for Graph; Check drops the token). The
// error is an [*Error], a [*ConfigError] or a [*PublicKeysError] if a setting is wrong, and an
// [*UnavailableError] if Entra gave no usable answer.
func (c *Client) Check(ctx context.Context) error {
	found, err := c.checkIssuer(ctx)
	if err != nil {
		return err
	}
	_, err = c.clientCredentials(ctx, found)
	var refused *Error
	if errors.As(err, &refused) && refused.conditionalAccess() {
		// Entra checks the policy after the credentials, so they are right. Other policies apply to
		// a person's sign-in.
		c.log.Info("conditional access refuses the check of the credential, which shows that it is right",
			"aadsts", refused.AADSTS)
		return nil
	}
	return err
}

// checkIssuer does the part of Check that needs no credentials.
func (c *Client) checkIssuer(ctx context.Context) (*discovered, error) {
	found, keys, err := c.discover(ctx)
	if err != nil {
		return nil, err
	}
	published, err := keys.Published(ctx)
	if err != nil {
		return nil, keysError(err)
	}
	switch {
	case c.trustsFake():
		c.warnOfFake(published, isPublicFakeKey)
	case slices.ContainsFunc(published, isPublicFakeKey):
		return nil, &PublicKeysError{Authority: c.deployment.authority}
	}
	return found, nil
}

// PublicKeysError means that the private halves of the issuer's keys are public: the issuer is the
// fake, and everyone can sign tokens in its name.
type PublicKeysError struct {
	Authority string
}

func (e *PublicKeysError) Error() string {
	return fmt.Sprintf("the issuer at %s publishes keys whose private halves are public: it is the fake issuer. "+
		"Set AUTH_AUTHORITY to Entra, or to a fake on loopback. To trust a fake at another address, set "+
		"entra.Config.TrustPublicFakeKeys (mcp-entra-server --trust-public-fake-keys)",
		strings.TrimPrefix(e.Authority, "https://"))
}
