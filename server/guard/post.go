package guard

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"
)

// batchRevision is the only revision of MCP with batches. It is also what a request without the
// version header is taken for.
const batchRevision = "2025-03-26"

// singleHeaders are those that decide how a message is read. With two lines, the guard and the
// handler could each believe another one.
var singleHeaders = []string{"Content-Type", "Content-Encoding", "Mcp-Protocol-Version", "Mcp-Method", "Mcp-Name", "Mcp-Session-Id"}

// servePost reads the message of a caller who is known and allowed in, and hands on what it
// understood.
func (g *Guard) servePost(w http.ResponseWriter, r *http.Request, c *call) {
	body, refused := g.readBody(w, r)
	if refused != nil {
		g.refuse(w, r, *refused)
		return
	}
	messages, batch, malformed := decodeBody(body)
	if malformed != nil {
		g.refuseMessage(w, r, malformed)
		return
	}
	if g.needsSession(c.header, messages) {
		g.refuseRPC(w, r, http.StatusBadRequest, &rpcError{code: codeInvalidRequest, message: sayNeedsSession, id: messages[0].id})
		return
	}
	if version := line(r.Header, versionHeader); batch && version != "" && version != batchRevision {
		g.refuseMessage(w, r, &rpcError{code: codeInvalidRequest, message: "batches exist in revision " + batchRevision + " only"})
		return
	}
	defer c.end()
	// The listening stream of 2026-07-28 is a POST.
	inner := c.begin(r, !batch && messages[0].method == "subscriptions/listen")
	if batch {
		g.serveBatch(w, inner, messages)
		return
	}
	// The request and its header are the guard's own copies already.
	setBody(inner, messages[0].encoded)
	g.next.ServeHTTP(w, inner)
}

// repeated finds a header that is there twice and must not be.
func repeated(r *http.Request) *refusal {
	for _, name := range singleHeaders {
		if len(r.Header[name]) > 1 {
			return &refusal{status: http.StatusBadRequest, reason: "repeated header", description: "the header " + name + " is there more than once"}
		}
	}
	return nil
}

func (g *Guard) readBody(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
	if !isJSON(line(r.Header, "Content-Type")) {
		return nil, &refusal{status: http.StatusUnsupportedMediaType, reason: "content type", description: "the body has to be application/json"}
	}
	if encoding := line(r.Header, "Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, &refusal{status: http.StatusUnsupportedMediaType, reason: "content encoding", description: "the body must not be compressed"}
	}
	if r.ContentLength > g.maxBody {
		w.Header().Set("Connection", "close")
		return nil, g.tooLarge()
	}
	// Who sends a byte now and then would hold a connection for ever. What cannot set deadlines is no
	// connection.
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(time.Now().Add(g.bodyTimeout))
	body, err := readAll(http.MaxBytesReader(w, r.Body, g.maxBody), r.ContentLength)
	_ = connection.SetReadDeadline(time.Time{})
	if err == nil {
		return body, nil
	}
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		return nil, g.tooLarge()
	}
	return nil, &refusal{status: http.StatusBadRequest, reason: "body", description: "the body could not be read"}
}

func (g *Guard) tooLarge() *refusal {
	return &refusal{status: http.StatusRequestEntityTooLarge, reason: "body size", description: fmt.Sprintf("the body has more than %d bytes", g.maxBody)}
}

func isJSON(contentType string) bool {
	if contentType == "application/json" {
		return true
	}
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && mediaType == "application/json"
}

// maxBelieved bounds what is made room for because a caller has announced it.
const maxBelieved = 64 << 10

// readAll is io.ReadAll into a buffer of the size that the caller has announced, as far as that is believed. The byte more is
// for the reader to say that this was all.
func readAll(body io.Reader, announced int64) ([]byte, error) {
	if announced < 0 || announced > maxBelieved {
		return io.ReadAll(body)
	}
	buffer, n := make([]byte, announced+1), 0
	for n < len(buffer) {
		read, err := body.Read(buffer[n:])
		n += read
		switch {
		case err == io.EOF:
			return buffer[:n], nil
		case err != nil:
			return nil, err
		}
	}
	// There is more than was announced.
	rest, err := io.ReadAll(body)
	return append(buffer, rest...), err
}

// withBody is a copy of the request with another body.
func withBody(r *http.Request, body []byte) *http.Request {
	inner := r.WithContext(r.Context())
	inner.Header = r.Header.Clone()
	setBody(inner, body)
	return inner
}

func setBody(r *http.Request, body []byte) {
	handed := &messageBody{}
	handed.Reset(body)
	r.Body, r.ContentLength, r.TransferEncoding = handed, int64(len(body)), nil
	r.GetBody = nil
	if length := strconv.Itoa(len(body)); line(r.Header, "Content-Length") != length || len(r.Header["Content-Length"]) != 1 {
		r.Header["Content-Length"] = []string{length}
	}
}

// messageBody is a request's body that is in memory.
type messageBody struct{ bytes.Reader }

// Close is what an http.Request's body has to have.
func (b *messageBody) Close() error { return nil }
