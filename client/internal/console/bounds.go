package console

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxMessage bounds one message of a server: a whole answer, or one event of a stream.
const maxMessage = 16 << 20

// maxLines bounds the lines of an event. A message is one line; the library takes time that grows
// with the square of their number.
const maxLines = 256

// bounded keeps a server from filling the memory with a message that has no end, which the library
// would collect.
type bounded struct{ under http.RoundTripper }

func (b bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := b.under.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	end, _ := request.Context().Value(endlessKey{}).(context.CancelCauseFunc)
	response.Body = &boundedBody{
		end:        end,
		ReadCloser: response.Body,
		stream:     strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream"),
	}
	return response, nil
}

// endlessKey is that of the func in a request's context which ends it.
type endlessKey struct{}

// endlessError says that a message was given up.
type endlessError struct{}

func (*endlessError) Error() string {
	return fmt.Sprintf(
		"the server sends a message of more than %d MiB or %d lines, which is not read",
		maxMessage>>20,
		maxLines,
	)
}

type boundedBody struct {
	io.ReadCloser
	end    context.CancelCauseFunc // nil outside a request of the library's
	stream bool                    // blank lines end a message
	blank  bool                    // the line so far is empty
	size   int
	lines  int
}

func (b *boundedBody) Read(buffer []byte) (int, error) {
	n, err := b.ReadCloser.Read(buffer)
	b.count(buffer[:n])
	if b.size > maxMessage || b.lines > maxLines {
		if b.end != nil {
			b.end(&endlessError{})
		}
		_ = b.ReadCloser.Close() // the library leaves a stream open that has failed
		return 0, &endlessError{}
	}
	return n, err
}

func (b *boundedBody) count(text []byte) {
	for b.stream {
		end := bytes.IndexByte(text, '\n')
		if end < 0 {
			break
		}
		b.size += end + 1
		line := bytes.TrimRight(text[:end], "\r")
		switch {
		case !b.blank || len(line) > 0 && line[0] != ':': // which begins a comment
			b.lines++
		case len(line) == 0:
			b.size = 0
			b.lines = 0
		}
		b.blank, text = true, text[end+1:]
	}
	b.size += len(text)
	if len(bytes.TrimRight(text, "\r")) > 0 {
		b.blank = false
	}
}
