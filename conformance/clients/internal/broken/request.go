package broken

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"mcpentra/conformance/check"
)

func (r *attempt) send(
	ctx context.Context, method string, params map[string]any, withToken, retry bool,
) (*http.Response, []byte, error) {
	message := map[string]any{"jsonrpc": "2.0", "method": method}
	if !strings.HasPrefix(method, "notifications/") {
		r.id++
		message["id"] = r.id
	}
	if params != nil {
		message["params"] = params
	}
	if r.modern {
		params["_meta"] = map[string]any{
			"io.modelcontextprotocol/protocolVersion":    r.task.Revision,
			"io.modelcontextprotocol/clientCapabilities": r.capabilities(),
		}
	}
	token := ""
	if r.grant != nil && withToken {
		token = r.grant.access
	}
	if token != "" && r.has(SendsTokenInBody) {
		message["access_token"] = token
	}
	text, err := json.Marshal(message)
	if err != nil {
		return nil, nil, err
	}
	address := r.task.URL
	query := url.Values{}
	if token != "" && r.has(SendsTokenInQuery) {
		query.Set("access_token", token)
	}
	if r.session != "" && r.has(SendsSessionInQuery) {
		query.Set("session", r.session)
	}
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	header := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}}
	if (r.modern || r.session != "") && !r.has(SendsNoRevision) {
		header.Set("Mcp-Protocol-Version", string(r.revision()))
	}
	if r.modern && !r.has(SendsNoStandard) && !(r.has(DropsHeadersAtStepUp) && r.stepUps > 0) {
		header.Set("Mcp-Method", method)
		if method == "tools/call" {
			header.Set("Mcp-Name", r.task.Tool)
		}
	}
	if r.session != "" && !(retry && r.has(DropsSessionAtRetry)) {
		header.Set("Mcp-Session-Id", r.session)
	}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	response, body, err := r.do(ctx, http.MethodPost, address, header, text)
	if err == nil && response.StatusCode/100 == 3 && r.has(FollowsToSubdomains) &&
		below(response.Header.Get("Location"), address) {
		return r.do(ctx, http.MethodPost, response.Header.Get("Location"), header, text)
	}
	if err == nil && r.has(FollowsToPaths) && sameOrigin(response.Header.Get("Location"), address) {
		return r.do(ctx, http.MethodPost, response.Header.Get("Location"), header, text)
	}
	if err == nil && response.StatusCode/100 == 3 && (r.has(FollowsRedirects) || r.has(FollowsBareRedirects)) {
		if r.has(FollowsBareRedirects) {
			header.Del("Authorization")
		}
		return r.do(ctx, http.MethodPost, response.Header.Get("Location"), header, text)
	}
	return response, body, err
}

// below reports whether an address has the name of another, or one below it.
func below(address, other string) bool {
	a, err := url.Parse(address)
	b, err2 := url.Parse(other)
	return err == nil && err2 == nil && strings.HasSuffix("."+a.Hostname(), "."+b.Hostname()) &&
		net.ParseIP(b.Hostname()) == nil
}

func sameOrigin(address, other string) bool {
	a, err := url.Parse(address)
	b, err2 := url.Parse(other)
	return err == nil && err2 == nil && a.Scheme == b.Scheme && a.Host == b.Host
}

func (r *attempt) revision() check.Revision {
	if !r.modern && r.task.Revision == check.R20260728 {
		return check.R20251125
	}
	return r.task.Revision
}

// maxDocument bounds what is read of an answer in bytes.
const maxDocument = 1 << 20

var errTooLong = errors.New("an answer has no end")

func (r *attempt) do(
	ctx context.Context, method, address string, header http.Header, body []byte,
) (*http.Response, []byte, error) {
	if at, injected, found := strings.Cut(address, " HTTP/1.1\r\n"); found && r.has(SplitsAddresses) {
		name, value, _ := strings.Cut(strings.TrimSpace(injected), ": ")
		address = at
		header.Set(name, value)
	}
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	request.Header = header
	response, err := r.http.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	limit := int64(maxDocument)
	if r.has(ReadsWithoutEnd) {
		limit = 1 << 40
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = errTooLong
	}
	return response, text, err
}

// get fetches a document for the sign-in.
func (r *attempt) get(ctx context.Context, address string) (*http.Response, []byte, error) {
	header := http.Header{"Accept": {"application/json"}}
	if !r.has(SendsNoRevisionToFind) {
		header.Set("Mcp-Protocol-Version", string(r.task.Revision))
	}
	if r.has(SendsTokenEverywhere) && r.grant != nil {
		header.Set("Authorization", "Bearer "+r.grant.access)
	}
	if name, is := strings.CutPrefix(address, "file://"); is && r.has(ReadsFiles) {
		text, err := os.ReadFile(name)
		return &http.Response{StatusCode: http.StatusOK}, text, err
	}
	if !r.safe(address) {
		return nil, nil, fmt.Errorf("%q is neither https nor on loopback", address)
	}
	ctx, cancel := r.patience(ctx)
	defer cancel()
	response, text, err := r.do(ctx, http.MethodGet, address, header, nil)
	if err == nil && response.StatusCode/100 == 3 && r.has(FollowsMetadataRedirects) {
		return r.do(ctx, http.MethodGet, response.Header.Get("Location"), header, nil)
	}
	return response, text, err
}

// patience bounds a request of the sign-in.
func (r *attempt) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	if r.has(WaitsForAnyAnswer) {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, 30*second)
}

// safe reports whether an address is https, or http on loopback.
func (r *attempt) safe(address string) bool {
	parsed, err := url.Parse(address)
	if err != nil {
		return r.has(SplitsAddresses)
	}
	if server, err := url.Parse(r.task.URL); err == nil && !onLoopback(server.Hostname()) && !r.has(AllowsPrivate) {
		address := net.ParseIP(parsed.Hostname())
		if inDisguise(parsed.Hostname()) && !r.has(KnowsUsualRanges) {
			return false
		}
		if onLoopback(parsed.Hostname()) || address.IsPrivate() || address.IsLinkLocalUnicast() ||
			address == nil && numeric(parsed.Hostname()) {
			return false
		}
	}
	return parsed.Host != "" && (parsed.Scheme == "https" ||
		parsed.Scheme == "http" && (onLoopback(parsed.Hostname()) ||
			r.has(AllowsPlainHTTP)))
}

// disguises are ranges that lead to private networks and metadata services and look public.
var disguises = []netip.Prefix{
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("64:ff9b::/32"), netip.MustParsePrefix("2002::/16"),
}

func inDisguise(host string) bool {
	address, err := netip.ParseAddr(host)
	holds := func(prefix netip.Prefix) bool { return prefix.Contains(address) }
	return err == nil && slices.ContainsFunc(disguises, holds)
}

// numeric reports whether a name is an address in a form that no URL should have.
func numeric(host string) bool {
	_, err := strconv.ParseUint(host[strings.LastIndex(host, ".")+1:], 0, 64)
	return err == nil
}

func onLoopback(host string) bool {
	return strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
}
