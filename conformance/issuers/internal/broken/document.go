package broken

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"mcpentra/conformance/issuers/internal/bench"
)

// maxDocument bounds a client's metadata document, in bytes.
const maxDocument = 16 << 10

// A documentFetcher fetches client ID metadata documents. All its connections lead to the checks.
type documentFetcher struct {
	documents *bench.Documents
	server    *httptest.Server
	client    *http.Client
	cache     map[string]error // failures by URL, of a server that caches them
	known     map[string]*client
}

// documentTimeout bounds the fetch of a document, also on a busy machine.
const documentTimeout = 20 * time.Second

func newDocumentFetcher() *documentFetcher {
	f := &documentFetcher{
		documents: bench.NewDocuments(),
		cache:     map[string]error{},
		known:     map[string]*client{},
	}
	f.server = httptest.NewTLSServer(f.documents)
	transport := f.server.Client().Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.InsecureSkipVerify = true
	transport.DisableKeepAlives = true
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, f.server.Listener.Addr().String())
	}
	f.client = &http.Client{Transport: transport, Timeout: documentTimeout}
	return f
}

// ServeDocumentsAt lets the checks serve all documents below one address. It must be called before
// Target.
func (s *Issuer) ServeDocumentsAt(base string) {
	s.fetcher.documents = bench.NewDocumentsAt(base)
	s.fetcher.server.Config.Handler = s.fetcher.documents
}

// everyRedirect are the redirect URIs of a client whose document was not read.
var everyRedirect = []string{bench.SiteRedirect, bench.LoopbackRedirect}

var errDocument = errors.New("the client has no good metadata document")

// isDocumentURL reports whether a client ID is the URL of a document.
func (s *Issuer) isDocumentURL(id string) bool {
	if s.has(AcceptsAnyDocumentURL) {
		return strings.Contains(id, "://")
	}
	parsed, err := url.Parse(id)
	isForm := err == nil && parsed.Scheme == "https" && parsed.User == nil && !strings.Contains(id, "#")
	return isForm && parsed.Path != "" && parsed.Path != "/" && !strings.Contains(parsed.Path, "/..")
}

// isPublic reports whether a host may be asked for a document.
func isPublic(host string) bool {
	host = strings.Trim(host, "[]")
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	last := host[strings.LastIndex(host, ".")+1:]
	isName := strings.ContainsFunc(last, func(r rune) bool { return r > '9' }) && !strings.HasPrefix(last, "0x")
	return isName && strings.Contains(host, ".") && host != "localhost"
}

// findClient returns a registered client, or the client of a metadata document.
func (s *Issuer) findClient(id string) *client {
	if found := s.clients[id]; found != nil {
		return found
	}
	if !s.isDocumentURL(id) || s.has(HasNoDocuments) {
		return nil
	}
	if known := s.fetcher.known[id]; known != nil && s.has(CachesAllDocuments) {
		return known
	}
	if s.has(CachesDocumentErrors) && s.fetcher.cache[id] != nil {
		return nil
	}
	made, err := s.fetchClient(id)
	if err != nil {
		s.fetcher.cache[id] = err
		return nil
	}
	s.fetcher.known[id] = made
	return made
}

// fetchClient fetches a document and reads its client.
func (s *Issuer) fetchClient(id string) (*client, error) {
	if s.has(FetchesNoDocuments) {
		return &client{id: id, method: "none", redirects: everyRedirect}, nil
	}
	address, err := url.Parse(id)
	if err != nil {
		return nil, errDocument
	}
	isUnusual := s.has(KnowsUsualRanges) && strings.HasPrefix(address.Hostname(), "64:ff9b:")
	if !isPublic(address.Hostname()) && !isUnusual && !s.has(FetchesFromAnywhere) {
		return nil, errDocument
	}
	address.User = nil
	fetcher := *s.fetcher.client
	fetcher.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if s.has(FollowsDocumentRedirects) {
		fetcher.CheckRedirect = nil
	}
	if s.has(ReadsEndlessDocuments) {
		fetcher.Timeout = 0
	}
	address.Scheme = "https" // the documents of the checks are all behind TLS
	answer, err := fetcher.Get(address.String())
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	limit := int64(maxDocument)
	if s.has(ReadsEndlessDocuments) {
		limit = 1 << 30
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, limit))
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK && !s.has(AcceptsErrorDocuments) {
		return nil, errDocument
	}
	return s.readDocument(id, text)
}

// readDocument reads the client of a document.
func (s *Issuer) readDocument(id string, text []byte) (*client, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		if !s.has(AcceptsInvalidDocuments) {
			return nil, errDocument
		}
		return &client{id: id, method: "none", redirects: everyRedirect}, nil
	}
	var named, secret string
	_ = json.Unmarshal(members["client_id"], &named)
	_ = json.Unmarshal(members["client_secret"], &secret)
	var method string
	_ = json.Unmarshal(members["token_endpoint_auth_method"], &method)
	isPublic := method == "" || method == "none"
	if secret != "" && s.has(TrustsDocumentSecrets) || method == "private_key_jwt" && s.has(ForgetsPrivateKeys) {
		isPublic = true
		members["token_endpoint_auth_method"] = json.RawMessage(`"none"`)
	}
	if named != id && !s.has(AcceptsOtherDocuments) || !isPublic {
		return nil, errDocument
	}
	made, ok := s.readClient(members)
	if !ok || len(made.redirects) == 0 || made.name == "" {
		return nil, errDocument
	}
	made.id = id
	made.isDocument = true
	if s.has(TrustsDocumentSecrets) {
		made.secret = secret
	}
	return made, nil
}
