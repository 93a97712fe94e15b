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
	"mcpentra/conformance/internal/exchange"
)

// send sends one JSON-RPC message to the MCP endpoint.
func (r *attempt) send(
	ctx context.Context, method string, params map[string]any, withToken, retry bool,
) (*http.Response, []byte, error) {
	token := ""
	if r.grant != nil && withToken {
		token = r.grant.access
	}
	text, err := json.Marshal(r.message(method, params, token))
	if err != nil {
		return nil, nil, err
	}
	address := r.address(token)
	header := r.header(method, token, retry)
	response, body, err := r.do(ctx, http.MethodPost, address, header, text)
	if err != nil {
		return nil, nil, err
	}
	location := response.Header.Get("Location")
	if !r.follows(response, location, address) {
		return response, body, nil
	}
	if r.has(FollowsBareRedirects) {
		header.Del("Authorization")
	}
	return r.do(ctx, http.MethodPost, location, header, text)
}

// message returns a JSON-RPC request or notification.
func (r *attempt) message(method string, params map[string]any, token string) map[string]any {
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
	if token != "" && r.has(SendsTokenInBody) {
		message["access_token"] = token
	}
	return message
}

// address returns the URL of the MCP endpoint, with secrets in the query for two faults.
func (r *attempt) address(token string) string {
	query := url.Values{}
	if token != "" && r.has(SendsTokenInQuery) {
		query.Set("access_token", token)
	}
	if r.session != "" && r.has(SendsSessionInQuery) {
		query.Set("session", r.session)
	}
	if len(query) == 0 {
		return r.task.URL
	}
	return r.task.URL + "?" + query.Encode()
}

// header returns the header of a request to the MCP endpoint.
func (r *attempt) header(method, token string, retry bool) http.Header {
	header := http.Header{
		"Content-Type": {"application/json"},
		"Accept":       {"application/json, text/event-stream"},
	}
	if (r.modern || r.session != "") && !r.has(SendsNoRevision) {
		header.Set("Mcp-Protocol-Version", string(r.revision()))
	}
	dropsStandard := r.has(SendsNoStandard) || r.has(DropsHeadersAtStepUp) && r.stepUps > 0
	if r.modern && !dropsStandard {
		header.Set("Mcp-Method", method)
		if method == "tools/call" {
			header.Set("Mcp-Name", r.task.Tool)
		}
	}
	dropsSession := retry && r.has(DropsSessionAtRetry)
	if r.session != "" && !dropsSession {
		header.Set("Mcp-Session-Id", r.session)
	}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	return header
}

// follows reports whether the client follows a redirect of the MCP endpoint.
func (r *attempt) follows(response *http.Response, location, address string) bool {
	isRedirect := response.StatusCode/100 == 3
	switch {
	case r.has(FollowsToPaths):
		return sameOrigin(location, address)
	case r.has(FollowsToSubdomains):
		return isRedirect && isSubdomain(location, address)
	case r.has(FollowsRedirects), r.has(FollowsBareRedirects):
		return isRedirect
	}
	return false
}

// isSubdomain reports whether a URL has the host of another, or a subdomain of it.
func isSubdomain(address, other string) bool {
	a, err := url.Parse(address)
	if err != nil {
		return false
	}
	b, err := url.Parse(other)
	isName := err == nil && net.ParseIP(b.Hostname()) == nil
	return isName && strings.HasSuffix("."+a.Hostname(), "."+b.Hostname())
}

// sameOrigin reports whether two URLs have the same scheme and host.
func sameOrigin(address, other string) bool {
	a, err := url.Parse(address)
	b, err2 := url.Parse(other)
	return err == nil && err2 == nil && a.Scheme == b.Scheme && a.Host == b.Host
}

// revision returns the revision that the client speaks now.
func (r *attempt) revision() check.Revision {
	if !r.modern && r.task.Revision == check.R20260728 {
		return check.R20251125
	}
	return r.task.Revision
}

// maxDocument bounds a response in bytes.
const maxDocument = 1 << 20

var errTooLong = errors.New("a response is too long")

// do sends a request and reads the response.
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
	isCall := bytes.Contains(body, []byte(`"tools/call"`))
	isStream := method == http.MethodGet && address == r.task.URL
	isEndless := r.has(ReadsCallsWithoutEnd) && isCall || r.has(ListensWithoutEnd) && isStream
	if r.has(ReadsWithoutEnd) || isEndless {
		limit = 1 << 40
	}
	read := io.LimitReader(response.Body, limit+1)
	if r.has(ReadsSlowly) {
		read = &slowReader{ctx, read, 0}
	}
	text, err := io.ReadAll(read)
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
		return nil, nil, fmt.Errorf("want a URL on https or loopback, got %q", address)
	}
	ctx, cancel := r.patience(ctx)
	defer cancel()
	response, text, err := r.do(ctx, http.MethodGet, address, header, nil)
	if err == nil && response.StatusCode/100 == 3 && r.has(FollowsMetadataRedirects) {
		return r.do(ctx, http.MethodGet, response.Header.Get("Location"), header, nil)
	}
	for err == nil && response.StatusCode/100 == 3 && r.has(FollowsEveryRedirect) {
		location := response.Header.Get("Location")
		if !sameOrigin(location, address) {
			break
		}
		response, text, err = r.do(ctx, http.MethodGet, location, header, nil)
	}
	return response, text, err
}

// patience bounds a request of the sign-in. A client that reads without an end has no limit: a busy
// machine may send an endless document slowly.
func (r *attempt) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	if r.has(WaitsForAnyAnswer) || r.has(ReadsWithoutEnd) {
		return context.WithCancel(ctx)
	}
	return exchange.Within(ctx, 30*second)
}

// safe reports whether a URL is https, or http on loopback. For a public server, the host must not
// be private.
func (r *attempt) safe(address string) bool {
	parsed, err := url.Parse(address)
	if err != nil {
		return r.has(SplitsAddresses)
	}
	server, err := url.Parse(r.task.URL)
	isPublic := err == nil && !onLoopback(server.Hostname())
	if isPublic && !r.has(AllowsPrivate) && r.isPrivate(parsed.Hostname()) {
		return false
	}
	allowsHTTP := onLoopback(parsed.Hostname()) || r.has(AllowsPlainHTTP)
	isAllowed := parsed.Scheme == "https" || parsed.Scheme == "http" && allowsHTTP
	return parsed.Host != "" && isAllowed
}

// isPrivate reports whether a host is an address of loopback or of a private network.
func (r *attempt) isPrivate(host string) bool {
	address := net.ParseIP(host)
	if address == nil {
		return onLoopback(host) || isNumeric(host)
	}
	embeds := embedsPrivate(host) && !r.has(KnowsUsualRanges)
	return embeds || address.IsLoopback() || address.IsPrivate() || address.IsLinkLocalUnicast()
}

// disguisedRanges look public, but lead to private networks and metadata services.
var disguisedRanges = []netip.Prefix{
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("64:ff9b::/32"),
	netip.MustParsePrefix("2002::/16"),
}

// embedsPrivate reports whether an address is in a range that can embed a private address.
func embedsPrivate(host string) bool {
	address, err := netip.ParseAddr(host)
	holds := func(prefix netip.Prefix) bool { return prefix.Contains(address) }
	return err == nil && slices.ContainsFunc(disguisedRanges, holds)
}

// isNumeric reports whether a host name is an IPv4 address in an unusual form.
func isNumeric(host string) bool {
	_, err := strconv.ParseUint(host[strings.LastIndex(host, ".")+1:], 0, 64)
	return err == nil
}

func onLoopback(host string) bool {
	return strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
}
