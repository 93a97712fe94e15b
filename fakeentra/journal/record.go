package journal

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"mcpentra/fakeentra/endpoint"
)

// A record is an entry of which the secrets are masked when somebody asks: few entries are ever
// looked at, and masking one takes longer than the rest of recording it.
type record struct {
	Entry
	plain *plain // nil once masked
}

// plain is what of an exchange may hold secrets.
type plain struct {
	header   http.Header
	query    string
	form     url.Values
	location string
	answer   []passage
}

// maxPlain is from how many bytes on an exchange is masked, and cut short, at once.
const maxPlain = 16 << 10

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
		plain: &plain{
			header:   request.Header.Clone(),
			query:    request.URL.RawQuery,
			form:     x.Form,
			location: x.Header.Get("Location"),
		},
	}
	public := (x.Endpoint == endpoint.Discovery || x.Endpoint == endpoint.Keys || x.Endpoint == endpoint.Instance) &&
		x.Status == http.StatusOK
	switch kind := x.Header.Get("Content-Type"); {
	case strings.HasPrefix(kind, "application/json") && len(x.Body) < MaxAnswer && !public:
		r.plain.answer = passages(x.Body)
	case strings.HasPrefix(kind, "text/html"):
		if _, rest, found := bytes.Cut(x.Body, []byte("<title>")); found {
			title, _, _ := bytes.Cut(rest, []byte("</title>"))
			r.Page = short(string(title))
		}
	}
	return r
}

// size is about how many bytes are kept unmasked.
func (p *plain) size() int {
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
	p := r.plain
	r.plain = nil
	r.Header = m.header(p.header)
	r.Form = m.values(p.form)
	if p.query != "" {
		query, _ := url.ParseQuery(p.query) // as much of it as can be read
		r.Query = m.values(query)
	}
	if p.location != "" {
		r.Location = m.location(p.location)
	}
	if answer := m.join(p.answer); json.Valid([]byte(answer)) {
		r.Answer = answer
	}
}
