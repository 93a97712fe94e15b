package lab

import (
	"context"
	"io"
	"net/http"
	"time"
)

// serve records a request, and lets its party answer it.
func (l *Lab) serve(party Party, w http.ResponseWriter, r *http.Request) {
	request := l.read(party, r)
	if !l.remember(request) {
		http.Error(w, "too many requests in this lab", http.StatusTooManyRequests)
		return
	}
	recorded := &statusWriter{ResponseWriter: w, lab: l, request: request, original: r}
	if l.script.Intercept != nil && l.script.Intercept(l, request, recorded, r) {
		return
	}
	switch party {
	case Server:
		l.serveServer(recorded, request)
	case Issuer, Second:
		l.serveIssuer(party, recorded, request)
	case Proxy:
		l.serveProxy(recorded, r)
	default:
		http.NotFound(recorded, r)
	}
}

// read makes a record entry of a request.
func (l *Lab) read(party Party, r *http.Request) *Request {
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxBody))
	request := &Request{
		Party:  party,
		Method: r.Method,
		Path:   r.URL.Path,
		Query:  r.URL.Query(),
		Header: r.Header.Clone(),
		Body:   string(body),
		At:     time.Now(),
	}
	if party == Proxy {
		request.Path = r.RequestURI
	}
	request.parseBody()
	if l.AtEndpoint(request) {
		request.RPC, _ = request.JSON["method"].(string)
	}
	return request
}

// remember appends a request to the record. It returns false if the record is full.
func (l *Lab) remember(request *Request) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.record) >= maxRecord {
		return false
	}
	l.record = append(l.record, request)
	return true
}

// statusWriter puts the status of the answer into the record.
type statusWriter struct {
	http.ResponseWriter
	lab      *Lab
	request  *Request
	original *http.Request
}

func (w *statusWriter) context() context.Context { return w.original.Context() }

func (w *statusWriter) WriteHeader(status int) {
	w.setStatus(status)
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(text []byte) (int, error) {
	w.setStatus(http.StatusOK)
	return w.ResponseWriter.Write(text)
}

func (w *statusWriter) setStatus(status int) {
	w.lab.mu.Lock()
	defer w.lab.mu.Unlock()
	if w.request.Status == 0 {
		w.request.Status = status
		w.request.Answered = time.Now()
	}
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
