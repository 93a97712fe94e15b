package upstream

import (
	"context"
	"io"
	"net"
	"net/http"
	"slices"

	"mcpentra/server/guard"
)

// ServeHTTP sends a request to the upstream in the caller's name.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	caller, known := guard.FromContext(r.Context())
	if !known {
		p.log.ErrorContext(r.Context(), "a request came past the guard, and is not sent on")
		writeError(w, http.StatusInternalServerError, "this request cannot be served")
		return
	}
	signer, err := p.signers.current()
	var name string
	if err == nil {
		name, err = signer.sign(caller)
	}
	if err != nil {
		p.log.ErrorContext(r.Context(), "the caller cannot be named to the upstream", "error", err)
		writeError(w, http.StatusInternalServerError, "this request cannot be served")
		return
	}
	body, err := readBody(r)
	if err != nil {
		writeError(w, http.StatusBadRequest, "the body could not be read")
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	answer, err := p.send(p.upstreamRequest(ctx, r, name), body)
	if err == nil {
		defer answer.Body.Close()
		err = checkStatus(answer)
	}
	if err != nil {
		p.answerError(w, r, err)
		return
	}
	p.passAnswer(w, r, answer)
}

// readBody reads the body of a POST. The guard has limited it, and has it in memory already.
func readBody(r *http.Request) ([]byte, error) {
	if r.Method != http.MethodPost {
		return nil, nil
	}
	if r.ContentLength < 0 {
		return io.ReadAll(r.Body)
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, body)
	return body, err
}

// upstreamRequest makes the request that the upstream gets. It takes only the method and the listed
// headers and query parameters from the caller's request.
func (p *Proxy) upstreamRequest(ctx context.Context, r *http.Request, caller string) *http.Request {
	header := make(http.Header, len(r.Header)+4)
	for name, lines := range r.Header {
		if p.isForwarded(name) {
			header[name] = slices.Clone(lines)
		}
	}
	if header.Get("Accept-Encoding") == "" {
		header.Set("Accept-Encoding", "identity")
	}
	if header.Get("User-Agent") == "" {
		header.Set("User-Agent", "") // otherwise Go's transport sets its own
	}
	if address := p.clientAddress(r); address != "" {
		header.Set("X-Forwarded-For", address)
	}
	header.Set("X-Forwarded-Host", p.public.Host)
	header.Set("X-Forwarded-Proto", p.public.Scheme)
	header.Set(CallerHeader, caller)
	target := *p.target
	target.RawQuery = p.query(r.URL.RawQuery)
	return (&http.Request{Method: r.Method, URL: &target, Host: target.Host, Header: header}).WithContext(ctx)
}

func peerAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return host
}
