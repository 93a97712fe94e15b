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

// requestIDKey is that of the JSON text of a JSON-RPC request's ID in its context.
type requestIDKey struct{}

// matching passes over the responses in an event stream that are to other requests than the
// stream's own (JSON-RPC 2.0 section 5). The library takes the first response for the answer,
// whosever it is.
type matching struct{ under http.RoundTripper }

func (m matching) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := m.under.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	id, _ := request.Context().Value(requestIDKey{}).([]byte)
	if id != nil && strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		response.Body = &matchingBody{ReadCloser: response.Body, from: bufio.NewReader(response.Body), id: id}
	}
	return response, nil
}

// matchingBody gives a stream out event by event, as long as the body below it lets events grow.
type matchingBody struct {
	io.ReadCloser
	from  *bufio.Reader
	id    []byte
	ready []byte // of the event that is given out
	err   error  // what comes after it
}

func (b *matchingBody) Read(buffer []byte) (int, error) {
	for len(b.ready) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		if b.ready, b.err = readEvent(b.from); foreign(b.ready, b.id) {
			b.ready = nil
		}
	}
	n := copy(buffer, b.ready)
	b.ready = b.ready[n:]
	return n, nil
}

// readEvent reads up to a blank line, which ends an event, and returns what there is when the
// stream ends before.
func readEvent(from *bufio.Reader) ([]byte, error) {
	var event []byte
	for begin := 0; ; begin = len(event) {
		for {
			part, err := from.ReadSlice('\n')
			event = append(event, part...)
			if err == nil {
				break
			}
			if !errors.Is(err, bufio.ErrBufferFull) {
				return event, err
			}
		}
		if len(bytes.TrimRight(event[begin:], "\r\n")) == 0 {
			return event, nil
		}
	}
}

// foreign reports whether an event is a response to another request. What cannot be read is left to
// the library.
func foreign(event, id []byte) bool {
	var text []byte
	for line := range bytes.SplitSeq(event, []byte("\n")) {
		if data, is := bytes.CutPrefix(bytes.TrimRight(line, "\r"), []byte("data:")); is {
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

var errForeignAnswer = errors.New("the server answers another request than the one that was sent")

// checkOwn refuses a result that is for another request. Errors may have IDs that a server has made
// up, since it could not read the request's.
func checkOwn(response *transport.JSONRPCResponse, id []byte) error {
	if response == nil || response.Error != nil {
		return nil
	}
	got, err := json.Marshal(response.ID)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, id) {
		return errForeignAnswer
	}
	return nil
}
