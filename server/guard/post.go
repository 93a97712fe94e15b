package guard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// batchRevision is the only revision of MCP with batches. It is also what a request without the
// version header is taken for.
const batchRevision = "2025-03-26"

// singleHeaders are those that decide how a message is read. With two lines, the guard and the
// handler could each believe another one.
var singleHeaders = []string{
	"Content-Type",
	"Content-Encoding",
	"Mcp-Protocol-Version",
	"Mcp-Method",
	"Mcp-Name",
	"Mcp-Session-Id",
}

// understandPost reads the message of a caller who is known and allowed in. The handler gets what
// the guard understood.
func (g *Guard) understandPost(x *exchange, r *http.Request) *http.Request {
	w := &x.answer
	body, refused, reached := g.readBody(x, r)
	if reached != nil {
		w.Header().Set("Connection", "close")
		g.refuseLimit(x, reached, nil)
		return nil
	}
	if refused != nil {
		g.refuse(w, r, *refused)
		return nil
	}
	sayPlainJSON(x.header)
	var single message
	batch, malformed := decodeBody(body, &single)
	if malformed != nil {
		g.refuseMessage(w, r, malformed)
		return nil
	}
	if !takeVersion(x.header) {
		g.refuseVersion(w, r, single.id)
		return nil
	}
	if !single.is("initialize") && g.needsSession(x) {
		g.refuseRPC(
			w,
			r,
			http.StatusBadRequest,
			&rpcError{code: codeInvalidRequest, message: sayNeedsSession, id: single.id},
		)
		return nil
	}
	if version := line(r.Header, versionHeader); batch != nil && version != "" && version != batchRevision {
		g.refuseMessage(
			w,
			r,
			&rpcError{code: codeInvalidRequest, message: "batches exist in revision " + batchRevision + " only"},
		)
		return nil
	}
	// The listening stream of 2026-07-28 is a POST.
	listening := single.is("subscriptions/listen")
	if reached := g.admitMessages(x, &single, batch, listening); reached != nil {
		var id jsontext.Value
		if single.isRequest() {
			id = single.id
		}
		g.refuseLimit(x, reached, id)
		return nil
	}
	if x.begins {
		// The session begins although the caller goes. Only the answer names it, so that it can be
		// counted.
		r = r.WithContext(context.WithoutCancel(r.Context()))
	}
	inner := x.begin(r, listening)
	if batch != nil {
		g.serveBatch(w, inner, batch)
		return nil
	}
	// The request and its header are the guard's own copies already.
	setBody(inner, &x.body, single.encoded)
	return inner
}

func (g *Guard) readBody(x *exchange, r *http.Request) ([]byte, *refusal, *limitError) {
	w := &x.answer
	if !isJSON(line(r.Header, "Content-Type")) {
		return nil, &refusal{
			status:      http.StatusUnsupportedMediaType,
			description: "the body has to be application/json",
			cause:       cause{reason: "content type", seen: line(r.Header, "Content-Type")},
		}, nil
	}
	if encoding := line(r.Header, "Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, &refusal{
			status:      http.StatusUnsupportedMediaType,
			description: "the body must not be compressed",
			cause:       cause{reason: "content encoding", seen: encoding},
		}, nil
	}
	if r.ContentLength > g.maxBody {
		w.Header().Set("Connection", "close")
		return nil, g.tooLarge(), nil
	}
	// A caller who sends a byte now and then would hold the connection without end.
	g.reads.enter(&w.waiting, time.Now())
	body, err := g.readAll(x, r)
	g.reads.leave(&w.waiting)
	var reached *limitError
	switch {
	case errors.As(err, &reached):
		return nil, nil, reached
	case err != nil:
		return nil, g.unread(w, err), nil
	}
	return body, nil, nil
}

// discardBody reads what a GET or DELETE brings, which means nothing in MCP: no handler gets to see
// it.
func (g *Guard) discardBody(w *answerWriter, r *http.Request) *refusal {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	g.reads.enter(&w.waiting, time.Now())
	_, err := io.Copy(io.Discard, http.MaxBytesReader(w.ResponseWriter, r.Body, g.maxBody))
	g.reads.leave(&w.waiting)
	if err != nil {
		return g.unread(w, err)
	}
	return nil
}

// unread is the refusal of a body that could not be read.
func (g *Guard) unread(w *answerWriter, err error) *refusal {
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return g.tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.Header().Set("Connection", "close")
		return &refusal{
			status:      http.StatusRequestTimeout,
			description: "the body took too long to arrive",
			cause:       cause{reason: "the body took too long to arrive"},
		}
	}
	return &refusal{
		status:      http.StatusBadRequest,
		description: "the body could not be read",
		cause:       cause{reason: "the body could not be read", seen: err.Error()},
	}
}

func (g *Guard) tooLarge() *refusal {
	description := fmt.Sprintf("the body has more than %d bytes", g.maxBody)
	return &refusal{
		status:      http.StatusRequestEntityTooLarge,
		description: description,
		cause:       cause{reason: description},
	}
}

const mediaJSON = "application/json"

func isJSON(contentType string) bool {
	if contentType == mediaJSON {
		return true
	}
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && mediaType == mediaJSON
}

// sayPlainJSON leaves nothing in a header by which a handler could read the body otherwise than it
// was judged: as UTF-8 and not encoded. RFC 8259 section 8.1 has no other encoding, and handlers
// that decode by the charset find other messages.
func sayPlainJSON(header http.Header) {
	if line(header, "Content-Type") != mediaJSON {
		header["Content-Type"] = []string{mediaJSON}
	}
	delete(header, "Content-Encoding")
}

// maxBelieved bounds what is made room for because a caller has announced it.
const maxBelieved = 64 << 10

// readAll is io.ReadAll into a buffer of the size that the caller has announced, as far as that is
// believed. The byte more is for the reader to say that this was all.
func (g *Guard) readAll(x *exchange, r *http.Request) ([]byte, error) {
	if r.ContentLength < 0 || r.ContentLength > maxBelieved {
		return g.readMore(x, r, 0)
	}
	buffer := make([]byte, r.ContentLength+1)
	n := 0
	for n < len(buffer) {
		read, err := r.Body.Read(buffer[n:])
		n += read
		switch {
		case err == io.EOF:
			return buffer[:n], nil
		case err != nil:
			return nil, err
		}
	}
	// There is more than was announced.
	rest, err := g.readMore(x, r, int64(n))
	return append(buffer, rest...), err
}

// readMore reads the rest of a body, of which so many bytes were read.
func (g *Guard) readMore(x *exchange, r *http.Request, before int64) ([]byte, error) {
	bounded := http.MaxBytesReader(x.answer.ResponseWriter, r.Body, max(g.maxBody-before, 0))
	return io.ReadAll(&countedReader{Reader: bounded, exchange: x, room: maxBelieved - before})
}

// A countedReader counts what it reads as the caller's.
type countedReader struct {
	io.Reader
	exchange *exchange
	room     int64 // bytes that may be read before more are counted
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.room -= int64(n)
	for c.room < 0 {
		x := c.exchange
		if reached := x.guard.usage.takeBytes(&x.slot, maxBelieved, x.guard.maxBody+maxBelieved); reached != nil {
			return n, reached
		}
		c.room += maxBelieved
	}
	return n, err
}

// withBody is a copy of the request with another body.
func withBody(r *http.Request, body []byte) *http.Request {
	inner := r.WithContext(r.Context())
	inner.Header = r.Header.Clone()
	setBody(inner, &messageBody{}, body)
	return inner
}

func setBody(r *http.Request, handed *messageBody, body []byte) {
	handed.Reset(body)
	r.Body = handed
	r.ContentLength = int64(len(body))
	r.TransferEncoding = nil
	r.GetBody = nil
	var digits [20]byte
	length := strconv.AppendInt(digits[:0], int64(len(body)), 10)
	if lines := r.Header["Content-Length"]; len(lines) != 1 || lines[0] != string(length) {
		r.Header["Content-Length"] = []string{string(length)}
	}
}

// messageBody is a request's body that is in memory.
type messageBody struct{ bytes.Reader }

// Close is what an http.Request's body has to have.
func (b *messageBody) Close() error { return nil }
