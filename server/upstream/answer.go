package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"

	"mcpentra/server/guard"
	"mcpentra/server/jsonrpc"
)

// passAnswer sends the upstream's answer to the caller: the listed headers, and the body as it
// comes.
func (p *Proxy) passAnswer(w http.ResponseWriter, r *http.Request, answer *http.Response) {
	header := w.Header()
	for name, lines := range answer.Header {
		if p.isReturned(name) {
			header[name] = slices.Clone(lines)
		}
	}
	if _, found := header["Content-Type"]; !found {
		header["Content-Type"] = nil // otherwise net/http guesses one
	}
	// Over HTTP/2, an upstream can send several lengths, or text. The transport has read one.
	delete(header, "Content-Length")
	if answer.ContentLength >= 0 && mayHaveBody(answer.StatusCode) {
		header.Set("Content-Length", strconv.FormatInt(answer.ContentLength, 10))
	}
	w.WriteHeader(answer.StatusCode)
	if err := p.copyBody(w, answer); err != nil {
		p.abort(r, err)
	}
	for _, name := range p.headers {
		for _, line := range answer.Trailer[name] {
			header.Add(http.TrailerPrefix+name, line)
		}
	}
}

// mayHaveBody reports whether an answer with a status may have a Content-Length (RFC 9110 section
// 8.6).
func mayHaveBody(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// copyBody sends each piece of the body on at once. It returns only errors of reading: if the
// caller has gone, no error matters.
func (p *Proxy) copyBody(w http.ResponseWriter, answer *http.Response) error {
	flusher := http.NewResponseController(w)
	rest := answer.ContentLength
	if rest < 0 {
		_ = flusher.Flush() // the head of a stream, before its first event
	}
	buffer := p.buffers.Get().(*[]byte)
	defer p.buffers.Put(buffer)
	for {
		n, err := answer.Body.Read(*buffer)
		if n > 0 {
			if _, gone := w.Write((*buffer)[:n]); gone != nil {
				return nil
			}
			rest -= int64(n)
			if rest != 0 {
				_ = flusher.Flush()
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// abort cuts off an answer that could not be read to its end, so that the caller can tell it from a
// whole one. A listening stream that ends with its token is whole.
func (p *Proxy) abort(r *http.Request, err error) {
	cause := context.Cause(r.Context())
	switch {
	case errors.Is(cause, guard.ErrTokenExpired):
		return
	case cause == nil:
		p.log.WarnContext(r.Context(), "the upstream cut its answer off", "upstream", Address(p.target), "error", err)
	}
	if r.Context().Value(http.ServerContextKey) != nil {
		panic(http.ErrAbortHandler)
	}
}

// errCredentials reports an upstream that wants credentials from the proxy.
var errCredentials = errors.New(
	"the upstream asks for credentials: it has to let this server in without any, and can tell callers by " +
		CallerHeader)

// maxStatus is the largest HTTP status (RFC 9110 section 15). Clients disagree about larger
// numbers.
const maxStatus = 599

// checkStatus reports an answer that the caller must not get.
func checkStatus(answer *http.Response) error {
	status := answer.StatusCode
	switch {
	case status == http.StatusUnauthorized, status == http.StatusProxyAuthRequired:
		// The caller would sign in again and again.
		return fmt.Errorf("%w (it answered %d)", errCredentials, status)
	case status == http.StatusSwitchingProtocols:
		return errors.New("the upstream changed the protocol")
	case status < http.StatusOK, status > maxStatus:
		return fmt.Errorf("the upstream answered %d, want an HTTP status from 200 to 599", status)
	}
	return nil
}

// answerError answers if the upstream gave no answer that can be passed on.
func (p *Proxy) answerError(w http.ResponseWriter, r *http.Request, err error) {
	if cause := context.Cause(r.Context()); cause != nil {
		// The caller has gone, or the guard has ended the request and answers it.
		p.log.DebugContext(r.Context(), "a request to the upstream ended", "reason", cause)
		return
	}
	p.log.ErrorContext(r.Context(), "the upstream failed", "upstream", Address(p.target), "error", err)
	switch {
	case isTimeout(err):
		writeError(w, http.StatusGatewayTimeout, "the MCP server behind this one did not answer in time")
	case errors.Is(err, errCredentials):
		writeError(w, http.StatusBadGateway, "the MCP server behind this one does not let it in: tell the operator")
	default:
		writeError(w, http.StatusBadGateway,
			"the MCP server behind this one cannot be reached, or gave no usable answer")
	}
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout() || errors.Is(err, context.DeadlineExceeded)
}

// writeError answers with a JSON-RPC error, since clients show its message. MCP (Streamable HTTP)
// allows one without an ID as the body of an HTTP error. Some clients read any other JSON object as
// an empty answer.
func writeError(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	response := (&jsonrpc.Error{Code: jsonrpc.CodeInternal, Message: message}).Response()
	_, _ = w.Write(append(response, '\n')) // an error would mean that the client has gone
}
