package admin

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// A Client uses the API of a fake in another process. Its methods are like a fakeentra.Fake's. It
// is safe for concurrent use.
type Client struct {
	address   string
	authority string
	tenant    string // ID of the first tenant
	issuer    string // of the first tenant
	directory directory.Directory
	ahead     time.Duration // the fake's clock minus this machine's
	http      *http.Client
}

const (
	// clientTimeout bounds one request of a client.
	clientTimeout = 10 * time.Second
	// maxSkew is how far two clocks may be apart without a correction.
	maxSkew = 2 * time.Second
)

// Connect reads the settings of a fake. The address is the URL of its API, for example
// http://localhost:8401.
func Connect(ctx context.Context, address string) (*Client, error) {
	c := &Client{
		address: strings.TrimSuffix(address, "/"),
		http:    &http.Client{Timeout: clientTimeout},
	}
	var settings struct {
		Authority string    `json:"authority"`
		Now       time.Time `json:"now"`
		Tenants   []struct {
			ID     string `json:"id"`
			Issuer string `json:"issuer"`
		} `json:"tenants"`
	}
	if err := c.send(ctx, http.MethodGet, "/fake", nil, &settings); err != nil {
		return nil, err
	}
	if settings.Authority == "" {
		return nil, fmt.Errorf("fakeentra: want the admin API of a fake at %s, got another server", address)
	}
	if err := c.send(ctx, http.MethodGet, "/directory", nil, &c.directory); err != nil {
		return nil, err
	}
	c.authority = settings.Authority
	if len(settings.Tenants) > 0 {
		c.tenant = settings.Tenants[0].ID
		c.issuer = settings.Tenants[0].Issuer
	}
	if ahead := time.Until(settings.Now); ahead.Abs() > maxSkew {
		c.ahead = ahead
	}
	return c, nil
}

// Authority returns the fake's authority, the beginning of its issuers.
func (c *Client) Authority() string { return c.authority }

// Directory returns the fake's directory at the time of Connect.
func (c *Client) Directory() directory.Directory { return c.directory }

// Issuer returns the issuer of a tenant. The issuers of a fake differ in the tenant's ID alone.
func (c *Client) Issuer(tenantID string) string {
	return strings.ReplaceAll(c.issuer, c.tenant, tenantID)
}

// Mint makes a token. Its times follow the clock of this machine, even if the fake's clock is set
// to another time. Edit cannot be sent: use Claims.
func (c *Client) Mint(want fakeentra.Token) (string, error) {
	want.Age += c.ahead
	var answer struct {
		Token string `json:"token"`
	}
	err := c.post("/tokens", want, &answer)
	return answer.Token, err
}

// PrivateKey returns the private key that signs a token of Mint.
func (c *Client) PrivateKey(want fakeentra.Token) (crypto.Signer, error) {
	var answer struct {
		PrivateKey string `json:"privateKey"`
	}
	if err := c.post("/tokens/key", want, &answer); err != nil {
		return nil, err
	}
	block, _ := pem.Decode([]byte(answer.PrivateKey))
	if block == nil {
		return nil, errors.New("fakeentra: want a private key in PEM, got none")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("fakeentra: private key: %w", err)
	}
	signer, signs := key.(crypto.Signer)
	if !signs {
		return nil, fmt.Errorf("fakeentra: want a private key that signs, got %T", key)
	}
	return signer, nil
}

// post sends the description of a token.
func (c *Client) post(path string, want fakeentra.Token, into any) error {
	if want.Edit != nil {
		return errors.New("fakeentra: a function cannot be sent: use Claims in place of Edit")
	}
	return c.send(context.Background(), http.MethodPost, path, tokenRequest{
		Kind:      want.Kind,
		Tenant:    want.Tenant,
		User:      want.User,
		Client:    want.Client,
		API:       want.API,
		Scopes:    want.Scopes,
		Nonce:     want.Nonce,
		Version:   want.Version,
		Lifetime:  written(want.Lifetime),
		Age:       written(want.Age),
		Claims:    want.Claims,
		Header:    want.Header,
		Key:       want.Key,
		Algorithm: want.Algorithm,
	}, into)
}

// written returns a duration as the API reads it.
func written(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func (c *Client) send(ctx context.Context, method, path string, body, into any) error {
	var text []byte
	if body != nil {
		var err error
		text, err = json.Marshal(body)
		if err != nil {
			return fmt.Errorf("fakeentra: %w", err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, c.address+path, bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("fakeentra: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("fakeentra: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return fmt.Errorf("fakeentra: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		var failure struct {
			Error string `json:"error"`
		}
		_ = json.Unmarshal(answer, &failure)
		return fmt.Errorf("fakeentra: %s answers %d: %q", request.URL, response.StatusCode, failure.Error)
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("fakeentra: want the admin API of a fake at %s: %w", c.address, err)
	}
	return nil
}
