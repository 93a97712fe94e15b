package guard

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"time"
)

const mediaJSON = "application/json"

// readBody reads the body of a POST.
func (g *Guard) readBody(a *admission) ([]byte, *refusal) {
	r := a.request
	if refused := g.checkBodyHeaders(r); refused != nil {
		return nil, refused
	}
	// Without a deadline, a client that sends a byte now and then would hold the connection.
	g.bodyTimeouts.add(&a.answer.waiting, time.Now())
	body, err := g.readAll(a, r)
	g.bodyTimeouts.remove(&a.answer.waiting)
	if err != nil {
		return nil, g.unread(a, err)
	}
	return body, nil
}

// checkBodyHeaders refuses a body that cannot be read, or has too many bytes.
func (g *Guard) checkBodyHeaders(r *http.Request) *refusal {
	contentType := line(r.Header, "Content-Type")
	encoding := line(r.Header, "Content-Encoding")
	switch {
	case !isJSON(contentType):
		return &refusal{
			status:      http.StatusUnsupportedMediaType,
			description: "the body has to be application/json",
			cause:       cause{reason: "content type", seen: contentType},
		}
	case encoding != "" && encoding != "identity":
		return &refusal{
			status:      http.StatusUnsupportedMediaType,
			description: "the body must not be compressed",
			cause:       cause{reason: "content encoding", seen: encoding},
		}
	case r.ContentLength > g.maxBody:
		refused := g.tooLarge()
		refused.close = true
		return refused
	}
	return nil
}

// discardBody reads the body of a GET or DELETE, which has no meaning in MCP.
func (g *Guard) discardBody(a *admission) *refusal {
	r := a.request
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	g.bodyTimeouts.add(&a.answer.waiting, time.Now())
	_, err := io.Copy(io.Discard, http.MaxBytesReader(a.answer.ResponseWriter, r.Body, g.maxBody))
	g.bodyTimeouts.remove(&a.answer.waiting)
	if err != nil {
		return g.unread(a, err)
	}
	return nil
}

// unread refuses a request because an error came up while its body was read.
func (g *Guard) unread(a *admission, err error) *refusal {
	var reached *limitError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &reached):
		refused := a.limitRefusal(reached, nil)
		refused.close = true
		return refused
	case errors.As(err, &tooLarge):
		return g.tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &refusal{
			status:      http.StatusRequestTimeout,
			description: "the body took too long to arrive",
			close:       true,
		}
	}
	return &refusal{
		status:      http.StatusBadRequest,
		description: "the body could not be read",
		cause:       cause{seen: err.Error()},
	}
}

func (g *Guard) tooLarge() *refusal {
	return &refusal{
		status:      http.StatusRequestEntityTooLarge,
		description: fmt.Sprintf("the body has more than %d bytes", g.maxBody),
	}
}

func isJSON(contentType string) bool {
	if contentType == mediaJSON {
		return true
	}
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && mediaType == mediaJSON
}

// declareJSON removes a charset and an encoding from the header. JSON is UTF-8 (RFC 8259 section
// 8.1), and a handler that decodes by another charset would find another message than the guard.
func declareJSON(header http.Header) {
	if line(header, "Content-Type") != mediaJSON {
		header["Content-Type"] = []string{mediaJSON}
	}
	delete(header, "Content-Encoding")
}

// maxTrusted is how many bytes the guard allocates because a client has announced them.
const maxTrusted = 64 << 10

// readAll reads a body into a buffer of Content-Length+1 bytes, up to maxTrusted. The extra byte
// lets the last Read report io.EOF.
func (g *Guard) readAll(a *admission, r *http.Request) ([]byte, error) {
	if r.ContentLength < 0 || r.ContentLength > maxTrusted {
		return g.readMore(a, r, 0)
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
	// The body is longer than announced.
	rest, err := g.readMore(a, r, int64(n))
	return append(buffer, rest...), err
}

// readMore reads the rest of a body after the bytes that were read before.
func (g *Guard) readMore(a *admission, r *http.Request, before int64) ([]byte, error) {
	limited := http.MaxBytesReader(a.answer.ResponseWriter, r.Body, max(g.maxBody-before, 0))
	return io.ReadAll(&countedReader{Reader: limited, admission: a, room: maxTrusted - before})
}

// A countedReader counts what it reads in the caller's usage.
type countedReader struct {
	io.Reader
	admission *admission
	room      int64 // bytes that may be read before more are counted
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.room -= int64(n)
	for c.room < 0 {
		g := c.admission.guard
		if reached := g.usage.acquireBytes(&c.admission.slot, maxTrusted, g.maxBody+maxTrusted); reached != nil {
			return n, reached
		}
		c.room += maxTrusted
	}
	return n, err
}

// withBody copies a request and gives the copy another body.
func withBody(r *http.Request, body []byte) *http.Request {
	inner := r.WithContext(r.Context())
	inner.Header = r.Header.Clone()
	setBody(inner, &messageBody{}, body)
	return inner
}

func setBody(r *http.Request, reader *messageBody, body []byte) {
	reader.Reset(body)
	r.Body = reader
	r.ContentLength = int64(len(body))
	r.TransferEncoding = nil
	r.GetBody = nil
	var digits [20]byte
	length := strconv.AppendInt(digits[:0], int64(len(body)), 10)
	if lines := r.Header["Content-Length"]; len(lines) != 1 || lines[0] != string(length) {
		r.Header["Content-Length"] = []string{string(length)}
	}
}

// A messageBody is the body of a request in memory.
type messageBody struct{ bytes.Reader }

func (b *messageBody) Close() error { return nil }
