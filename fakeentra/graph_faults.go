package fakeentra

import (
	"encoding/json"
	"net/http"

	"mcpentra/fakeentra/endpoint"
	"mcpentra/fakeentra/fault"
	"mcpentra/fakeentra/internal/graph"
)

// graphCodes are Graph's error codes for the statuses of faults.
var graphCodes = map[int]string{
	http.StatusTooManyRequests:     "TooManyRequests",
	http.StatusServiceUnavailable:  "serviceNotAvailable",
	http.StatusGatewayTimeout:      "gatewayTimeout",
	http.StatusInternalServerError: "generalException",
}

// faultBody returns the body of a fault that names none: the name of the status, or an error of
// Graph.
func (f *Fake) faultBody(x *serverRequest) string {
	status := x.fault.Status
	code := graphCodes[status]
	if x.call.Endpoint != endpoint.Graph || code == "" {
		return http.StatusText(status)
	}
	header := x.answer.header
	for _, name := range []string{"request-id", "client-request-id"} {
		if header.Get(name) == "" {
			header.Set(name, f.random.guid())
		}
	}
	text, err := json.Marshal(graph.ErrorBody(code, http.StatusText(status), f.clock.now(), header))
	if err != nil {
		panic(err) // our own struct
	}
	return string(text)
}

// batched applies the faults of the script to one request of a batch. A batch is answered as a
// whole, so a lost or slow answer becomes 503.
func (f *Fake) batched(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := fault.Call{Endpoint: endpoint.Graph, Path: r.URL.Path, Batched: true}
		injected := f.script.Match(call)
		x := &serverRequest{
			fake:    f,
			request: r,
			call:    call,
			fault:   injected,
			answer:  bufferedResponse{header: w.Header()},
		}
		switch {
		case injected == nil:
			next.ServeHTTP(w, r)
			return
		case !injected.Replaces():
			next.ServeHTTP(&x.answer, r)
			x.change()
		default:
			lost := *injected
			if lost.Drop || lost.Status == 0 {
				lost.Status = http.StatusServiceUnavailable
			}
			x.fault = &lost
			text := lost.Body
			if text == "" {
				text = f.faultBody(x)
			}
			x.answer.header.Set("Content-Type", contentType([]byte(text)))
			x.answer.status = lost.Status
			x.answer.body.WriteString(text)
		}
		injected.Apply(x.answer.header)
		x.send(w)
	})
}
