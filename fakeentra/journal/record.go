package journal

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"mcpentra/fakeentra/endpoint"
)

// A record is an entry whose secrets are masked later, when the journal is read. Tests read few
// entries, and masking takes longer than the rest of recording.
type record struct {
	Entry
	unmasked *unmasked // nil once masked
}

// The unmasked parts of a record may hold secrets.
type unmasked struct {
	header   http.Header
	query    string
	form     url.Values
	location string
	answer   []passage
}

// maxUnmasked bounds the bytes that a record keeps unmasked. A larger one is masked and cut at
// once.
const maxUnmasked = 16 << 10

// newRecord keeps an exchange.
func newRecord(x Exchange) *record {
	request := x.Request
	r := &record{
		Entry: Entry{
			Time:     x.Time,
			Endpoint: x.Endpoint,
			Method:   request.Method,
			Host:     short(request.Host),
			Path:     short(request.URL.Path),
			Client:   short(x.Client),
			Grant:    short(x.Grant),
			Fault:    x.Fault,
			Status:   x.Status,
			AADSTS:   x.AADSTS,
		},
		unmasked: &unmasked{
			header:   request.Header.Clone(),
			query:    request.URL.RawQuery,
			form:     x.Form,
			location: x.Header.Get("Location"),
		},
	}
	switch kind := x.Header.Get("Content-Type"); {
	case strings.HasPrefix(kind, "application/json") && len(x.Body) < MaxAnswer && !isPublic(x):
		r.unmasked.answer = passages(x.Body)
	case strings.HasPrefix(kind, "text/html"):
		if _, rest, found := bytes.Cut(x.Body, []byte("<title>")); found {
			title, _, _ := bytes.Cut(rest, []byte("</title>"))
			r.Page = short(string(title))
		}
	}
	return r
}

// isPublic reports whether the answer is a public document.
func isPublic(x Exchange) bool {
	switch x.Endpoint {
	case endpoint.Discovery, endpoint.Keys, endpoint.Instance:
		return x.Status == http.StatusOK
	}
	return false
}

// size returns roughly the number of unmasked bytes.
func (p *unmasked) size() int {
	size := len(p.query) + len(p.location)
	for _, params := range []map[string][]string{p.header, p.form} {
		for name, values := range params {
			size += len(name) + 64
			for _, value := range values {
				size += len(value) + 16
			}
		}
	}
	return size
}

// mask replaces the secrets of a record.
func (r *record) mask(m *mask) {
	p := r.unmasked
	r.unmasked = nil
	r.Header = m.header(p.header)
	r.Form = m.values(p.form)
	if p.query != "" {
		query, _ := url.ParseQuery(p.query) // on an error, the parameters before it
		r.Query = m.values(query)
	}
	if p.location != "" {
		r.Location = m.location(p.location)
	}
	if answer := m.join(p.answer); json.Valid([]byte(answer)) {
		r.Answer = answer
	}
}
