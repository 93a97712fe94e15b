package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// newClient returns a client that connects to allowed addresses only. It speaks HTTP/1.1, whose
// bounds are simple, and closes each connection.
func (f *Fetcher[T]) newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            f.dial,
			TLSClientConfig:        &tls.Config{RootCAs: f.config.RootCAs, MinVersion: tls.VersionTLS12},
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxHeader,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// aimKey is the context key of a request's target.
type aimKey struct{}

// dial resolves the name and connects to the addresses that the policy allows, one after the other.
// It dials the address that it has checked, so the name is not resolved again.
func (f *Fetcher[T]) dial(ctx context.Context, network, address string) (net.Conn, error) {
	aim, ok := ctx.Value(aimKey{}).(*target)
	if !ok {
		return nil, errors.New("fetch: a request without a target")
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addresses, err := f.addresses(ctx, aim.host)
	if err != nil {
		return nil, err
	}
	const most = 4
	var failures []error
	isRefused := true
	for _, resolved := range addresses[:min(most, len(addresses))] {
		if err := aim.checkAddress(resolved); err != nil {
			failures = append(failures, &addressError{err})
			continue
		}
		isRefused = false
		connection, err := f.config.Dial(ctx, network, net.JoinHostPort(resolved.Unmap().String(), port))
		if err == nil {
			return connection, nil
		}
		failures = append(failures, err)
	}
	if !isRefused {
		return nil, errors.Join(failures...)
	}
	return nil, failures[0]
}

// An addressError means that no address of a name is allowed.
type addressError struct{ err error }

func (e *addressError) Error() string { return e.err.Error() }

func (f *Fetcher[T]) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if address, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{address}, nil
	}
	addresses, err := f.config.Lookup(ctx, host)
	if err == nil && len(addresses) == 0 {
		err = fmt.Errorf("the name %s has no address", host)
	}
	return addresses, err
}

func lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// ask sends one request, and caches a good document.
func (f *Fetcher[T]) ask(ctx context.Context, url, network string, aim *target) (T, error) {
	var none T
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, aimKey{}, aim), timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return none, &Error{Reason: Refused, Err: err}
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "mcp-entra-server")
	kept, isKept := f.cache.get(url)
	if isKept {
		setCondition(request, kept.header)
	}
	sent := f.config.Now()
	response, err := f.client.Do(request)
	if err != nil {
		return none, sendError(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusNotModified && isKept {
		f.renew(url, kept, response.Header, sent)
		return kept.value, nil
	}
	body, err := f.read(response)
	if err != nil {
		return none, err
	}
	value, err := f.config.Parse(url, body)
	if err != nil {
		return none, &Error{Reason: Invalid, Err: err}
	}
	f.keep(url, response.Header, sent, &entry[T]{
		value:   value,
		size:    2*len(body) + overhead,
		site:    siteOf(aim.host),
		network: network,
	})
	return value, nil
}

// setCondition asks the host to confirm a document if it has not changed (RFC 9110 section 13.1).
func setCondition(request *http.Request, kept http.Header) {
	if tag := kept.Get("ETag"); tag != "" {
		request.Header.Set("If-None-Match", tag)
	} else if changed := kept.Get("Last-Modified"); changed != "" {
		request.Header.Set("If-Modified-Since", changed)
	}
}

func sendError(err error) error {
	var refused *addressError
	if errors.As(err, &refused) {
		return &Error{Reason: Refused, Err: refused.err}
	}
	return &Error{Reason: Unreachable, Err: err, RetryAfter: pause}
}

// read returns the body of an answer that counts: status 200, JSON, and not too large.
func (f *Fetcher[T]) read(response *http.Response) ([]byte, error) {
	switch status := response.StatusCode; {
	case status == http.StatusNotFound || status == http.StatusGone:
		return nil, &Error{Reason: Withdrawn, Err: fmt.Errorf("want status 200, got %d", status)}
	case status != http.StatusOK:
		err := fmt.Errorf("want status 200 without a redirect, got %d", status)
		return nil, &Error{Reason: Unreachable, Err: err, RetryAfter: pause}
	}
	invalid := func(format string, values ...any) ([]byte, error) {
		return nil, &Error{Reason: Invalid, Err: fmt.Errorf(format, values...)}
	}
	contentType := response.Header.Get("Content-Type")
	if !isJSON(contentType) {
		return invalid("want Content-Type application/json or one that ends in +json, got %q", contentType)
	}
	if coding := response.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return invalid("want no Content-Encoding, got %q", coding)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, f.config.MaxBytes+1))
	if err != nil {
		return nil, &Error{Reason: Unreachable, Err: err, RetryAfter: pause}
	}
	if int64(len(body)) > f.config.MaxBytes {
		return invalid("want at most %d bytes, got more", f.config.MaxBytes)
	}
	return body, nil
}

func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	isSpecific := strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")
	return kind == "application/json" || isSpecific
}

// keep caches a document if the header allows it.
func (f *Fetcher[T]) keep(url string, header http.Header, sent time.Time, made *entry[T]) {
	made.header = http.Header{}
	size := 0
	for _, name := range keptFields {
		made.header[name] = header.Values(name)
		for _, value := range made.header[name] {
			size += len(value)
		}
	}
	made.freshness = freshnessOf(header, sent)
	if made.freshness.mayStore && size <= maxKeptFields {
		f.cache.put(url, made)
	} else {
		f.cache.remove(url)
	}
}

// renew caches a document again whose host has confirmed it. The fields that are missing from the
// confirmation stay as they were (RFC 9111 section 3.2).
func (f *Fetcher[T]) renew(url string, kept *entry[T], header http.Header, sent time.Time) {
	for _, name := range keptFields {
		if len(header.Values(name)) == 0 {
			header[name] = kept.header[name]
		}
	}
	renewed := *kept
	f.keep(url, header, sent, &renewed)
}

// keptFields are the header fields that a confirmation may leave out.
var keptFields = []string{"Cache-Control", "Etag", "Expires", "Last-Modified", "Vary"}

// maxKeptFields bounds their values together, in bytes. A document with more is not cached.
const maxKeptFields = 512
