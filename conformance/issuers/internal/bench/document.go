package bench

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"mcpentra/conformance/check"
)

// Documents serves client ID metadata documents. The target routes the requests that the
// authorization server sends for client IDs to it, whatever their host. So checks see requests to
// private addresses too. A target without that route has all documents below one address.
type Documents struct {
	base string // the address, or empty if each document has a host of its own

	mu       sync.Mutex
	handlers map[string]http.Handler // by placeOf
	reached  map[string]int          // requests by host and path
}

// NewDocuments returns a handler without documents. Each document will have a host of its own.
func NewDocuments() *Documents { return NewDocumentsAt("") }

// NewDocumentsAt returns a handler without documents. All documents will be below base, an https
// URL without a path, for example https://127.0.0.1:8443. The authorization server has to accept
// documents of that host.
func NewDocumentsAt(base string) *Documents {
	return &Documents{base: base, handlers: map[string]http.Handler{}, reached: map[string]int{}}
}

// placeOf returns what all addresses of one document have in common: the host or, below a base, the
// host and the first segment of the path.
func (d *Documents) placeOf(host, path string) string {
	if d.base == "" {
		return host
	}
	segment, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return host + "/" + segment
}

// ServeHTTP serves the document of a host, or of a folder below the base.
func (d *Documents) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	d.reached[r.Host+r.URL.Path]++
	handler := d.handlers[d.placeOf(r.Host, r.URL.Path)]
	d.mu.Unlock()
	if handler == nil {
		http.NotFound(w, r)
		return
	}
	handler.ServeHTTP(w, r)
}

// requests returns how often an address without its scheme was requested.
func (d *Documents) requests(address string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.reached[address]
}

// A Document is a client's metadata document.
type Document struct {
	// URL of the document. It is also the client ID.
	URL string

	documents *Documents
}

// NewDocument serves a document on a new host, or in a new folder below the base. The handler gets
// all requests to that place.
func (p *Probe) NewDocument(handler func(url string) http.Handler) *Document {
	documents := p.target.Documents
	name := strings.ToLower(rand.Text()[:12])
	folder := "https://" + name + ".mcp-auth-conformance.example"
	if documents.base != "" {
		folder = documents.base + "/" + name
	}
	made := &Document{URL: folder + "/client.json", documents: documents}
	at, err := url.Parse(made.URL)
	if err != nil {
		panic(err) // the base is not a URL
	}
	documents.mu.Lock()
	defer documents.mu.Unlock()
	documents.handlers[documents.placeOf(at.Host, at.Path)] = handler(made.URL)
	return made
}

// DocumentsHaveHosts reports whether each document has a host of its own.
func (p *Probe) DocumentsHaveHosts() bool { return p.target.Documents.base == "" }

// Host returns the host of the document, with its port.
func (d *Document) Host() string {
	host, _, _ := strings.Cut(strings.TrimPrefix(d.URL, "https://"), "/")
	return host
}

// Fetches returns how often the document was requested.
func (d *Document) Fetches() int { return d.documents.requests(strings.TrimPrefix(d.URL, "https://")) }

// Reached reports whether the authorization server has requested an address.
func (p *Probe) Reached(address string) bool {
	_, rest, _ := strings.Cut(address, "://")
	return p.target.Documents.requests(rest) > 0
}

// Client returns the client of the document.
func (d *Document) Client(redirect string) *Client { return &Client{ID: d.URL, RedirectURI: redirect} }

// DocumentText returns the text of a good document for a URL, with changes. A nil value leaves a
// member out.
func DocumentText(url string, changes Members) string {
	members := Members{"client_id": url, "redirect_uris": []string{SiteRedirect}, "application_type": "web"}
	for name, value := range changes {
		members[name] = value
	}
	var text map[string]any
	_ = json.Unmarshal(Registration(members), &text)
	made, _ := json.Marshal(text) // all members are plain values
	return string(made)
}

// GoodDocument serves a good document with changes.
func GoodDocument(changes Members) func(url string) http.Handler {
	return func(url string) http.Handler { return ServeDocument(DocumentText(url, changes)) }
}

// ServeDocument serves a text as JSON.
func ServeDocument(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(text))
	})
}

// DocumentClient returns a client with a good document that has got a code. The check does not
// apply if the server has no client documents.
func (p *Probe) DocumentClient(ctx context.Context) (*Document, *Authorization, error) {
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return nil, nil, err
	}
	document := p.NewDocument(GoodDocument(nil))
	made, err := p.Authorize(ctx, document.Client(SiteRedirect))
	switch {
	case err != nil:
		return nil, nil, err
	case made.Code() == "" && !metadata.ClientDocuments:
		return nil, nil, &check.NotApplicable{Reason: "the server has no client ID metadata documents"}
	case made.Code() == "":
		return nil, nil, &check.Skipped{
			Of:     "authorization-server/document/supported",
			Reason: "a client with a good document ends with " + made.String(),
		}
	}
	return document, made, nil
}
