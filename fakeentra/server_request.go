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

// A serverRequest is a request to the fake, read to its end, with its buffered response.
type serverRequest struct {
	fake    *Fake
	request *http.Request
	call    fault.Call
	form    url.Values
	fault   *fault.Fault

	answer bufferedResponse
	sent   int // status, 0 until the response is sent
}

// receive reads the whole request, so a slow client makes no other client wait. It parses a correct
// query or form like net/http. The endpoint refuses any other.
func (f *Fake) receive(w http.ResponseWriter, r *http.Request) *serverRequest {
	x := &serverRequest{
		fake:    f,
		request: r,
		answer:  bufferedResponse{header: w.Header()},
		call:    fault.Call{Endpoint: endpoint.Of(r.URL.Path), Path: r.URL.Path},
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
	} else {
		r.Body = http.NoBody
		if brokenQuery == nil && r.Method == http.MethodGet {
			r.Form = query
			r.PostForm = url.Values{}
		}
	}
	x.call.Grant = x.form.Get("grant_type")
	x.call.Client = x.client(query)
	return x
}

// A failing reader has no bytes. It returns its error, or io.EOF if it has none.
type failing struct{ err error }

func (r failing) Read([]byte) (int, error) {
	if r.err == nil {
		return 0, io.EOF
	}
	return 0, r.err
}

// client returns the application ID that a request claims, without a check.
func (x *serverRequest) client(query url.Values) string {
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

// send sends the buffered response.
func (x *serverRequest) send(w http.ResponseWriter) {
	x.sent = max(x.answer.status, http.StatusOK)
	w.WriteHeader(x.sent)
	_, _ = w.Write(x.answer.body.Bytes())
}

// done writes to the journal and to the log, after the response was sent or lost.
func (x *serverRequest) done() {
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
	if x.fault != nil {
		record.Fault = x.fault.String()
		attributes = append(attributes, "fault", record.Fault)
	}
	x.fake.journal.Add(record)
	if x.fake.config.Logger != nil {
		x.fake.logger.Log(x.request.Context(), slog.LevelInfo, "request", attributes...)
	}
}

// A bufferedResponse holds a response until it is complete. A fault can still change it, and a slow
// reader makes no other client wait.
type bufferedResponse struct {
	header  http.Header
	status  int
	problem int // AADSTS number
	body    bytes.Buffer
}

func (h *bufferedResponse) Header() http.Header { return h.header }

func (h *bufferedResponse) WriteHeader(status int) {
	if h.status == 0 {
		h.status = status
	}
}

func (h *bufferedResponse) Write(text []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	return h.body.Write(text)
}

// Journal returns the record of the requests to this fake and of its answers, with secrets masked.
func (f *Fake) Journal() *journal.Journal { return f.journal }
