package console

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/mark3labs/mcp-go/client/transport"
)

// requestIDKey is the context key of a JSON-RPC request's ID, as JSON text.
type requestIDKey struct{}

// matchingTransport drops the responses in an event stream that answer other requests than its own
// (JSON-RPC 2.0 section 5). The library would take the first response, whatever its ID.
type matchingTransport struct{ next http.RoundTripper }

func (t matchingTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	id, _ := request.Context().Value(requestIDKey{}).([]byte)
	if id != nil && isEventStream(response) {
		response.Body = &matchingBody{
			ReadCloser: response.Body,
			reader:     bufio.NewReader(response.Body),
			id:         id,
		}
	}
	return response, nil
}

func isEventStream(response *http.Response) bool {
	return strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream")
}

// matchingBody reads a stream event by event. The body below it bounds the size of an event.
type matchingBody struct {
	io.ReadCloser
	reader *bufio.Reader
	id     []byte
	ready  []byte // the rest of the current event
	err    error  // that follows the current event
}

func (b *matchingBody) Read(buffer []byte) (int, error) {
	for len(b.ready) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		b.ready, b.err = readEvent(b.reader)
		if answersOther(b.ready, b.id) {
			b.ready = nil
		}
	}
	n := copy(buffer, b.ready)
	b.ready = b.ready[n:]
	return n, nil
}

// readEvent reads an event up to the blank line that ends it. If the stream ends first, it returns
// what there is.
func readEvent(reader *bufio.Reader) ([]byte, error) {
	var event []byte
	for lineStart := 0; ; lineStart = len(event) {
		for {
			part, err := reader.ReadSlice('\n')
			event = append(event, part...)
			if err == nil {
				break
			}
			if !errors.Is(err, bufio.ErrBufferFull) {
				return event, err
			}
		}
		if len(bytes.TrimRight(event[lineStart:], "\r\n")) == 0 {
			return event, nil
		}
	}
}

// answersOther reports whether an event is a response to another request. An unreadable event is
// left to the library.
func answersOther(event, id []byte) bool {
	var text []byte
	for line := range bytes.SplitSeq(event, []byte("\n")) {
		if data, isData := bytes.CutPrefix(bytes.TrimRight(line, "\r"), []byte("data:")); isData {
			text = append(append(text, bytes.TrimPrefix(data, []byte(" "))...), '\n')
		}
	}
	var message struct {
		ID     json.RawMessage `json:"id"`
		Method *string         `json:"method"`
	}
	if len(text) == 0 || json.Unmarshal(text, &message) != nil || message.Method != nil {
		return false
	}
	return message.ID != nil && !bytes.Equal(message.ID, []byte("null")) && !bytes.Equal(message.ID, id)
}

var errOtherRequest = errors.New("the server answers another request than the one that was sent")

// checkID refuses a result for another request. Errors may have invented IDs, because the server
// may not have been able to read the request's.
func checkID(response *transport.JSONRPCResponse, id []byte) error {
	if response == nil || response.Error != nil {
		return nil
	}
	answered, err := json.Marshal(response.ID)
	if err != nil {
		return err
	}
	if !bytes.Equal(answered, id) {
		return errOtherRequest
	}
	return nil
}
