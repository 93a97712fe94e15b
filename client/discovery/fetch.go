package discovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
	"golang.org/x/net/idna"
)

const (
	maxDocument  = 1 << 20
	fetchTimeout = 10 * time.Second
)

// errAbsent says that there is no document at an address: the next candidate may be tried.
var errAbsent = errors.New("no document there")

// A Fetcher gets metadata documents.
type Fetcher struct {
	// HTTPClient sends the requests. Its redirects are not followed. Nil means
	// http.DefaultTransport.
	HTTPClient *http.Client
	// ProtocolVersion is sent as MCP-Protocol-Version. Empty leaves the header out.
	ProtocolVersion string
	// IssuerRootSlash overlooks that one of two issuers is an origin, and the other the same with a
	// slash.
	IssuerRootSlash bool
	// EntraTenants takes metadata with Entra ID's template as issuer for its names for all tenants,
	// organizations and common, at the same origin. Whoever uses it has to check the tenant.
	EntraTenants bool
	// ResourceAbove takes metadata for the origin, or a path above the server's, at the address in
	// the challenge and at the well-known one of the path.
	ResourceAbove bool
}

// get reads a JSON document into a value.
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
	// Following would let the server send us anywhere, past the checks on the address.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("discovery: %w", err)
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode >= 300 && response.StatusCode < 400:
		return fmt.Errorf("discovery: %s redirects, which is not followed: %w", address, errAbsent)
	case response.StatusCode >= 500, response.StatusCode == http.StatusTooManyRequests:
		return fmt.Errorf("discovery: %s answers with status %d", address, response.StatusCode)
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("discovery: %s answers with status %d: %w", address, response.StatusCode, errAbsent)
	}
	kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		return fmt.Errorf(
			"discovery: %s is not JSON but %q: %w",
			address,
			response.Header.Get("Content-Type"),
			errAbsent,
		)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxDocument+1))
	if err != nil {
		return fmt.Errorf("discovery: %s: %w", address, err)
	}
	if len(text) > maxDocument {
		return fmt.Errorf("discovery: %s has more than %d bytes", address, maxDocument)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("discovery: %s is not the JSON that was wanted: %w", address, err)
	}
	return nil
}

// CheckURL says why the client does not use an address that a server chose. It wants https, or http
// on loopback, without user information or fragment. A server may name an address of loopback or of
// a private network only if it is as near itself (CheckAddress). A nil server may name any address.
func CheckURL(address string, server *url.URL) (*url.URL, error) {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" || parsed.Opaque != "" {
		return nil, fmt.Errorf("want an absolute URL, got %q", clip(address))
	}
	host, err := asciiHost(parsed.Hostname())
	if err != nil {
		return nil, fmt.Errorf("%q has no host name", clip(address))
	}
	loopback := IsLoopback(parsed.Hostname())
	written, isAddress := literal(host)
	switch {
	case parsed.User != nil || strings.Contains(address, "#"):
		return nil, fmt.Errorf("%q has user information or a fragment", clip(address))
	case parsed.Scheme != "https" && !(parsed.Scheme == "http" && loopback):
		return nil, fmt.Errorf("%q is neither https nor http on a loopback address", clip(address))
	case !isAddress && endsInNumber(host):
		return nil, fmt.Errorf("%q has a host that is an address to some and a name to others", clip(address))
	case isAddress && server != nil:
		from, _ := literal(server.Hostname())
		if err := CheckAddress(written, from); err != nil {
			return nil, fmt.Errorf("%q: %w", clip(address), err)
		}
	}
	return parsed, nil
}

// asciiHost is a host as the HTTP client takes it, which maps digits in circles and other full
// stops to those of an address.
func asciiHost(host string) (string, error) {
	if !strings.ContainsFunc(host, func(r rune) bool { return r > unicode.MaxASCII }) {
		return host, nil
	}
	return idna.Lookup.ToASCII(host)
}

// endsInNumber reports whether the last label of a name is a number, as that of an IPv4 address is,
// in whatever form (WHATWG URL, host parser). No name of the network has such a label.
func endsInNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	label := host[strings.LastIndexByte(host, '.')+1:]
	_, err := strconv.ParseUint(label, 0, 64)
	return err == nil || strings.EqualFold(label, "0x") || errors.Is(err, strconv.ErrRange)
}

// literal is the address that a host is written as. The names of loopback stand for one (RFC 6761
// section 6.3).
func literal(host string) (netip.Addr, bool) {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), true
	}
	address, err := netip.ParseAddr(host)
	return address, err == nil
}

// IsLoopback reports whether a host is this machine.
func IsLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && address.Unmap().IsLoopback()
}

// clip makes text of a server fit for an error: bounded, without control characters and marks that
// change the direction of writing.
func clip(text string) string {
	if len(text) > 200 {
		text = text[:200] + "…"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}
