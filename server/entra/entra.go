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
	// maxBody is far above every answer that is used.
	maxBody = 1 << 20
)

// Client speaks to Entra ID for one web app registration of one tenant. It may be used by many
// goroutines at once.
type Client struct {
	cfg        Config
	deployment *deployment
	http       *http.Client
	log        *slog.Logger
	now        func() time.Time

	flight singleflight.Group

	warnedOfFake *atomic.Bool // shared by the clients of an API

	mu     sync.Mutex
	found  *discovered // the last document that passed every check
	keys   *token.Remote
	failed time.Time // when the last attempt to renew the document failed
}

// New reads the configuration; it does not touch the network. The error is a [*ConfigError].
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
	// A redirect would carry the secret, or the trust in the answer, to another place.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.now == nil {
		c.now = time.Now
	}
	return c
}

// get reads a JSON answer of at most maxBody bytes. The error is an [*UnavailableError]; whoever
// calls decides what a status means.
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

// Check asks Entra whether the configuration is right: the tenant (discovery), its keys, and client
// id and secret (a client_credentials request for Graph, whose token is thrown away). It returns an
// [*Error] or a [*PublicKeysError] when Entra knows better, and an [*UnavailableError] when
// nothing could be learned.
func (c *Client) Check(ctx context.Context) error {
	found, err := c.checkIssuer(ctx)
	if err != nil {
		return err
	}
	_, err = c.clientCredentials(ctx, found)
	var refused *Error
	if errors.As(err, &refused) && refused.conditionalAccess() {
		// The policy is asked after the credentials: they are right. A sign-in of a person falls
		// under other policies than this request.
		c.log.Info(
			"conditional access refuses the check of the client secret, which shows that it is right",
			"aadsts",
			refused.AADSTS,
		)
		return nil
	}
	return err
}

// checkIssuer is the part of Check that needs no credentials.
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

// PublicKeysError means that the issuer signs with keys that are public knowledge: it is the fake,
// and everybody can sign in its name.
type PublicKeysError struct {
	Authority string
}

func (e *PublicKeysError) Error() string {
	return fmt.Sprintf("the issuer at %s publishes keys whose private halves are public: it is the fake issuer. "+
		"Let AUTH_AUTHORITY name Entra, or the fake on loopback. At another address, entra.Config.TrustPublicFakeKeys "+
		"(mcp-entra-server --trust-public-fake-keys) trusts the fake", strings.TrimPrefix(e.Authority, "https://"))
}
