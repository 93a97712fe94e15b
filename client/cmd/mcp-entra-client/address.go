package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"time"

	"mcpentra/client"
	"mcpentra/client/discovery"
)

// isOrigin reports whether an address has neither path nor query.
func isOrigin(address string) bool {
	parsed, err := url.Parse(address)
	return err == nil && strings.Trim(parsed.Path, "/") == "" && parsed.RawQuery == ""
}

// sameHost reports whether two addresses have the same host and port.
func sameHost(a, b string) bool {
	first, err := url.Parse(a)
	second, otherErr := url.Parse(b)
	return err == nil && otherErr == nil && strings.EqualFold(first.Host, second.Host)
}

// instead introduces the address that a person should type.
const instead = "; type instead: mcp-entra-client "

// An addressError reports why there is no connection, and what to type instead.
type addressError struct {
	text     string
	err      error
	endpoint string // the MCP endpoint that the same origin names; empty if it names none
}

func (e *addressError) Error() string { return e.text }
func (e *addressError) Unwrap() error { return e.err }

// explain explains why there is no connection. If the server's answer was not MCP, explain asks the
// server once more, without a token.
func explain(ctx context.Context, config client.Config, failure error) error {
	server, err := url.Parse(config.Server)
	if err != nil {
		return failure
	}
	if text := explainConnection(server, failure); text != "" {
		return &addressError{text: text, err: failure}
	}
	var other *discovery.OtherResourceError
	if errors.As(failure, &other) {
		return explainResource(server, other, failure)
	}
	var signIn *client.SignInError
	if errors.As(failure, &signIn) || ctx.Err() != nil {
		return failure
	}
	if server.Scheme == "http" && isCutOff(failure) && speaksTLS(ctx, server.Host) {
		return &addressError{text: wantsTLS(server), err: failure}
	}
	return noEndpoint(ctx, config, server, failure)
}

// explainConnection explains a failed connection. It returns "" for other errors.
func explainConnection(server *url.URL, failure error) string {
	var unresolved *net.DNSError
	var unknown x509.UnknownAuthorityError
	var unverified *tls.CertificateVerificationError
	var refused *net.OpError
	switch {
	case errors.Is(failure, syscall.ECONNREFUSED) && errors.As(failure, &refused) && refused.Addr != nil:
		return notListening(server, refused.Addr)
	case errors.As(failure, &unresolved) && unresolved.IsNotFound:
		return fmt.Sprintf("there is no host %s; check the address %s", unresolved.Name, server)
	case errors.As(failure, &unknown):
		return fmt.Sprintf("%s: %v; if you trust that authority, give its certificate with --ca-file",
			server.Host, unknown)
	case errors.As(failure, &unverified):
		return fmt.Sprintf("%s: %v", server.Host, unverified)
	case strings.Contains(failure.Error(), "server gave HTTP response to HTTPS client"):
		return withoutTLS(server)
	}
	return ""
}

// explainResource suggests the address in the server's metadata, if it is another name of this
// machine, such as localhost for 127.0.0.1.
func explainResource(server *url.URL, other *discovery.OtherResourceError, failure error) error {
	named, err := url.Parse(atOrigin(server, other.Resource))
	if err != nil || named.Host == "" || strings.EqualFold(named.Host, server.Host) {
		return failure
	}
	return &addressError{text: fmt.Sprintf("%v%s%s", failure, instead, named), err: failure}
}

func notListening(server *url.URL, address net.Addr) string {
	_, port, _ := net.SplitHostPort(address.String())
	switch {
	case port != portOf(server):
		return fmt.Sprintf("nothing listens at %s (connection refused), where the sign-in leads; "+
			"start the authorization server there, such as fakeentra", address)
	case discovery.IsLoopback(server.Hostname()):
		return fmt.Sprintf("nothing listens at %s (connection refused); start the server there, such as "+
			"mcp-entra-server, in another terminal, or give the address of one that runs", server.Host)
	}
	return fmt.Sprintf("nothing listens at %s (connection refused); start the server there, or check host and port",
		server.Host)
}

// isCutOff reports whether the server ended the connection without an answer.
func isCutOff(failure error) bool {
	return errors.Is(failure, io.EOF) || errors.Is(failure, syscall.ECONNRESET) ||
		strings.Contains(failure.Error(), "malformed HTTP response")
}

// speaksTLS reports whether a server answers a TLS handshake. Its certificate may be invalid.
func speaksTLS(ctx context.Context, host string) bool {
	ctx, cancel := context.WithTimeout(ctx, hintTimeout)
	defer cancel()
	connection, err := (&tls.Dialer{}).DialContext(ctx, "tcp", host)
	if err == nil {
		_ = connection.Close()
	}
	var unverified *tls.CertificateVerificationError
	return err == nil || errors.As(err, &unverified)
}

func wantsTLS(server *url.URL) string {
	safe := *server
	safe.Scheme = "https"
	return fmt.Sprintf("%s was tried, and the server wants TLS", server) + instead + safe.String()
}

func portOf(server *url.URL) string {
	switch {
	case server.Port() != "":
		return server.Port()
	case server.Scheme == "https":
		return "443"
	}
	return "80"
}

func withoutTLS(server *url.URL) string {
	text := fmt.Sprintf("%s was tried, and the server answered without TLS", server)
	if !isHere(server.Hostname()) {
		return text + "; a token must not travel over plain http to another machine"
	}
	plain := *server
	plain.Scheme = "http"
	return text + instead + onThisMachine(plain).String()
}

// Bounds of the requests that explain an error.
const (
	hintTimeout = 5 * time.Second
	maxHint     = 64 << 10 // bytes of an answer
)

// noEndpoint explains what an address that is not an MCP endpoint answers, and where the endpoint
// is.
func noEndpoint(ctx context.Context, config client.Config, server *url.URL, failure error) error {
	ctx, cancel := context.WithTimeout(ctx, hintTimeout) // for all requests together
	defer cancel()
	hints := &http.Client{
		Transport:     config.Base,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	status, text, err := ask(ctx, hints, http.MethodPost, server.String())
	isEndpoint := status == http.StatusUnauthorized || status == http.StatusOK && isJSONRPC(text)
	if err != nil || isEndpoint {
		return failure
	}
	explained := &addressError{err: failure}
	explained.text = fmt.Sprintf("%s was tried, and a POST there got status %d (%s): it is not an MCP endpoint",
		server, status, http.StatusText(status))
	if server.Scheme == "http" && plainRefused.Match(text) {
		explained.text = wantsTLS(server)
		return explained
	}
	explained.endpoint = endpointNear(ctx, hints, server, text)
	switch {
	case explained.endpoint != "":
		explained.text += "; the server names another address" + instead + explained.endpoint
	case status >= 500:
		explained.text = fmt.Sprintf("%s was tried, and the server failed with status %d (%s); its log may say why",
			server, status, http.StatusText(status))
	default:
		explained.text += "; give the endpoint's whole address, which often ends in /mcp"
	}
	return explained
}

// plainRefused matches the answers of Go, nginx and Apache to plain HTTP at a port for TLS.
var plainRefused = regexp.MustCompile(`HTTP request to an HTTPS server|plain HTTP request was sent to HTTPS port|` +
	`speaking plain HTTP to an SSL-enabled server port`)

// isJSONRPC reports whether an answer is a JSON-RPC message, alone or in an event.
func isJSONRPC(text []byte) bool {
	var message struct{ JSONRPC string }
	if json.Unmarshal(text, &message) == nil {
		return message.JSONRPC != ""
	}
	return bytes.Contains(text, []byte("data:")) && bytes.Contains(text, []byte(`"jsonrpc"`))
}

// ask sends one request without a token, and reads the beginning of the answer.
func ask(ctx context.Context, through *http.Client, method, address string) (status int, text []byte, err error) {
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)
	}
	request, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Accept", "application/json, text/event-stream")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := through.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	text, err = io.ReadAll(io.LimitReader(response.Body, maxHint))
	return response.StatusCode, text, err
}

var addressesIn = regexp.MustCompile(`https?://[^\s"'<>\\]+`)

// endpointNear looks for the MCP endpoint of an origin, in the origin's protected resource metadata
// (RFC 9728 section 3) and in an answer. It ignores addresses at other origins.
func endpointNear(ctx context.Context, through *http.Client, server *url.URL, answer []byte) string {
	const wellKnown = "/.well-known/oauth-protected-resource"
	origin := server.Scheme + "://" + server.Host
	for _, path := range []string{wellKnown, wellKnown + "/mcp"} {
		status, text, err := ask(ctx, through, http.MethodGet, origin+path)
		var document struct{ Resource string }
		if err != nil || status != http.StatusOK || json.Unmarshal(text, &document) != nil {
			continue
		}
		if found := atOrigin(server, document.Resource); found != "" {
			return found
		}
	}
	for _, text := range addressesIn.FindAll(bytes.TrimSpace(answer), 10) {
		if found := atOrigin(server, strings.TrimRight(string(text), ".,;)")); found != "" {
			return found
		}
	}
	return ""
}

// atOrigin returns an address if it is another one at the server's origin, or at another name of
// this machine with the same port. It returns "" for all others.
func atOrigin(server *url.URL, address string) string {
	parsed, err := discovery.CheckURL(address, server)
	if err != nil || !strings.EqualFold(parsed.Scheme, server.Scheme) {
		return ""
	}
	bothHere := discovery.IsLoopback(server.Hostname()) && discovery.IsLoopback(parsed.Hostname())
	switch {
	case strings.EqualFold(parsed.Host, server.Host):
		if strings.Trim(parsed.Path, "/") == strings.Trim(server.Path, "/") {
			return ""
		}
	case !bothHere || portOf(parsed) != portOf(server):
		return ""
	}
	return parsed.String()
}
