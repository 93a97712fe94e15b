package broker

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mcpentra/server/broker/fetch"
)

// A DocumentPolicy decides which clients may have the URL of their metadata document as their ID
// (draft-ietf-oauth-client-id-metadata-document). MCP 2026-07-28 cites draft -00. The rules of the
// fetch are the stricter ones of draft -02. The zero value allows documents on every public host.
type DocumentPolicy struct {
	// Off refuses all client documents.
	Off bool
	// Hosts are the only hosts of client documents, such as example.com or client.example.com:8443.
	// A host with its port may be on loopback. Nil means every public host.
	Hosts []string
	// RootCAs sign the certificates of the hosts. Nil means the system's roots.
	RootCAs *x509.CertPool
	// Lookup resolves the name of a host. Nil means net.DefaultResolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// Dial connects to an address that the address policy allows. Nil means a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

const (
	// maxDocument bounds a client document, in bytes. Draft -00 recommends 5 kB in section 6.6.
	// Twice as much has room for keys.
	maxDocument = 10 << 10
	// maxDocumentID bounds the URL of a document, in bytes. Access tokens have it in a claim.
	maxDocumentID = 1024
)

// openDocuments makes the fetcher of client documents.
func (b *Broker) openDocuments() error {
	policy := b.config.Clients.Documents
	if policy.Off {
		return nil
	}
	hosts, err := fetch.ParseHosts(policy.Hosts)
	if err != nil {
		return fmt.Errorf("broker: client documents: %w", err)
	}
	hosts.Any = policy.Hosts == nil
	b.documents = fetch.New(fetch.Config[*client]{
		Hosts:     hosts,
		Parse:     b.parseDocument,
		MaxBytes:  maxDocument,
		PerMinute: b.config.RegistrationsPerMinute,
		AtOnce:    b.config.Limits.FetchesAtOnce,
		RootCAs:   policy.RootCAs,
		Lookup:    policy.Lookup,
		Dial:      policy.Dial,
		Now:       b.config.Now,
	})
	return nil
}

// isDocumentID reports whether a client ID is meant to be the URL of a document.
func isDocumentID(id string) bool { return strings.HasPrefix(id, "https://") }

// documentClient returns the client that the document at a URL describes. The error is a
// *documentError, or the error of the request's context.
func (b *Broker) documentClient(r *http.Request, id string) (*client, error) {
	if b.documents == nil {
		return nil, refusedDocument(id, errors.New("client documents are off"))
	}
	if err := b.checkDocumentID(id); err != nil {
		return nil, refusedDocument(id, err)
	}
	found, err := b.documents.Get(r.Context(), id, b.network(r))
	var problem *fetch.Error
	if errors.As(err, &problem) {
		return nil, &documentError{id: id, cause: problem}
	}
	return found, err
}

// lastDocument returns the client as its last good document described it, while the host of the
// document cannot be reached. This is for refresh and revocation: they grant nothing new, and a
// client without authentication proves nothing by its document.
func (b *Broker) lastDocument(id string, err error) *client {
	var problem *documentError
	if !errors.As(err, &problem) || !problem.cause.MayPass() {
		return nil
	}
	last, found := b.documents.Last(id)
	if !found || last.AuthMethod != authNone {
		return nil
	}
	return last
}

// checkDocumentID checks the form of a client ID (draft -00 section 3). A query is allowed there,
// and so is a port. People must be able to read the host.
func (b *Broker) checkDocumentID(id string) error {
	if len(id) > maxDocumentID {
		return fmt.Errorf("want a URL of at most %d bytes, got %d", maxDocumentID, len(id))
	}
	parsed, err := url.Parse(id)
	switch {
	case strings.ContainsFunc(id, notInURI), err != nil:
		return errors.New("want a URL in ASCII without blanks and backslashes")
	case parsed.Scheme != "https", parsed.User != nil, strings.Contains(id, "#"):
		return errors.New("want an https URL without user information and fragment")
	case parsed.Path == "":
		return errors.New("want a URL with a path")
	}
	for _, segment := range strings.Split(parsed.Path, "/") {
		if segment == "." || segment == ".." {
			return errors.New("want a URL without dot segments")
		}
	}
	host, errHost := browserHost(parsed)
	port, errPort := browserPort(parsed)
	switch {
	case errHost != nil, errPort != nil:
		return errors.New("want a host in IDNA ASCII form")
	case b.isOwnOrigin(host, port):
		return errors.New("want a URL of another site, got one of this server")
	}
	return nil
}

// documentHost returns the host of a document's URL in IDNA ASCII form, as people are shown it. It
// is empty for other client IDs.
func documentHost(id string) string {
	if !isDocumentID(id) {
		return ""
	}
	return newDestination(id).Host
}

// clientDocument is a client's metadata document. The broker ignores other members, as it does in a
// registration.
type clientDocument struct {
	clientMetadata

	ClientID      string         `json:"client_id"`
	Secret        jsontext.Value `json:"client_secret"`
	SecretExpires jsontext.Value `json:"client_secret_expires_at"`
}

// documentMethods are the authentication methods of clients with a document. No secret can be
// shared through a document.
var documentMethods = []string{authNone, authKey}

// parseDocument reads the client of a document. Its errors may be shown to people.
func (b *Broker) parseDocument(id string, text []byte) (*client, error) {
	document := &clientDocument{}
	if err := json.Unmarshal(text, document); err != nil {
		return nil, errors.New(jsonFault(err))
	}
	if err := document.judge(id); err != nil {
		return nil, err
	}
	if problem := b.judgeRegistration(&document.clientMetadata); problem != nil {
		return nil, errors.New(problem.description)
	}
	return &client{
		ID:              id,
		Name:            document.Name,
		RedirectURIs:    document.RedirectURIs,
		AuthMethod:      document.AuthMethod,
		ApplicationType: document.ApplicationType,
		GrantTypes:      document.GrantTypes,
		JWKS:            document.keys(),
		JWKSURI:         document.JWKSURI,
		SigningAlg:      document.SigningAlg,
		origin:          fromDocument,
	}, nil
}

// judge applies the rules for documents that registrations do not have (draft -00 section 4.1, MCP
// 2025-11-25 authorization, Client ID Metadata Documents).
func (d *clientDocument) judge(id string) error {
	if d.AuthMethod == "" {
		d.AuthMethod = authNone // the default of RFC 7591 needs a secret
	}
	switch {
	case d.ClientID != id:
		return errors.New("its client_id is not its URL, character by character")
	case d.Secret != nil, d.SecretExpires != nil:
		return errors.New("it has a client_secret, which everyone could read there")
	case !slices.Contains(documentMethods, d.AuthMethod):
		return fmt.Errorf("want token_endpoint_auth_method %s", strings.Join(documentMethods, " or "))
	case cleanName(d.Name) == "":
		return errors.New("client_name is missing")
	}
	return nil
}
