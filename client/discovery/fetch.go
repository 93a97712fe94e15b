package discovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"mcpentra/client/internal/printable"
)

const (
	maxDocument  = 1 << 20
	fetchTimeout = 10 * time.Second
)

// errAbsent says that there is no document at an address, so the next address counts.
var errAbsent = errors.New("there is no document")

// A Fetcher fetches metadata documents.
type Fetcher struct {
	// HTTPClient sends the requests. Its redirects are not followed. Nil means
	// http.DefaultTransport.
	HTTPClient *http.Client
	// ProtocolVersion is sent as MCP-Protocol-Version. Empty leaves the header out.
	ProtocolVersion string
	// IssuerRootSlash accepts an issuer that differs from the expected one by a slash after the
	// origin.
	IssuerRootSlash bool
	// EntraTenants accepts Entra ID's template as the issuer of its names for all tenants,
	// organizations and common, at the same origin. The caller then has to check the tenant.
	EntraTenants bool
	// ResourceAbove accepts metadata of the server's origin or of a path above the server's. It
	// applies at the address in the challenge, and at the well-known address with the path.
	ResourceAbove bool
}

// get fetches a JSON document.
func (f *Fetcher) get(ctx context.Context, address string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("discovery: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	if f.ProtocolVersion != "" {
		request.Header.Set("MCP-Protocol-Version", f.ProtocolVersion)
	}
	client := http.Client{}
	if f.HTTPClient != nil {
		client = *f.HTTPClient
	}
	// A redirect could lead to any address, past the checks of CheckURL.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("discovery: %w", err)
	}
	defer response.Body.Close()
	if err := checkResponse(address, response); err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxDocument+1))
	if err != nil {
		return fmt.Errorf("discovery: %s: %w", address, err)
	}
	if len(text) > maxDocument {
		return fmt.Errorf("discovery: the document at %s has more than %d bytes", address, maxDocument)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("discovery: want a JSON object with unique members at %s: %w", address, err)
	}
	return nil
}

// checkResponse returns an error unless a response holds a JSON document. The error is errAbsent if
// the address has no document.
func checkResponse(address string, response *http.Response) error {
	status := response.StatusCode
	switch {
	case status >= 300 && status < 400:
		return fmt.Errorf("discovery: %s redirects, which is not followed: %w", address, errAbsent)
	case status >= 500, status == http.StatusTooManyRequests:
		return fmt.Errorf("discovery: want status 200 from %s, got status %d; try again later", address, status)
	case status != http.StatusOK:
		return fmt.Errorf("discovery: want status 200 from %s, got status %d: %w", address, status, errAbsent)
	}
	contentType := response.Header.Get("Content-Type")
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		return fmt.Errorf("discovery: want JSON from %s, got %q: %w", address, printable.Text(contentType), errAbsent)
	}
	return nil
}
