package console

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
)

const (
	// maxMessage bounds one message of a server: a whole answer, or one event of a stream.
	maxMessage = 16 << 20
	// maxLines bounds the lines of an event. A message is one line. The library's time grows with
	// the square of the number of lines.
	maxLines = 256
)

// boundedTransport ends messages that would fill the memory, because the library collects a whole
// message.
type boundedTransport struct{ next http.RoundTripper }

func (t boundedTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	end, _ := request.Context().Value(endKey{}).(context.CancelCauseFunc)
	response.Body = &boundedBody{
		ReadCloser: response.Body,
		end:        end,
		isStream:   isEventStream(response),
	}
	return response, nil
}

// endKey is the context key of the function that ends the library's request.
type endKey struct{}

// An endlessError reports a message that exceeds the bounds.
type endlessError struct{}

func (*endlessError) Error() string {
	return fmt.Sprintf("the server sends a message of more than %d MiB or %d lines, which is not read",
		maxMessage>>20, maxLines)
}

type boundedBody struct {
	io.ReadCloser
	end       context.CancelCauseFunc // nil for requests that the library has not sent
	isStream  bool                    // blank lines end a message
	lineBegun bool                    // the current line has characters
	size      int
	lines     int
}

func (b *boundedBody) Read(buffer []byte) (int, error) {
	n, err := b.ReadCloser.Read(buffer)
	b.count(buffer[:n])
	if b.size > maxMessage || b.lines > maxLines {
		if b.end != nil {
			b.end(&endlessError{})
		}
		_ = b.ReadCloser.Close() // the library does not close a stream that has failed
		return 0, &endlessError{}
	}
	return n, err
}

func (b *boundedBody) count(text []byte) {
	for b.isStream {
		end := bytes.IndexByte(text, '\n')
		if end < 0 {
			break
		}
		b.size += end + 1
		b.endLine(bytes.TrimRight(text[:end], "\r"))
		text = text[end+1:]
	}
	b.size += len(text)
	if len(bytes.TrimRight(text, "\r")) > 0 {
		b.lineBegun = true
	}
}

// endLine counts the current line, with its last part. A blank line ends the message. A comment
// begins with a colon and does not count.
func (b *boundedBody) endLine(last []byte) {
	switch {
	case b.lineBegun || len(last) > 0 && last[0] != ':':
		b.lines++
	case len(last) == 0:
		b.size = 0
		b.lines = 0
	}
	b.lineBegun = false
}
