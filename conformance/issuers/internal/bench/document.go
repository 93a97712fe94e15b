package bench

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"sync"

	"mcpentra/conformance/check"
)

// Documents serves client ID metadata documents. The target routes the requests that the
// authorization server sends for client IDs to it, whatever their host. So checks see requests to
// private addresses too.
type Documents struct {
	mu      sync.Mutex
	hosts   map[string]http.Handler
	reached map[string]int // requests by host and path
}

// NewDocuments returns a handler without documents.
func NewDocuments() *Documents {
	return &Documents{hosts: map[string]http.Handler{}, reached: map[string]int{}}
}

// ServeHTTP serves the document of a host.
func (d *Documents) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	d.reached[r.Host+r.URL.Path]++
	handler := d.hosts[r.Host]
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

// A Document is a client's metadata document on a host of its own.
type Document struct {
	// URL of the document. It is also the client ID.
	URL string

	documents *Documents
}

// NewDocument serves a document on a new host. The handler gets all requests to the host.
func (p *Probe) NewDocument(handler func(url string) http.Handler) *Document {
	host := strings.ToLower(rand.Text()[:12]) + ".mcp-auth-conformance.example"
	made := &Document{URL: "https://" + host + "/client.json", documents: p.target.Documents}
	made.documents.mu.Lock()
	defer made.documents.mu.Unlock()
	made.documents.hosts[host] = handler(made.URL)
	return made
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
