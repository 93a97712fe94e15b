package fakeentra

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/endpoint"
	"mcpentra/fakeentra/fault"
	"mcpentra/fakeentra/journal"
)

// An exchange is a request on its way through the fake: what it is from the outside, and what is
// answered.
type exchange struct {
	fake    *Fake
	request *http.Request
	call    fault.Call
	form    url.Values
	struck  *fault.Fault

	answer held
	sent   int // status, 0 as long as nothing was sent
}

// receive reads a request whole, so that a slow client holds up nobody but itself. A form or query
// that is in order is handed to the endpoint, which judges it, as net/http would read it; one that
// is not is left for it to stumble over.
func (f *Fake) receive(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{
		fake:    f,
		request: r,
		answer:  held{header: w.Header()},
		call:    fault.Call{Endpoint: endpoint.Of(r.URL.Path)},
	}
	query, brokenQuery := url.ParseQuery(r.URL.RawQuery)
	if r.Body != nil && r.Body != http.NoBody {
		var read bytes.Buffer
		read.Grow(int(min(max(r.ContentLength, 0), maxBody)) + bytes.MinRead)
		_, err := read.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody))
		body := read.Bytes()
		r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), failing{err}))
		kind, _, unclear := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if kind == "application/x-www-form-urlencoded" {
			var broken error
			x.form, broken = url.ParseQuery(string(body))
			if err == nil && unclear == nil && broken == nil && r.Method == http.MethodPost {
				r.PostForm = x.form
			}
		}
	} else if r.Body = http.NoBody; brokenQuery == nil && r.Method == http.MethodGet {
		r.Form = query
		r.PostForm = url.Values{}
	}
	x.call.Grant = x.form.Get("grant_type")
	x.call.Client = x.client(query)
	return x
}

// failing is a reader of nothing with an error.
type failing struct{ err error }

func (r failing) Read([]byte) (int, error) {
	if r.err == nil {
		return 0, io.EOF
	}
	return 0, r.err
}

// client is the application ID of the client that a request claims to be from. Nothing is verified
// here.
func (x *exchange) client(query url.Values) string {
	for _, params := range []url.Values{x.form, query} {
		if id := params.Get("client_id"); id != "" {
			return id
		}
	}
	if id, _, basic := x.request.BasicAuth(); basic {
		return id
	}
	claims := struct {
		Subject string `json:"sub"`
		AppID   string `json:"appid"`
		Party   string `json:"azp"`
	}{}
	scheme, token, _ := strings.Cut(x.request.Header.Get("Authorization"), " ")
	assertion := x.form.Get("client_assertion")
	if assertion == "" && strings.EqualFold(scheme, "Bearer") {
		assertion = token
	}
	if parts := strings.Split(assertion, "."); len(parts) == 3 {
		if text, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil {
			_ = json.Unmarshal(text, &claims)
		}
	}
	switch {
	case claims.AppID != "":
		return claims.AppID
	case claims.Party != "":
		return claims.Party
	case directory.IsGUID(claims.Subject):
		return claims.Subject
	}
	return ""
}

// send sends what was answered.
func (x *exchange) send(w http.ResponseWriter) {
	x.sent = max(x.answer.status, http.StatusOK)
	w.WriteHeader(x.sent)
	_, _ = w.Write(x.answer.body.Bytes())
}

// done writes the exchange to the journal and to the log. It is called when the answer has been
// sent, or lost.
func (x *exchange) done() {
	record := journal.Exchange{
		Time:     x.fake.clock.now(),
		Endpoint: x.call.Endpoint,
		Request:  x.request,
		Form:     x.form,
		Client:   x.call.Client,
		Grant:    x.call.Grant,
		Status:   x.sent,
		Header:   x.answer.header,
	}
	attributes := []any{"method", x.request.Method, "path", x.request.URL.Path, "status", x.sent}
	if x.sent != 0 {
		record.AADSTS = x.answer.problem
		record.Body = x.answer.body.Bytes()
	}
	if record.AADSTS != 0 {
		attributes = append(attributes, "aadsts", record.AADSTS)
	}
	if x.struck != nil {
		record.Fault = x.struck.String()
		attributes = append(attributes, "fault", record.Fault)
	}
	x.fake.journal.Add(record)
	if x.fake.config.Logger != nil {
		x.fake.logger.Log(x.request.Context(), slog.LevelInfo, "request", attributes...)
	}
}

// A held answer waits until it is whole, so that it can still be changed, and so that a client that
// reads slowly holds up nobody but itself.
type held struct {
	header  http.Header
	status  int
	problem int // AADSTS number
	body    bytes.Buffer
}

func (h *held) Header() http.Header { return h.header }

func (h *held) WriteHeader(status int) {
	if h.status == 0 {
		h.status = status
	}
}

func (h *held) Write(text []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	return h.body.Write(text)
}

// Journal is the record of what this fake was asked and what it answered, with secrets masked.
func (f *Fake) Journal() *journal.Journal { return f.journal }
