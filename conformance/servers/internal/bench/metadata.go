package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"mcpentra/conformance/check"
)

// WellKnown returns the addresses where the protected resource metadata of an endpoint may be (RFC
// 9728 section 3.1). The address with the endpoint's path comes first.
func WellKnown(endpoint string) []string {
	parsed, err := url.Parse(endpoint)
	if err != nil {
		return []string{endpoint, endpoint}
	}
	root := parsed.Scheme + "://" + parsed.Host + "/.well-known/oauth-protected-resource"
	return []string{root + strings.TrimSuffix(parsed.EscapedPath(), "/"), root}
}

// IssuerAddresses returns the addresses where an issuer's metadata may be (RFC 8414 section 3).
func IssuerAddresses(issuer *url.URL) []string {
	origin := issuer.Scheme + "://" + issuer.Host
	path := strings.TrimSuffix(issuer.EscapedPath(), "/")
	addresses := []string{
		origin + "/.well-known/oauth-authorization-server" + path,
		origin + "/.well-known/openid-configuration" + path,
	}
	if path != "" {
		addresses = append(addresses, origin+path+"/.well-known/openid-configuration")
	}
	return addresses
}

// namesNone is why no issuer's metadata is found.
const namesNone = "the protected resource metadata names no authorization server"

// findDocuments looks for the protected resource metadata, and for the metadata of the first
// authorization server that it names. Without one, the server may be its own (MCP 2025-03-26).
func (l *looker) findDocuments(ctx context.Context) {
	addresses := WellKnown(l.target.URL)
	if challenge, err := l.probe.Challenge(l.first); err == nil && challenge["resource_metadata"] != "" {
		addresses = append([]string{challenge["resource_metadata"]}, addresses...)
	}
	for _, address := range addresses {
		var found struct {
			Resource string   `json:"resource"`
			Issuers  []string `json:"authorization_servers"`
		}
		attempt := l.fetch(ctx, address, &found)
		if attempt.found && found.Resource == "" {
			attempt = document{reason: "the document has no member resource"}
		}
		l.resource.add(attempt)
		if attempt.found {
			l.named.resource = found.Resource
			l.named.issuers = found.Issuers
			break
		}
	}
	issuer := l.target.URL
	if l.resource.found {
		if len(l.named.issuers) == 0 {
			l.issuer.reason = namesNone
			return
		}
		issuer = l.named.issuers[0]
	}
	l.findIssuer(ctx, issuer)
}

// findIssuer looks for an issuer's metadata. An MCP endpoint that is its own issuer has it at the
// root of its origin.
func (l *looker) findIssuer(ctx context.Context, issuer string) {
	parsed, err := url.Parse(issuer)
	if err != nil || parsed.Host == "" {
		l.issuer.reason = fmt.Sprintf("the issuer %q is not a URL", l.probe.shown(issuer))
		return
	}
	if !l.resource.found {
		parsed.Path = ""
		parsed.RawPath = ""
	}
	for _, address := range IssuerAddresses(parsed) {
		var found map[string]any
		l.issuer.add(l.fetch(ctx, address, &found))
		if l.issuer.found {
			return
		}
	}
}

// add adds an attempt at another address. The reason of an address without an answer remains,
// because the document may be there.
func (d *document) add(attempt document) {
	if attempt.found || !d.silent {
		*d = attempt
	}
}

// fetch reads a document.
func (l *looker) fetch(ctx context.Context, address string, into any) document {
	header := http.Header{"Accept": {"application/json"}}
	request := Request{Method: http.MethodGet, URL: address, Header: header}
	answer, err := l.send(ctx, check.R20251125, "", request)
	shown := l.probe.shown(address)
	switch {
	case err != nil:
		reason := fmt.Sprintf("no complete answer from %s: %s", shown, l.probe.shown(firstLine(err.Error())))
		return document{reason: reason, silent: true}
	case answer.Status != http.StatusOK:
		return document{reason: fmt.Sprintf("status %d from %s", answer.Status, shown)}
	case json.Unmarshal(answer.Body, into) != nil:
		return document{reason: "no JSON object from " + shown}
	}
	return document{found: true}
}
